"""What filterd asks a real clamd beside scans."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.scanners.answer import CLEAN, Infected, Unavailable
from filterd.scanners.cache import AnswerCache, Remembering
from filterd.scanners.clamd.scanner import ClamdScanner
from filterd.scanners.clamd.server import ClamdServer
from filterd.scanners.databases import Databases, Dated
from filterd.scanners.icap.scanner import IcapScanner, IcapServer
from tests.helpers.certificates import server_context
from tests.helpers.messages import EICAR
from tests.helpers.process import folder, wait_for
from tests.helpers.servers.cicap import Cicap
from tests.helpers.servers.clamd import VIRUS, Clamd
from tests.helpers.servers.tls_relay import TlsRelay


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


def test_commands_and_scans_over_tls(own: Clamd, tmp_path: Path) -> None:
    """A clamd behind a proxy, as one on another host is."""
    context, trusted = server_context(tmp_path)
    with TlsRelay(context, ("127.0.0.1", own.port)) as relay:
        server = ClamdServer.parse(f"tls:localhost:{relay.port}", str(trusted))
        server.ping(20)
        assert server.version(20).engine.startswith("ClamAV ")
        assert server.stats(20).most == 4
        server.reload(20)
        one = ClamdScanner(server, 20)
        contents = (b"hello", EICAR, bytes(3 << 20), bytes(3 << 20) + EICAR, b"hello")
        found = [one.scan(content, time.monotonic() + 20) for content in contents]
        assert found == [CLEAN, Infected(VIRUS), CLEAN, Infected(VIRUS), CLEAN]
        assert server.takes(1 << 20, 20)
        assert not server.takes((100 << 20) + 1, 20)
        stranger = ClamdServer.parse(f"tls:localhost:{relay.port}")
        assert isinstance(ClamdScanner(stranger, 20).scan(EICAR, math.inf), Unavailable)


def test_remembered_answers_of_a_service_end_with_its_clamds_signatures(own: Clamd) -> None:
    """c-icap does not notice that its clamd reads other signatures; the folder of these tells."""
    bad = b"this is very bad"
    with folder("c-icap-own") as path:
        cicap = Cicap(path, own)
        cicap.start()
        icap = IcapScanner(IcapServer.parse(cicap.address), 20)
        before = icap.signatures(time.monotonic() + 20).tag
        remembering = Remembering(Dated(icap, Databases(own.database, 0)), AnswerCache(100, 3600))

        def answer() -> object:
            return remembering.scan(bad, time.monotonic() + 20)

        assert [answer(), answer()] == [CLEAN, CLEAN]
        own.add(b"Bad", bad)
        scanner(own).server.reload(20)
        wait_for("the new signatures", lambda: icap.scan(bad, time.monotonic() + 20) != CLEAN)
        assert icap.signatures(time.monotonic() + 20).tag == before
        assert [answer(), answer()] == [Infected("Bad.UNOFFICIAL")] * 2
        cicap.stop()


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
