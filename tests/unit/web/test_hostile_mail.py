"""No message breaks the page that shows it, or holds it up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.web.preview import HTML_LIMIT
from tests.helpers.site import Site
from tests.hostile.corpus import unpacked

pytestmark = pytest.mark.slow


SLOWEST = 15.0
"""Seconds of processor time for one message's page; two busy cores make anything slow at times."""


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
    "many parts": _parts(5000, b"text/plain"),
    "many HTML parts": _parts(3000, b"text/html"),
    "deep": _nested(500),
    "many fields": b"X: y\r\n" * 20_000 + b"\r\n",
    "a long field": b"Subject: " + b"x" * 900_000 + b"\r\n\r\n",
    "a long line": b"Subject: x\r\n\r\n" + b"x" * 5_000_000,
    "ampersands": HTML + b"&" * HTML_LIMIT,
    "open tags": HTML + b"<div>" * HTML_LIMIT,
    "crossed tags": HTML + b"<b></i>" * HTML_LIMIT,
    "one long tag": HTML + b"<a " + b"x=1 " * HTML_LIMIT,
    "many links": HTML + b"<a href=http://a.example/>x</a>" * 10_000,
    "an odd charset": b"Content-Type: text/plain; charset=\xff\x00evil\r\n\r\n\xff\xfe",
    "utf-7": b"Content-Type: text/html; charset=utf-7\r\n\r\n+ADw-script+AD4-alert(1)",
    "encoded words": b"Subject: " + b"=?utf-8?q?=C3?= " * 50_000 + b"\r\n\r\n",
    "names": b'Content-Type: text/plain; name="<script>\x1b[31m\xff"\r\n\r\nx',
}


def _shows(site: Site, data: bytes) -> float:
    """Look at the message and its parts; the processor time that it took."""
    id = site.put(data=data)
    before = time.process_time()
    answer = site.get(f"/message/{id}")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "\x1b" not in answer.text
    for number in range(3):
        part = site.get(f"/message/{id}/part/{number}")
        assert part.status_code in (200, 404)
        if part.status_code == 200 and "text/html" in part.headers["content-type"]:
            assert "<script" not in part.text.lower()
    return time.process_time() - before


@pytest.mark.parametrize("data", MADE.values(), ids=MADE)
def test_a_made_message_is_shown(site: Site, data: bytes) -> None:
    site.log_in()
    assert _shows(site, data) < SLOWEST


def _samples(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*.eml")) if file.is_file())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["hostile", "mime-torture"])
def test_a_sample_is_shown(site: Site, tmp_path: Path, name: str) -> None:
    site.log_in()
    folder = unpacked(name, tmp_path / "samples")
    slow = {
        file.name: taken
        for file in _samples(folder)
        if (taken := _shows(site, file.read_bytes())) > SLOWEST
    }
    assert slow == {}
    assert list(_samples(folder))
