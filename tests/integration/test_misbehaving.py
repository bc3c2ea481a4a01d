"""1,000 connections that vanish, talk nonsense or stall, and a daemon that goes on answering.

The peers are played by a raw milter client, since no MTA would do what they do. Those that stall
are kept open until the end, so that the good ones are served beside them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filterd.milter.commands import Body, Connect, Header, Macros, Mail
from filterd.milter.constants import Command, ReplyCode
from filterd.milter.negotiation import Negotiation
from filterd.milter.packets import LENGTH, Packet
from tests.helpers import messages
from tests.helpers.milter import Gone, MilterClient
from tests.integration.servers.filterd import Filterd
from tests.integration.servers.process import folder, wait_for

CONNECTIONS = 1000

ANSWER_LIMIT = 5.0
"""Seconds in which a well-behaved client must have its verdict, however many others misbehave; the
rest of the machine may be busy too."""

MEMORY_LIMIT = 96 << 20
"""Octets that the daemon may have gained at the end. Python and malloc keep some of what hundreds
of threads used; a leak of one message or session each would be more."""

OFFER = Negotiation.offer().encode().encode()
END = Packet(Command.BODYEOB.value).encode()

noise = random.Random(4711)  # the same nonsense in every run


@pytest.fixture(scope="module")
def daemon() -> Iterator[Filterd]:
    """A daemon of its own: what these tests do to it is none of the others' business."""
    with folder("misbehaving") as path:
        server = Filterd(path)
        server.start()
        yield server
        server.stop()


# Each of these leaves the path at one place. True: keep the connection open, it stalls.


def vanish_at_once(peer: MilterClient) -> bool:
    return False


def vanish_after_the_offer(peer: MilterClient) -> bool:
    peer.send(OFFER)
    return False


def vanish_in_the_header(peer: MilterClient) -> bool:
    peer.greet()
    peer.envelope()
    peer.header(b"Subject", b" half a message")
    return False


def vanish_in_a_packet(peer: MilterClient) -> bool:
    peer.greet()
    peer.send(LENGTH.pack(60000) + b"B" + bytes(1000))
    return False


def vanish_before_the_answer(peer: MilterClient) -> bool:
    peer.greet()
    peer.envelope()
    peer.content(messages.message())
    peer.send(END)
    return False


def crash_before_the_answer(peer: MilterClient) -> bool:
    peer.greet()
    peer.envelope()
    peer.content(messages.gtube())
    peer.send(END)
    peer.reset()
    return False


def nonsense(peer: MilterClient) -> bool:
    peer.send(noise.randbytes(noise.randrange(1, 5000)))
    return False


def nonsense_after_the_offer(peer: MilterClient) -> bool:
    peer.negotiate()
    peer.send(noise.randbytes(noise.randrange(1, 5000)))
    return False


def nonsense_in_packets(peer: MilterClient) -> bool:
    peer.greet()
    for _ in range(20):
        command = bytes([noise.choice(b"ABCDEHKLMNOQRTU\0z")])
        peer.send(Packet(command, noise.randbytes(noise.randrange(0, 200))).encode())
    return False


def empty_packet(peer: MilterClient) -> bool:
    peer.negotiate()
    peer.send(LENGTH.pack(0))
    return True


def huge_packet(peer: MilterClient) -> bool:
    peer.negotiate()
    peer.send(LENGTH.pack(0xFFFFFFFF) + b"B" + bytes(5000))
    return False


def impossible_offer(peer: MilterClient) -> bool:
    peer.send(Packet(b"O", b"\0\0\0\x01").encode())
    return False


def commands_out_of_order(peer: MilterClient) -> bool:
    peer.negotiate()
    peer.send(Body(b"a body first").encode().encode() + END)
    peer.send(Mail((b"<late@client.example>",)).encode().encode())
    return False


def message_without_envelope(peer: MilterClient) -> bool:
    peer.greet()
    peer.send(Header(b"Subject", b" no MAIL, no RCPT").encode().encode() + END)
    return False


def strings_without_end(peer: MilterClient) -> bool:
    peer.greet()
    for command in b"MRLHC":
        peer.send(Packet(bytes([command]), b"no NUL anywhere").encode())
    return False


