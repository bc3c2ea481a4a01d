"""clamd through its package: commands, refusals, TLS, statistics."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path

import pytest

from filterd.filters.clamav.filter import ClamAV
from filterd.filters.clamav.settings import ClamAVSettings
from filterd.message import Message
from filterd.scanners.answer import CLEAN, GivenUp, Infected, ScannerError, Unavailable
from filterd.scanners.clamd.client import ClamdClient
from filterd.scanners.clamd.package import clamd
from filterd.scanners.clamd.scanner import ClamdScanner
from filterd.scanners.clamd.server import ClamdError, ClamdServer, CommandRefusedError, SilentError
from filterd.scanners.clamd.session import ClamdSessions
from filterd.scanners.clamd.stats import ClamdStats
from tests.helpers.certificates import server_context
from tests.helpers.scanner import STATS, Scanner, clean, finds

pytestmark = pytest.mark.server

BAD = b"this is very bad"


def later() -> float:
    return time.monotonic() + 10


def test_the_client_is_the_packages() -> None:
    assert issubclass(ClamdClient, clamd.ClamdNetworkSocket)
    for name in ("ping", "version", "reload", "stats", "_basic_command", "_parse_response"):
        assert name not in vars(ClamdClient), "taken as it is"


def test_commands(tmp_path: Path) -> None:
    with Scanner(clean, tmp_path / "s") as scanner:
        server = ClamdServer.parse(scanner.address)
        server.ping(5)
        server.reload(5)
        assert server.version(5).number == 27450
        assert server.stats(5) == ClamdStats(3, 1, 12, 4, 1_321_063_000)


def test_a_refused_command_is_not_a_clamd_that_is_down(tmp_path: Path) -> None:
    with Scanner(finds(BAD, "Evil"), tmp_path / "s", refuses_version=True, says={}) as scanner:
        server = ClamdServer.parse(scanner.address)
        for command in (server.version, server.stats, server.reload):
            with pytest.raises(CommandRefusedError, match="refuses"):
                command(5)
        assert ClamdScanner(server, 5).scan(BAD, later()) == Infected("Evil")
        with pytest.raises(ScannerError, match="refuses"):
            ClamdScanner(server, 5).signatures(later())
        filter = ClamAV(ClamAVSettings(server=scanner.address))
        assert filter.examine(Message(b"\r\nhello")).scanner == "ClamAV"


@pytest.mark.parametrize("answer", [b"", b"hello\n", b"UNEXPECTED ERROR\n", b"x" * 100_000])
def test_nonsense_to_a_command(tmp_path: Path, answer: bytes) -> None:
    says = {b"PING": answer, b"STATS": answer, b"RELOAD": answer}
    with Scanner(clean, tmp_path / "s", version=answer, says=says) as scanner:
        server = ClamdServer.parse(scanner.address)
        for command in (server.ping, server.version, server.stats, server.reload):
            with pytest.raises(ClamdError):
                command(5)


@pytest.mark.parametrize(
    "text, found",
    [
        (STATS.decode(), ClamdStats(3, 1, 12, 4, 1_321_063_000)),
        (
            "POOLS: 2\nTHREADS: live 1  idle 0 max 12 idle-timeout 30\nQUEUE: 0 items\n"
            "THREADS: live 2  idle 1 max 4 idle-timeout 30\nQUEUE: 3 items\n"
            "MEMSTATS: heap N/A mmap N/A used N/A free N/A pools 1 pools_used 1.5M\n",
            ClamdStats(3, 1, 16, 3, 1_500_000),
        ),
        ("THREADS: live 1 idle 0 max 1 idle-timeout 1\nQUEUE: 0 items", ClamdStats(1, 0, 1, 0)),
        ("", None),
        ("THREADS: live x", None),
    ],
)
def test_statistics(text: str, found: ClamdStats | None) -> None:
    assert ClamdStats.parse(text) == found


def test_tls(tmp_path: Path) -> None:
    context, trusted = server_context(tmp_path)
    with Scanner(finds(BAD, "Evil"), tls=context) as scanner:
        server = ClamdServer.parse(scanner.address, str(trusted))
        assert str(server) == scanner.address
        assert server.version(5).number == 27450
        assert server.scan(BAD + bytes(1 << 19), 5) == "Evil"
        sessions = ClamdSessions()
        found = [sessions.scan(server, content, 5) for content in (b"good", BAD, b"good")]
        assert (found, scanner.sessions) == (["", "Evil", ""], 3)
        with pytest.raises(ClamdError, match="certificate verify failed"):
            ClamdServer.parse(scanner.address).scan(BAD, 5)
        # For another name than it is asked by.
        other = ClamdServer("127.0.0.2", server.port, tls=True, ca=str(trusted))
        with pytest.raises(ClamdError):
            other.scan(BAD, 5)


def test_ipv6() -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this host has no IPv6")
    with listener:
        server = ClamdServer.parse(f"tcp:[::1]:{listener.getsockname()[1]}")
        assert str(server).startswith("tcp:[::1]:")

        def answer() -> None:
            peer = listener.accept()[0]
            with peer:
                assert peer.recv(100) == b"nPING\n"
                peer.sendall(b"PONG\n")

        threading.Thread(target=answer, daemon=True).start()
        server.ping(5)


def test_the_time_limit_holds_for_connecting() -> None:
    """A backlog that is full: nobody accepts. The package would wait here for minutes."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = []
        for _ in range(3):
            peer = socket.socket()
            peer.setblocking(False)
            waiting.append(peer)
            with contextlib.suppress(BlockingIOError):
                peer.connect(address)
        with pytest.raises(SilentError, match="silent"):
            ClamdServer(*address).ping(0.2)
        for peer in waiting:
            peer.close()


