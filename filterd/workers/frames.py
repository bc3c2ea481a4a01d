"""Frames of many conversations on one socket: a length, then so many octets, both ways at any time.

The daemon and a stage process speak so: questions of many sessions are under way together, and
answers come in any order. Lengths are judged before memory is taken.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Iterator
from struct import Struct

from filterd.workers.framing import FrameError

_LENGTH = Struct("!I")

_DESCRIPTORS_LIMIT = 16
"""Descriptors that come with one read."""

READ_SIZE = 64 << 10
"""Octets of a read."""


class Frames:
    """One end of a socket. limit: octets of a frame that is read. descriptors: those that came with
    frames, in their order, where `takes` says that they may."""

    def __init__(self, peer: socket.socket, limit: int, *, takes: bool = False) -> None:
        self._peer = peer
        self._limit = limit
        self._takes = takes
        self._writing = threading.Lock()
        self._buffer = bytearray()
        self.descriptors: deque[int] = deque()

    def send(self, frame: bytes, *descriptors: int) -> None:
        """Send a frame; several threads may do that at a time. Raises OSError."""
        octets = _LENGTH.pack(len(frame)) + frame
        with self._writing:
            if descriptors:
                sent = socket.send_fds(self._peer, [octets], descriptors)
                octets = octets[sent:]
            self._peer.sendall(octets)

    def received(self) -> Iterator[bytes]:
        """The frames, until the peer closes; one thread reads. Raises FrameError for what is none,
        and where the peer closes in the middle of one."""
        while (frame := self.receive()) is not None:
            yield frame

    def receive(self) -> bytes | None:
        """The next frame, None when the peer has closed. Raises FrameError as `received` does, and
        BlockingIOError where the socket has a limit of time and that is over."""
        while (frame := self._complete()) is None:
            try:
                octets = self._read()
            except BlockingIOError:
                raise
            except ConnectionResetError:
                # It ended with something unread (unix(7)).
                octets = b""
            except OSError as error:
                raise FrameError(f"read: {error.strerror or error}") from error
            if not octets:
                if self._buffer:
                    raise FrameError("closed within a frame")
                return None
            self._buffer += octets
        return frame

    def _read(self) -> bytes:
        if not self._takes:
            return self._peer.recv(READ_SIZE)
        octets, descriptors, _flags, _address = socket.recv_fds(
            self._peer, READ_SIZE, _DESCRIPTORS_LIMIT
        )
        self.descriptors.extend(descriptors)
        return octets

    def _complete(self) -> bytes | None:
        """Take a frame out of the buffer, if it is there completely."""
        buffer = self._buffer
        if len(buffer) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack_from(buffer)
        if size > self._limit:
            raise FrameError(f"frame of {size} octets is over the limit")
        end = _LENGTH.size + size
        if len(buffer) < end:
            return None
        frame = bytes(buffer[_LENGTH.size : end])
        del buffer[:end]
        return frame

    def shut(self) -> None:
        """End both directions: whoever reads it reads the end."""
        with contextlib.suppress(OSError):
            self._peer.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket; a thread that reads it sees the end."""
        self.shut()
        self._peer.close()
