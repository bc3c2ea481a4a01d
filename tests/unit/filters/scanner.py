"""A clamd that says what a test wants, on a unix socket or on the loopback."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Judge = Callable[[bytes], bytes]
"""Content → the line that the scanner answers, `b""` for hanging up without one."""


def clean(_content: bytes) -> bytes:
    return b"stream: OK\n"


def finds(needle: bytes, name: str) -> Judge:
    """Answers like clamd with one signature."""

    def judge(content: bytes) -> bytes:
        return f"stream: {name} FOUND\n".encode() if needle in content else clean(content)

    return judge


@dataclass
class Scanner:
    """Serves INSTREAM and VERSION as clamd does until `close()`.

    path: of its unix socket, None for TCP. limit: StreamMaxLength. seen: contents, in order.
    """

    judge: Judge
    path: Path | None = None
    limit: int = 1 << 20
    version: bytes = b"ClamAV 1.4.3/27450/Sat Nov 21 09:26:11 2026\n"
    seen: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.path is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.address = f"tcp:127.0.0.1:{self._listener.getsockname()[1]}"
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(self.path))
            self._listener.listen()
            self.address = f"unix:{self.path}"
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Scanner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer: socket.socket) -> None:
        with peer, peer.makefile("rb") as stream:
            try:
                command = stream.readline()
                if command == b"nVERSION\n":
                    peer.sendall(self.version)
                elif command == b"nINSTREAM\n":
                    self._scan(peer, stream)
            except OSError:
                pass

    def _scan(self, peer: socket.socket, stream: object) -> None:
        read = stream.read  # type: ignore[attr-defined]
        content, quota = b"", self.limit
        while length := read(4):
            (size,) = struct.unpack("!L", length)
            if size > quota:
                peer.sendall(b"INSTREAM size limit exceeded. ERROR\n")
                return
            if size == 0:
                self.seen.append(content)
                peer.sendall(self.judge(content))
                return
            quota -= size
            content += read(size)
