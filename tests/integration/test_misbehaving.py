"""1,000 connections that vanish, talk nonsense or stall, and a daemon that goes on answering.

The peers are played by a raw milter client, since no MTA would do what they do. Those that stall
are kept open until the end, so that the good ones are served beside them.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import pytest

from filterd.milter.commands import Body, Connect, Header, Macros, Mail
from filterd.milter.constants import Command
from filterd.milter.negotiation import Negotiation
from filterd.milter.packets import LENGTH, Packet
from tests.helpers import messages
from tests.helpers.milter import Gone, MilterClient
from tests.helpers.process import folder, wait_for
from tests.helpers.servers.filterd import Filterd

CONNECTIONS = 1000

MEMORY_LIMIT = 96 << 20
"""Octets that the daemon may have gained at the end. Python and malloc keep some of what hundreds
of threads used; a leak of one message or session each would be more."""

OFFER = Negotiation.offer().encode().encode()
END = Packet(Command.BODYEOB.value).encode()

Stalled: TypeAlias = MilterClient | socket.socket

noise = random.Random(4711)  # the same nonsense in every run


@pytest.fixture(scope="module")
def daemon() -> Iterator[Filterd]:
    """A daemon of its own: what these tests do to it is none of the others' business."""
    with folder("misbehaving") as path:
        server = Filterd(path)
        server.start()
        yield server
        server.stop()


# Each of these leaves the path at one place, and returns its connection if it stalls there.


def connected(socket_path: Path) -> socket.socket:
    """A connection on which nothing has been said."""
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(str(socket_path))
    return peer


def greeted(socket_path: Path) -> MilterClient:
    """A connection after CONNECT and HELO."""
    peer = MilterClient(socket_path)
    peer.hello()
    return peer


def in_message(socket_path: Path) -> MilterClient:
    """A connection after MAIL, RCPT, header fields and body."""
    peer = greeted(socket_path)
    peer.envelope()
    peer.content()
    return peer


def vanish_at_once(path: Path) -> None:
    connected(path).close()


def vanish_after_the_offer(path: Path) -> None:
    with connected(path) as peer:
        peer.sendall(OFFER)


def vanish_in_the_header(path: Path) -> None:
    with greeted(path) as peer:
        peer.envelope()
        peer.content([(b"Subject", b" half a message")], b"")


def vanish_in_a_packet(path: Path) -> None:
    with greeted(path) as peer:
        peer.write(LENGTH.pack(60000) + b"B" + bytes(1000))


def vanish_before_the_answer(path: Path) -> None:
    with in_message(path) as peer:
        peer.write(END)


def nonsense(path: Path) -> None:
    with connected(path) as peer:
        peer.sendall(noise.randbytes(noise.randrange(1, 5000)))


def nonsense_after_the_offer(path: Path) -> None:
    with MilterClient(path) as peer:
        peer.write(noise.randbytes(noise.randrange(1, 5000)))


def nonsense_in_packets(path: Path) -> None:
    with greeted(path) as peer:
        for _ in range(20):
            command = bytes([noise.choice(b"ABCDEHKLMNOQRTU\0z")])
            peer.write(Packet(command, noise.randbytes(noise.randrange(0, 200))).encode())


def huge_packet(path: Path) -> None:
    with MilterClient(path) as peer:
        peer.write(LENGTH.pack(0xFFFFFFFF) + b"B" + bytes(5000))


def impossible_offer(path: Path) -> None:
    with connected(path) as peer:
        peer.sendall(Packet(b"O", b"\0\0\0\x01").encode())


def commands_out_of_order(path: Path) -> None:
    with MilterClient(path) as peer:
        peer.write(Body(b"a body first").encode().encode() + END)
        peer.write(Mail((b"<late@client.example>",)).encode().encode())


def message_without_envelope(path: Path) -> None:
    with greeted(path) as peer:
        peer.write(Header(b"Subject", b" no MAIL, no RCPT").encode().encode() + END)


def strings_without_end(path: Path) -> None:
    with greeted(path) as peer:
        for command in b"MRLHC":
            peer.write(Packet(bytes([command]), b"no NUL anywhere").encode())


def octets_that_are_no_text(path: Path) -> None:
    with connected(path) as peer:
        peer.sendall(OFFER)
        peer.sendall(Macros(Command.CONNECT, {"j": b"\xff\xfe"}).encode().encode())
        peer.sendall(Connect(b"\xe4\xf6.example", b"6", 25, b"no address").encode().encode())
        for command, data in (
            (b"H", b"\xff\xff\0"),
            (b"M", b"<\xfc@x>\0"),
            (b"R", b"<\xfc@y>\0"),
            (b"L", b"S\xfcbject\0 \xff\0"),
            (b"E", b""),
        ):
            peer.sendall(Packet(command, data).encode())