def octets_that_are_no_text(peer: MilterClient) -> bool:
    peer.send(OFFER)
    peer.send(Macros(Command.CONNECT, {"j": b"\xff\xfe"}).encode().encode())
    peer.send(Connect(b"\xe4\xf6.example", b"6", 25, b"not an address").encode().encode())
    peer.send(Packet(b"H", b"\xff\xff\0").encode())
    peer.send(Packet(b"M", b"<\xfc@x>\0").encode())
    peer.send(Packet(b"R", b"<\xfc@y>\0").encode())
    peer.send(Packet(b"L", b"S\xfcbject\0 \xff\0").encode() + END)
    return False


def hundred_aborts(peer: MilterClient) -> bool:
    peer.greet()
    for _ in range(100):
        peer.envelope()
        peer.send(Packet(Command.ABORT.value).encode())
    return False


def stall_at_once(peer: MilterClient) -> bool:
    return True


def stall_in_a_packet(peer: MilterClient) -> bool:
    peer.negotiate()
    peer.send(LENGTH.pack(100) + b"M<half")
    return True


def stall_in_the_body(peer: MilterClient) -> bool:
    peer.greet()
    peer.envelope()
    peer.content(messages.message())
    return True


def stall_unread(peer: MilterClient) -> bool:
    peer.greet()
    peer.envelope()
    peer.content(messages.message())
    peer.send(END)
    return True


KINDS: tuple[Callable[[MilterClient], bool], ...] = (
    vanish_at_once, vanish_after_the_offer, vanish_in_the_header, vanish_in_a_packet,
    vanish_before_the_answer, crash_before_the_answer, nonsense, nonsense_after_the_offer,
    nonsense_in_packets, empty_packet, huge_packet, impossible_offer, commands_out_of_order,
    message_without_envelope, strings_without_end, octets_that_are_no_text, hundred_aborts,
    stall_at_once, stall_in_a_packet, stall_in_the_body, stall_unread,
)  # fmt: skip


def misbehave(socket: Path, kind: Callable[[MilterClient], bool]) -> MilterClient | None:
    """Let one connection misbehave; the connection, if it stays open."""
    peer = MilterClient(socket)
    try:
        stays = kind(peer)
    except (Gone, ConnectionError):
        # The daemon had enough of it first, which is its right.
        stays = False
    if not stays:
        peer.vanish()
    return peer if stays else None


def seconds_for_an_answer(socket: Path) -> float:
    """A well-behaved client with one clean message and one that is refused."""
    started = time.monotonic()
    with MilterClient(socket) as client:
        client.greet()
        assert client.deliver(messages.message())[-1].command == ReplyCode.CONTINUE
        refused = client.deliver(messages.gtube())[-1]
        assert refused.command == ReplyCode.REPLYCODE
        assert refused.data.startswith(b"550 5.7.1")
    return time.monotonic() - started


def resident(pid: int) -> int:
    """Octets of memory that a process has resident."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def sockets(pid: int) -> int:
    """Open descriptors of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_one_bad_connection_harms_nobody_else(
    daemon: Filterd, kind: Callable[[MilterClient], bool]
) -> None:
    peer = misbehave(daemon.socket, kind)
    try:
        assert seconds_for_an_answer(daemon.socket) < ANSWER_LIMIT
    finally:
        if peer is not None:
            peer.vanish()


def test_thousand_bad_connections(daemon: Filterd) -> None:
    pid = daemon.process.pid
    seconds_for_an_answer(daemon.socket)
    memory, descriptors = resident(pid), sockets(pid)
    stalled: list[MilterClient] = []
    slowest = 0.0

    for number in range(CONNECTIONS):
        peer = misbehave(daemon.socket, KINDS[number % len(KINDS)])
        if peer is not None:
            stalled.append(peer)
        if number % 50 == 49:
            slowest = max(slowest, seconds_for_an_answer(daemon.socket))

    assert len(stalled) >= CONNECTIONS // 5
    assert slowest < ANSWER_LIMIT
    for peer in stalled:
        peer.vanish()
    wait_for("the daemon to let go of all connections", lambda: sockets(pid) <= descriptors + 2)
    assert seconds_for_an_answer(daemon.socket) < ANSWER_LIMIT
    assert daemon.process.pid == pid
    assert daemon.process.running
    assert resident(pid) - memory < MEMORY_LIMIT
    assert "Traceback" not in daemon.process.output