@pytest.mark.parametrize(
    "said, answer",
    [
        (b"stream: OK\n", CLEAN),
        (b"stream: Evil FOUND\n", Infected("Evil")),
        (b"stream: Ev\x1b[31mil\x00 FOUND\n", Infected("Ev\ufffd[31mil\ufffd")),
        (b"stream: " + b"x" * 2000 + b" FOUND\n", Infected("x" * 128)),
        (b"stream: " + b"x" * 10_000 + b" FOUND\n", Infected("x" * 128)),
        (b"stream: " + b"x" * 100_000 + b" FOUND\n", None),
        (b"stream: OK FOUND\n", Infected("OK")),
        (b"stream: (" + b"0" * 32 + b":9) FOUND\n", Infected("(" + "0" * 32 + ":9)")),
        (b"stream: fine OK\n", None),
        (b"other: OK\n", None),
        (b"stream: a: b FOUND\n", Infected("a: b")),
        (b"stream: Exceeded time limit ERROR\n", GivenUp("", "limit")),
        (b"INSTREAM size limit exceeded. ERROR\n", GivenUp("", "size")),
    ],
)
def test_answers(tmp_path: Path, said: bytes, answer: object) -> None:
    """None: no answer, so that somebody else is asked and nothing counts as clean."""
    with Scanner(lambda _content: said, tmp_path / "s") as scanner:
        found = ClamdScanner(ClamdServer.parse(scanner.address), 5).scan(BAD, later())
    if isinstance(answer, GivenUp):
        assert isinstance(found, GivenUp)
        assert found.kind == answer.kind
    elif answer is None:
        assert isinstance(found, Unavailable)
    else:
        assert found == answer


def test_no_time_left(tmp_path: Path) -> None:
    with Scanner(clean, tmp_path / "s") as scanner:
        one = ClamdScanner(ClamdServer.parse(scanner.address), 5)
        assert isinstance(one.scan(BAD, time.monotonic() - 1), Unavailable)
        assert scanner.seen == []
