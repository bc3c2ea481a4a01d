"""Each hostile sample is met with what its class calls for, and no sample breaks anything.

The classes are those of the samples' own index; `any` means that nothing may break.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filterd.chain.verdict import Verdict
from filterd.filters.clamav.filter import ClamAV
from filterd.filters.clamav.settings import ClamAVSettings
from filterd.filters.gtube import Gtube, GtubeSettings
from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.message import Message
from tests.helpers.servers.clamd import Clamd
from tests.hostile.corpus import attached, unpacked

pytestmark = pytest.mark.minutes

OVER_LIMIT = {"ARCHIVE_LIMIT", "HEADER_LIMIT", "LINE_LIMIT", "MIME_TOO_DEEP", "MIME_TOO_MANY_PARTS"}


def _has(*wanted: str) -> Callable[[Verdict], bool]:
    return lambda verdict: bool({symbol.name for symbol in verdict.symbols} & set(wanted))


def _is_virus(verdict: Verdict) -> bool:
    return verdict.virus is not None


EXPECTED: dict[str, Callable[[Verdict], bool]] = {
    "any": lambda _verdict: True,
    "archive-names": _has("ARCHIVE_PATH"),
    "banned-name": _has("BANNED_PART"),
    "banned-type": _has("BANNED_PART"),
    "bomb": _has("ARCHIVE_LIMIT"),
    "clean": lambda verdict: verdict.symbols == (),
    "encrypted-archive": _has("ARCHIVE_ENCRYPTED"),
    "external": _has("MIME_EXTERNAL"),
    "limit": _has(*OVER_LIMIT),
    "partial": _has("MIME_PARTIAL"),
    "virus": _is_virus,
    "virus-or-limit": lambda verdict: _is_virus(verdict) or _has(*OVER_LIMIT)(verdict),
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked("hostile", tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def clamav(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClamAV]:
    server = Clamd(tmp_path_factory.mktemp("clamd"))
    server.start()
    yield ClamAV(ClamAVSettings(server=f"unix:{server.socket}"))
    server.stop()


@pytest.mark.integration
def test_every_line_of_the_index_meets_its_class(hostile: Path, clamav: ClamAV) -> None:
    missed = []
    lines = (hostile / "synthetic" / "index").read_text().splitlines()
    for wanted, name in map(str.split, lines):
        message = Message((hostile / "synthetic" / name).read_bytes(), id="X1")
        verdict = Parts(PartsSettings()).examine(message)
        if wanted in ("any", "clean", "virus", "virus-or-limit"):
            verdict |= clamav.examine(message)
        if not EXPECTED[wanted](verdict):
            missed.append((wanted, name, [s.name for s in verdict.symbols]))
    assert lines
    assert missed == []


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_hostile_file_as_an_attachment_is_judged(hostile: Path) -> None:
    """What one may cost is bounded by the limits of the unpacker, which have tests of their own."""
    parts, gtube = Parts(PartsSettings()), Gtube(GtubeSettings())
    found = 0
    files = sorted(path for path in hostile.rglob("*") if path.is_file())
    for path in files:
        message = Message(attached(path), id="X1")
        verdict = parts.examine(message) | gtube.examine(message)
        found += verdict.symbols != ()
    assert files
    assert found > 300


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_broken_message_is_read(tmp_path: Path) -> None:
    parts = Parts(PartsSettings())
    files = [path for path in unpacked("mime-torture", tmp_path).rglob("*") if path.is_file()]
    assert files
    for path in files:
        message = Message(path.read_bytes(), id="X1")
        for entity in message.walk():
            assert entity.start <= entity.body_start <= entity.end <= message.size
            assert isinstance(entity.text, str)
        parts.examine(message)
