"""No message breaks the page that shows it, or holds it up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filterd.web.preview import HTML_LIMIT
from tests.helpers.growth import LINEAR, growth
from tests.helpers.site import Site
from tests.hostile.corpus import unpacked

pytestmark = pytest.mark.slow


def _parts(count: int, kind: bytes) -> bytes:
    part = b"--b\r\nContent-Type: " + kind + b"\r\n\r\nx\r\n"
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * count + b"--b--\r\n"


def _nested(depth: int) -> bytes:
    lines = [
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(depth)
    ]
    return b"".join(lines) + b"\r\nend\r\n"


HTML = b"Content-Type: text/html\r\n\r\n"

MADE = {
    "empty": b"",
    "no header": b"\r\n\r\n",
    "only octets": bytes(range(256)) * 20,
    "an odd charset": b"Content-Type: text/plain; charset=\xff\x00evil\r\n\r\n\xff\xfe",
    "utf-7": b"Content-Type: text/html; charset=utf-7\r\n\r\n+ADw-script+AD4-alert(1)",
    # nh3's parser takes time by their square: HTML_LIMIT bounds it.
    "ampersands": HTML + b"&" * HTML_LIMIT,
    "names": b'Content-Type: text/plain; name="<script>\x1b[31m\xff"\r\n\r\nx',
}

LARGE: dict[str, tuple[Callable[[int], bytes], int]] = {
    "many parts": (lambda n: _parts(n, b"text/plain"), 1250),
    "many HTML parts": (lambda n: _parts(n, b"text/html"), 750),
    "deep": (_nested, 125),
    "many fields": (lambda n: b"X: y\r\n" * n + b"\r\n", 5_000),
    "a long field": (lambda n: b"Subject: " + b"x" * n + b"\r\n\r\n", 225_000),
    "a long line": (lambda n: b"Subject: x\r\n\r\n" + b"x" * n, 1_250_000),
    "open tags": (lambda n: HTML + b"<div>" * n, HTML_LIMIT // 4),
    "crossed tags": (lambda n: HTML + b"<b></i>" * n, HTML_LIMIT // 4),
    "one long tag": (lambda n: HTML + b"<a " + b"x=1 " * n, HTML_LIMIT // 4),
    "many links": (lambda n: HTML + b"<a href=http://a.example/>x</a>" * n, 2_500),
    "encoded words": (lambda n: b"Subject: " + b"=?utf-8?q?=C3?= " * n + b"\r\n\r\n", 12_500),
}
"""How a message is made, and a size of which four times as much is shown as well."""


def _shows(site: Site, id: str) -> None:
    """Look at a kept message and its parts."""
    answer = site.get(f"/message/{id}")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "\x1b" not in answer.text
    statuses = []
    for number in range(3):
        part = site.get(f"/message/{id}/part/{number}")
        statuses.append(part.status_code)
        if part.status_code == 200 and "text/html" in part.headers["content-type"]:
            assert "<script" not in part.text.lower()
    # The parts are numbered without gaps.
    shown = statuses.count(200)
    assert statuses == [200] * shown + [404] * (3 - shown)


@pytest.mark.parametrize("data", MADE.values(), ids=MADE)
def test_a_made_message_is_shown(site: Site, data: bytes) -> None:
    site.log_in()
    _shows(site, site.put(data=data))


@pytest.mark.parametrize("name", LARGE)
def test_a_large_message_is_shown_by_work_in_proportion(site: Site, name: str) -> None:
    make, size = LARGE[name]
    site.log_in()
    small, large = site.put(data=make(size)), site.put(data=make(4 * size))
    assert growth(lambda id: _shows(site, id), small, large, at_least=0.1, limit=LINEAR) < LINEAR


def _samples(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*.eml")) if file.is_file())


@pytest.mark.parametrize("name", ["hostile", "mime-torture"])
def test_a_sample_is_shown(site: Site, tmp_path: Path, name: str) -> None:
    site.log_in()
    folder = unpacked(name, tmp_path / "samples")
    samples = list(_samples(folder))
    assert samples
    for file in samples:
        _shows(site, site.put(data=file.read_bytes()))
