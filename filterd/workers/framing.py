"""Frames on the socket between daemon and worker: a JSON head and raw octets, lengths before both.

No pickle: what a worker sends may have been made by a message that took the worker over, so the
daemon reads it as it would read a stranger's bytes. Lengths are judged before memory is taken. A
large message is not copied: its spool file's descriptor travels beside the frame (SCM_RIGHTS).
A request is answered before the next is made, so a read never meets two frames.
"""

from __future__ import annotations

import array
import os
import socket
import time
from collections.abc import Sequence
from struct import Struct

_LENGTHS = Struct("!IQ")

HEAD_LIMIT = 16 << 20
"""Octets of a JSON head: an envelope of thousands of recipients, a verdict with its reasons."""

BODY_LIMIT = 64 << 20
"""Octets of a message sent in the frame itself; larger ones go by descriptor."""

READ_SIZE = 64 << 10
"""Octets of the first read; most frames are smaller and come whole."""

REST_LIMIT = 5.0
"""Seconds that a peer with a time limit on its socket may pause inside a frame."""

PIECES_LIMIT = 512
"""Pieces that are given to the kernel in one call; it takes at most IOV_MAX (1024 on Linux)."""

_DESCRIPTOR_SPACE = socket.CMSG_SPACE(array.array("i").itemsize)


class FrameError(Exception):
    """The peer sent what is not a frame, or closed in the middle of one."""


Buffer = bytes | bytearray | memoryview


def send(
    peer: socket.socket, head: bytes, body: Sequence[Buffer] = (), descriptor: int | None = None
) -> None:
    """Send one frame; body is sent as one run of octets. Raises OSError."""
    size = sum(map(len, body))
    parts: list[Buffer] = [_LENGTHS.pack(len(head), size), head, *body]
    ancillary = []
    if descriptor is not None:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
    if len(parts) > PIECES_LIMIT:
        parts = [b"".join(parts)]
    total = _LENGTHS.size + len(head) + size
    sent = peer.sendmsg(parts, ancillary)
    if sent < total:
        peer.sendall(memoryview(b"".join(parts))[sent:])


class Receiver:
    """The reading end of one socket."""

    def __init__(
        self, peer: socket.socket, *, body_limit: int = BODY_LIMIT, descriptors: bool = False
    ) -> None:
        self._peer = peer
        self._body_limit = body_limit
        self._descriptors = descriptors
        self._buffer = bytearray(READ_SIZE)

    def receive(self) -> tuple[bytes, bytes, int | None]:
        """Read one frame: head, body, and the descriptor that came with it, if one did.

        Raises FrameError, also with the text `closed` when the peer closed between frames, and
        BlockingIOError if the socket has a time limit and nothing came within it.
        """
        try:
            if self._descriptors:
                count, ancillary, _, _ = self._peer.recvmsg_into([self._buffer], _DESCRIPTOR_SPACE)
            else:
                # Descriptors that are not asked for are closed by the kernel.
                count, ancillary = self._peer.recv_into(self._buffer), []
        except BlockingIOError:
            raise
        except OSError as error:
            raise FrameError(f"read: {error.strerror or error}") from error
        descriptor = _descriptor(ancillary)
        try:
            return *self._frame(count), descriptor
        except FrameError:
            if descriptor is not None:
                os.close(descriptor)
            raise

    def _frame(self, count: int) -> tuple[bytes, bytes]:
        if count == 0:
            raise FrameError("closed")
        data: Buffer = memoryview(self._buffer)[:count]
        if count < _LENGTHS.size:
            data = bytes(data) + self._more(_LENGTHS.size - count)
        head_size, body_size = _LENGTHS.unpack_from(data)
        if head_size > HEAD_LIMIT or body_size > self._body_limit:
            raise FrameError(f"frame of {head_size} + {body_size} octets is over the limit")
        end = _LENGTHS.size + head_size
        missing = end + body_size - len(data)
        if missing < 0:
            raise FrameError(f"{-missing} octets after the frame")
        if missing:
            data = memoryview(b"".join((data, self._more(missing))))
        return bytes(data[_LENGTHS.size : end]), bytes(data[end:])

    def _more(self, size: int) -> bytes:
        """That many octets, the rest of a frame that did not come whole."""
        buffer = bytearray(size)
        view, position = memoryview(buffer), 0
        end = time.monotonic() + REST_LIMIT
        while position < size:
            try:
                count = self._peer.recv_into(view[position:])
            except BlockingIOError:
                if time.monotonic() > end:
                    raise FrameError(f"stopped {size - position} octets before the end") from None
                continue
            except OSError as error:
                raise FrameError(f"read: {error.strerror or error}") from error
            if count == 0:
                raise FrameError(f"closed {size - position} octets before the end")
            position += count
        return bytes(buffer)


def _descriptor(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            return int(array.array("i", data[: array.array("i").itemsize])[0])
    return None
