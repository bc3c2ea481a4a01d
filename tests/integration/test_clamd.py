"""What filterd asks a real clamd beside scans."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from filterd.scanners.answer import CLEAN, Infected
from filterd.scanners.cache import AnswerCache, Remembering
from filterd.scanners.clamd.scanner import ClamdScanner
from filterd.scanners.clamd.server import ClamdServer
from tests.helpers.process import folder, wait_for
from tests.helpers.servers.clamd import Clamd


@pytest.fixture
def own() -> Iterator[Clamd]:
    """A clamd whose signatures the test may change."""
    with folder("clamd-own") as path:
        server = Clamd(path)
        server.start()
        yield server
        server.stop()


def scanner(clamd: Clamd, **more: object) -> ClamdScanner:
    return ClamdScanner(ClamdServer.parse(f"unix:{clamd.socket}"), 20, **more)  # type: ignore[arg-type]


def test_commands(own: Clamd) -> None:
    for address in (f"unix:{own.socket}", f"tcp:127.0.0.1:{own.port}"):
        server = ClamdServer.parse(address)
        server.ping(20)
        assert server.version(20).engine.startswith("ClamAV ")
        stats = server.stats(20)
        assert (stats.most, stats.queue) == (4, 0)
        assert stats.memory is not None
        server.reload(20)


def test_remembered_answers_end_with_the_signatures(own: Clamd) -> None:
    """New signatures, read by RELOAD: what was clean before is scanned again, and found."""
    bad = b"this is very bad"
    one = scanner(own, databases=own.folder / "database", settle=0)
    remembering = Remembering(one, AnswerCache(100, 3600))

    def answer() -> object:
        return remembering.scan(bad, time.monotonic() + 20)

    assert [answer(), answer()] == [CLEAN, CLEAN]
    (own.folder / "database" / "more.ndb").write_text(f"Bad:0:*:{bad.hex()}\n")
    one.server.reload(20)
    wait_for("the new signatures", lambda: one.scan(bad, time.monotonic() + 20) != CLEAN)
    assert [answer(), answer()] == [Infected("Bad.UNOFFICIAL")] * 2