def hundred_aborts(path: Path) -> None:
    with greeted(path) as peer:
        for _ in range(100):
            peer.envelope()
            peer.write(Packet(Command.ABORT.value).encode())


def stall_at_once(path: Path) -> Stalled:
    return connected(path)


def stall_in_a_packet(path: Path) -> Stalled:
    peer = MilterClient(path)
    peer.write(LENGTH.pack(100) + b"M<half")
    return peer


def stall_after_an_empty_packet(path: Path) -> Stalled:
    peer = MilterClient(path)
    peer.write(LENGTH.pack(0))
    return peer


def stall_in_the_body(path: Path) -> Stalled:
    return in_message(path)


def stall_with_replies_unread(path: Path) -> Stalled:
    peer = in_message(path)
    peer.write(END)
    return peer


KINDS: tuple[Callable[[Path], Stalled | None], ...] = (
    vanish_at_once,
    vanish_after_the_offer,
    vanish_in_the_header,
    vanish_in_a_packet,
    vanish_before_the_answer,
    nonsense,
    nonsense_after_the_offer,
    nonsense_in_packets,
    huge_packet,
    impossible_offer,
    commands_out_of_order,
    message_without_envelope,
    strings_without_end,
    octets_that_are_no_text,
    hundred_aborts,
    stall_at_once,
    stall_in_a_packet,
    stall_after_an_empty_packet,
    stall_in_the_body,
    stall_with_replies_unread,
)


def misbehave(path: Path, kind: Callable[[Path], Stalled | None]) -> Stalled | None:
    """Let one connection misbehave; the connection, if it stays open."""
    try:
        return kind(path)
    except (Gone, ConnectionError):
        # The daemon had enough of it first, which is its right.
        return None


def let_go(peer: Stalled | None) -> None:
    """End a stalled connection."""
    if isinstance(peer, MilterClient):
        peer.vanish()
    elif peer is not None:
        peer.close()


def is_served(path: Path) -> None:
    """A well-behaved client with one clean message and one that is refused gets its verdicts."""
    with greeted(path) as client:
        assert client.message().word == "continue"
        refused = client.message(body=messages.GTUBE + b"\r\n")
        assert refused.word.startswith("550 5.7.1 Message refused as spam (id=")


def resident(pid: int) -> int:
    """Octets of memory that a process has resident."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def sockets(pid: int) -> int:
    """Open sockets of a process; files, such as the history's, come and go for other reasons."""
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            count += str(link.readlink()).startswith("socket:")
    return count


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_one_bad_connection_harms_nobody_else(
    daemon: Filterd, kind: Callable[[Path], Stalled | None]
) -> None:
    peer = misbehave(daemon.socket, kind)
    try:
        is_served(daemon.socket)
    finally:
        let_go(peer)


def test_thousand_bad_connections(daemon: Filterd) -> None:
    pid = daemon.process.pid
    is_served(daemon.socket)
    memory, open_before = resident(pid), sockets(pid)
    stalled: list[Stalled] = []

    for number in range(CONNECTIONS):
        peer = misbehave(daemon.socket, KINDS[number % len(KINDS)])
        if peer is not None:
            stalled.append(peer)
        if number % 50 == 49:
            is_served(daemon.socket)

    assert len(stalled) >= CONNECTIONS // 5
    for peer in stalled:
        let_go(peer)
    wait_for("the daemon to let go of all connections", lambda: sockets(pid) <= open_before + 2)
    is_served(daemon.socket)
    assert daemon.process.pid == pid
    assert daemon.process.running
    assert resident(pid) - memory < MEMORY_LIMIT
    assert "Traceback" not in daemon.process.output


@pytest.mark.parametrize("before", [b"", b"A"], ids=["at once", "after an abort"])
def test_the_next_session_on_the_same_connection_is_examined(
    daemon: Filterd, before: bytes
) -> None:
    """SMFIC_QUIT_NC ends a session and keeps the connection; libmilter then forgets its context."""
    with greeted(daemon.socket) as peer:
        peer.envelope()
        for command in (*before, Command.QUIT_NC.value[0]):
            peer.write(Packet(bytes([command])).encode())
        peer.hello()

        outcome = peer.message(body=messages.GTUBE + b"\r\n")

        assert outcome.word.startswith("550 5.7.1 Message refused as spam (id=")
        assert peer.message().word == "continue"
