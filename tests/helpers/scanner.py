"""A clamd that says what a test wants, on a unix socket or on the loopback."""

from __future__ import annotations

import itertools
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

Judge = Callable[[bytes], bytes]
"""Content → the line that the scanner answers, `b""` for hanging up without one."""


STATS = b"""\
POOLS: 1

STATE: VALID PRIMARY
THREADS: live 3  idle 1 max 12 idle-timeout 30
QUEUE: 4 items
\tINSTREAM 0.000067

MEMSTATS: heap 9.082M mmap 0.000M used 6.902M free 2.188M releasable 0.127M pools 1 pools_used \
1314.161M pools_total 1314.207M
END
"""
"""What clamd 1.4 says to STATS."""


def clean(_content: bytes) -> bytes:
    return b"stream: OK\n"


def finds(needle: bytes, name: str) -> Judge:
    """Answers like clamd with one signature."""

    def judge(content: bytes) -> bytes:
        return f"stream: {name} FOUND\n".encode() if needle in content else clean(content)

    return judge


@dataclass
class Scanner:
    """Serves INSTREAM, FILDES, IDSESSION and what is in `says` as clamd does until `close()`.

    path: of its unix socket, None for TCP. limit: StreamMaxLength. descriptors: False for one that
    may not use the descriptors it gets, None for one that hangs up on them. seen: contents, in
    order. sessions: the most that was asked for in one session. passed: contents that came as a
    descriptor. version, says: answers to commands; a command without one is refused as clamd 1.5
    does. tls: of the connections, a context with the certificate.
    """

    judge: Judge
    path: Path | None = None
    limit: int = 1 << 20
    descriptors: bool | None = True
    sessions: int = 0
    passed: int = 0
    version: bytes = b"ClamAV 1.4.3/27450/Sat Nov 21 09:26:11 2026\n"
    seen: list[bytes] = field(default_factory=list)
    says: dict[bytes, bytes] = field(
        default_factory=lambda: {b"PING": b"PONG\n", b"STATS": STATS, b"RELOAD": b"RELOADING\n"}
    )
    refuses_version: bool = False
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self._peers: list[socket.socket] = []
        if self.path is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
            port = self._listener.getsockname()[1]
            self.address = f"tls:localhost:{port}" if self.tls else f"tcp:127.0.0.1:{port}"
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(self.path))
            self._listener.listen()
            self.address = f"unix:{self.path}"
        self._serving = threading.Thread(target=self._serve, daemon=True)
        self._serving.start()

    def __enter__(self) -> Scanner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        # Its thread has to be out of accept() before the descriptor's number is somebody else's.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._serving.join()
        self._listener.close()
        for peer in self._peers:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self._peers.append(peer)
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer: socket.socket) -> None:
        if self.tls is not None:
            try:
                peer = self.tls.wrap_socket(peer, server_side=True)
            except OSError:
                return
        with peer:
            line = _Line(peer)
            try:
                command = line.until(b"\n")
                if command == b"nVERSION\n" and not self.refuses_version:
                    peer.sendall(self.version)
                elif command == b"nINSTREAM\n":
                    self._scan(peer, line, b"")
                elif command == b"nIDSESSION\n":
                    self._session(peer, line)
                elif command:
                    peer.sendall(self.says.get(command[1:-1], b"COMMAND UNAVAILABLE\n"))
            except OSError:
                pass

    def _session(self, peer: socket.socket, line: _Line) -> None:
        for number in itertools.count(1):
            command = line.until(b"\n")
            if not command:
                return
            self.sessions = max(self.sessions, number)
            prefix = f"{number}: ".encode()
            if command == b"nFILDES\n":
                line.read(1)
                with open(line.descriptors.pop(0), "rb") as file:  # noqa: PTH123  (a descriptor)
                    if self.descriptors is None:
                        return
                    if not self.descriptors:
                        peer.sendall(prefix + b"No file descriptor received. ERROR\n")
                        return
                    content = os.pread(file.fileno(), 1 << 20, 0)
                    self.passed += 1
                    more = self._answer(peer, content, prefix, b"fd[11]")
            elif command == b"nINSTREAM\n":
                more = self._scan(peer, line, prefix)
            else:
                return
            if not more:
                return

    def _scan(self, peer: socket.socket, line: _Line, prefix: bytes) -> bool:
        content, quota = b"", self.limit
        while length := line.read(4):
            (size,) = struct.unpack("!L", length)
            if size > quota:
                peer.sendall(prefix + b"INSTREAM size limit exceeded. ERROR\n")
                return False
            if size == 0:
                return self._answer(peer, content, prefix, b"stream")
            quota -= size
            content += line.read(size)
        return False

    def _answer(self, peer: socket.socket, content: bytes, prefix: bytes, what: bytes) -> bool:
        """Say what the judge says; False for hanging up."""
        self.seen.append(content)
        answer = self.judge(content)
        if answer.startswith(b"stream: "):
            answer = prefix + answer.replace(b"stream", what, 1)
        peer.sendall(answer)
        return bool(answer)


@dataclass
class _Line:
    """What a client sends, with the descriptors that come along."""

    peer: socket.socket
    descriptors: list[int] = field(default_factory=list)
    _buffer: bytes = b""

    def until(self, end: bytes) -> bytes:
        while end not in self._buffer and self._receive():
            pass
        place = self._buffer.find(end) + 1
        return self.read(place)

    def read(self, size: int) -> bytes:
        while len(self._buffer) < size and self._receive():
            pass
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def _receive(self) -> bool:
        if isinstance(self.peer, ssl.SSLSocket):
            data = self.peer.recv(1 << 16)
            self._buffer += data
            return bool(data)
        data, descriptors, _flags, _address = socket.recv_fds(self.peer, 1 << 16, 4)
        self.descriptors += descriptors
        self._buffer += data
        return bool(data)
