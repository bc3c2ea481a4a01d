"""Frames between daemon and worker: whole however they come, refused if they are not frames."""

from __future__ import annotations

import array
import os
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.workers import framing

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@given(st.binary(max_size=100), st.lists(st.binary(max_size=50), max_size=5))
def test_frames_arrive(head: bytes, body: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        framing.send(ours, head, body)
        assert framing.Receiver(theirs).receive() == (head, b"".join(body), None)


@pytest.mark.parametrize("size", [0, 1, framing.READ_SIZE - 20, framing.READ_SIZE, 3_000_000])
def test_frames_of_any_size(pair: Pair, size: int) -> None:
    sender = threading.Thread(target=framing.send, args=(pair[0], b"{}", [b"x" * size]))
    sender.start()
    assert framing.Receiver(pair[1]).receive() == (b"{}", b"x" * size, None)
    sender.join()


def test_frame_that_comes_octet_by_octet(pair: Pair) -> None:
    def send() -> None:
        for octet in b"\0\0\0\2" + b"\0" * 7 + b"\3" + b"{}" + b"abc":
            pair[0].send(bytes([octet]))

    sender = threading.Thread(target=send)
    sender.start()
    assert framing.Receiver(pair[1]).receive() == (b"{}", b"abc", None)
    sender.join()


def test_nothing_is_read_behind_a_frame_that_comes_in_pieces(pair: Pair) -> None:
    """The shortest there is: lengths alone."""
    pair[0].sendall(b"\0" * 5)

    def rest() -> None:
        pair[0].sendall(b"\0" * 7)
        pair[0].close()

    threading.Timer(0.1, rest).start()
    assert framing.Receiver(pair[1]).receive() == (b"", b"", None)


def test_frame_that_pauses_in_the_middle(pair: Pair) -> None:
    """The daemon's sockets have a time limit for each read; a slow answer is no broken one."""
    pair[1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 10_000))
    receiver = framing.Receiver(pair[1])
    with pytest.raises(BlockingIOError):
        receiver.receive()
    pair[0].sendall(b"\0\0\0\2" + b"\0" * 8 + b"{")
    threading.Timer(0.1, pair[0].sendall, (b"}",)).start()
    assert receiver.receive() == (b"{}", b"", None)


def test_descriptor_travels_beside_the_frame(pair: Pair) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"spooled")
        file.flush()
        framing.send(pair[0], b"{}", (), file.fileno())
    _head, _body, descriptor = framing.Receiver(pair[1], descriptors=True).receive()
    assert descriptor is not None
    assert os.pread(descriptor, 100, 0) == b"spooled"
    os.close(descriptor)


@pytest.mark.parametrize(
    ("octets", "complaint"),
    [
        (b"", "^closed$"),
        (b"\0\0\0", "before the end"),
        (b"\0\0\0\5" + b"\0" * 8 + b"abc", "before the end"),
        (b"\xff" * 12, "over the limit"),
        (b"\0\0\0\1" + b"\0" * 7 + b"\1" + b"a", "over the limit"),  # a body where none may be
        (b"\0\0\0\1" + b"\0" * 8 + b"abc", "after the frame"),
    ],
)
def test_what_is_no_frame(pair: Pair, octets: bytes, complaint: str) -> None:
    pair[0].sendall(octets)
    pair[0].close()
    with pytest.raises(framing.FrameError, match=complaint):
        framing.Receiver(pair[1], body_limit=0).receive()


def test_frame_of_more_pieces_than_the_kernel_takes_at_once(pair: Pair) -> None:
    framing.send(pair[0], b"{}", [b"ab"] * 3000)
    assert framing.Receiver(pair[1]).receive() == (b"{}", b"ab" * 3000, None)


def test_frames_follow_each_other(pair: Pair) -> None:
    receiver = framing.Receiver(pair[1])
    for number in range(3):
        framing.send(pair[0], b"%d" % number, [b"x" * number])
        assert receiver.receive() == (b"%d" % number, b"x" * number, None)


