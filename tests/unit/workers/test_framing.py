"""Frames between daemon and worker: whole however they come, refused if they are not frames."""

from __future__ import annotations

import os
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator

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
        (b"", "closed"),
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
