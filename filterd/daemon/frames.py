"""Frames on the socket between daemon and worker: a JSON head and raw octets, lengths before both.

No pickle: what a worker sends may have been made by a message that took the worker over, so the
daemon reads it as it would read a stranger's bytes. Lengths are judged before memory is taken. A
large message is not copied: its spool file's descriptor travels beside the frame (SCM_RIGHTS).
"""

from __future__ import annotations

import array
import socket
from collections.abc import Sequence
from struct import Struct

_LENGTHS = Struct("!IQ")

HEAD_LIMIT = 16 << 20
"""Octets of a JSON head: an envelope of thousands of recipients, a verdict with its reasons."""

BODY_LIMIT = 64 << 20
"""Octets of a message sent in the frame itself; larger ones go by descriptor."""


class FrameError(Exception):
    """The peer sent what is no frame, or closed in the middle of one."""


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
    # A kernel takes at most IOV_MAX (1024 on Linux) parts a call.
    if len(parts) > 512:
        parts = [b"".join(parts)]
    total = _LENGTHS.size + len(head) + size
    sent = peer.sendmsg(parts, ancillary)
    if sent < total:
        peer.sendall(memoryview(b"".join(parts))[sent:])


def receive(peer: socket.socket, body_limit: int = BODY_LIMIT) -> tuple[bytes, bytes, int | None]:
    """Read one frame: head, body, and the descriptor that came with it, if one did.

    Raises FrameError, also with the text `closed` when the peer closed between frames.
    """
    try:
        start, descriptors, _flags, _address = socket.recv_fds(peer, _LENGTHS.size, 1)
    except OSError as error:
        raise FrameError(f"read: {error.strerror or error}") from error
    if not start:
        raise FrameError("closed")
    start += _exactly(peer, _LENGTHS.size - len(start))
    head_size, body_size = _LENGTHS.unpack(start)
    if head_size > HEAD_LIMIT or body_size > body_limit:
        raise FrameError(f"frame of {head_size} + {body_size} octets is over the limit")
    head = _exactly(peer, head_size)
    return head, _exactly(peer, body_size), descriptors[0] if descriptors else None


def _exactly(peer: socket.socket, size: int) -> bytes:
    if size == 0:
        return b""
    buffer = bytearray(size)
    view, position = memoryview(buffer), 0
    while position < size:
        try:
            count = peer.recv_into(view[position:])
        except OSError as error:
            raise FrameError(f"read: {error.strerror or error}") from error
        if count == 0:
            raise FrameError(f"closed after {position} of {size} octets")
        position += count
    return bytes(buffer)