@pytest.mark.parametrize(("head", "body", "fits"), [(5, 7, True), (6, 7, False), (5, 8, False)])
def test_the_limits_themselves_fit(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, head: int, body: int, fits: bool
) -> None:
    monkeypatch.setattr(framing, "HEAD_LIMIT", 5)
    framing.send(pair[0], b"h" * head, [b"b" * body])
    receiver = framing.Receiver(pair[1], body_limit=7)
    if fits:
        assert receiver.receive() == (b"h" * head, b"b" * body, None)
    else:
        with pytest.raises(framing.FrameError, match=rf"frame of {head} \+ {body} octets is over"):
            receiver.receive()


def test_peer_that_stops_in_the_middle_is_not_waited_for(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framing, "REST_LIMIT", 0.0)
    pair[1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 10_000))
    pair[0].sendall(b"\0\0\0\5" + b"\0" * 8 + b"abc")
    with pytest.raises(framing.FrameError, match="stopped 2 octets before the end"):
        framing.Receiver(pair[1]).receive()


def test_socket_that_cannot_be_read_is_named_as_such(pair: Pair) -> None:
    receiver = framing.Receiver(pair[1])
    pair[1].close()
    with pytest.raises(framing.FrameError, match="read: Bad file descriptor"):
        receiver.receive()


def test_peer_that_breaks_off_in_the_middle(pair: Pair) -> None:
    """It closes without having read all: the kernel resets the connection."""
    pair[1].sendall(b"unread")
    pair[0].sendall(b"\0\0\0\5" + b"\0" * 8 + b"abc")
    pair[0].close()
    with pytest.raises(framing.FrameError, match="read: Connection reset by peer"):
        framing.Receiver(pair[1]).receive()


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("octets", [b"\0\0\0\1" + b"\0" * 8 + b"abc", b"\xff" * 12])
def test_descriptor_beside_what_is_no_frame_is_closed(pair: Pair, octets: bytes) -> None:
    rights = array.array("i", [pair[0].fileno()])
    pair[0].sendmsg([octets], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    before = _descriptors()
    with pytest.raises(framing.FrameError):
        framing.Receiver(pair[1], descriptors=True).receive()
    assert _descriptors() == before


def test_descriptor_that_nobody_asked_for_does_not_arrive(pair: Pair) -> None:
    framing.send(pair[0], b"{}", (), pair[0].fileno())
    before = _descriptors()
    assert framing.Receiver(pair[1]).receive() == (b"{}", b"", None)
    assert _descriptors() == before


class Stingy:
    """A socket that takes so many octets at once."""

    def __init__(self, taken: int) -> None:
        self.octets = b""
        self.pieces = 0
        self._taken = taken

    def sendmsg(self, parts: list[bytes], _ancillary: object) -> int:
        self.pieces = len(parts)
        self.octets = b"".join(parts)[: self._taken]
        return len(self.octets)

    def sendall(self, rest: bytes) -> None:
        assert rest
        self.octets += rest


@pytest.mark.parametrize("taken", range(1, 20))
def test_what_the_kernel_does_not_take_at_once_is_sent_after_it(taken: int) -> None:
    peer = Stingy(taken)
    framing.send(peer, b"{}", [b"abc", b"d"])  # type: ignore[arg-type]
    assert peer.octets == b"\0\0\0\2" + b"\0" * 7 + b"\4" + b"{}abcd"


@pytest.mark.parametrize(
    ("body", "pieces"),
    [
        (0, 2),
        (1, 3),
        # Lengths and head are two more.
        (framing.PIECES_LIMIT - 2, framing.PIECES_LIMIT),
        (framing.PIECES_LIMIT - 1, 1),
    ],
)
def test_a_frame_of_too_many_pieces_goes_as_one(body: int, pieces: int) -> None:
    peer = Stingy(1 << 20)
    framing.send(peer, b"{}", [b"x"] * body)  # type: ignore[arg-type]
    assert (peer.pieces, peer.octets[12:]) == (pieces, b"{}" + b"x" * body)
