"""Frames of many conversations on one socket: a length, then so many octets, both ways at any time.

The daemon and a stage process speak so: questions of many sessions are under way together, and
answers come in any order. Lengths are judged before memory is taken.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from struct import Struct

from filterd.workers.framing import FrameError

_LENGTH = Struct("!I")

READ_SIZE = 64 << 10
"""Octets of a read."""


class Frames:
    """One end of the socket. limit: octets of a frame that is read."""

    def __init__(self, peer: socket.socket, limit: int) -> None:
        self._peer = peer
        self._limit = limit
        self._writing = threading.Lock()

    def send(self, frame: bytes) -> None:
        """Send a frame; several threads may do that at a time. Raises OSError."""
        with self._writing:
            self._peer.sendall(_LENGTH.pack(len(frame)) + frame)

    def received(self) -> Iterator[bytes]:
        """The frames, until the peer closes; one thread reads. Raises FrameError for what is none,
        and where the peer closes in the middle of one."""
        buffer = bytearray()
        while True:
            try:
                octets = self._peer.recv(READ_SIZE)
            except ConnectionResetError:
                # It ended with something unread (unix(7)).
                octets = b""
            except OSError as error:
                raise FrameError(f"read: {error.strerror or error}") from error
            if not octets:
                if buffer:
                    raise FrameError("closed within a frame")
                return
            buffer += octets
            yield from self._complete(buffer)

    def _complete(self, buffer: bytearray) -> Iterator[bytes]:
        """Take the complete frames out of the buffer."""
        position = 0
        while len(buffer) - position >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(buffer, position)
            if size > self._limit:
                raise FrameError(f"frame of {size} octets is over the limit")
            end = position + _LENGTH.size + size
            if len(buffer) < end:
                break
            yield bytes(buffer[position + _LENGTH.size : end])
            position = end
        del buffer[:position]

    def close(self) -> None:
        """Close the socket; a thread that reads it sees the end."""
        try:
            self._peer.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
        finally:
            self._peer.close()
