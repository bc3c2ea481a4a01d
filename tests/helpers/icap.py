"""An ICAP server that says what a test wants."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

Judge = Callable[[bytes], bytes]
"""Content → the whole response, `b""` for hanging up without one."""

CLEAN = b'ICAP/1.0 204 No Content\r\nISTag: "1"\r\n\r\n'
NONE = (
    b'ICAP/1.0 200 OK\r\nISTag: "1"\r\nPreview: 4\r\nAllow: 204\r\n'
    b"Encapsulated: null-body=0\r\n\r\n"
)


def refused(*lines: str) -> bytes:
    """A response that replaces the content by a page."""
    http = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n\r\n"
    head = "\r\n".join(
        ("ICAP/1.0 200 OK", *lines, f"Encapsulated: res-hdr=0, res-body={len(http)}")
    )
    return head.encode("utf-8", "surrogateescape") + b"\r\n\r\n" + http + b"4\r\npage\r\n0\r\n\r\n"


def same(content: bytes) -> bytes:
    """A response that gives the content back."""
    http = b"HTTP/1.1 200 OK\r\n\r\n"
    head = f"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body={len(http)}\r\n\r\n".encode()
    return head + http + b"%x\r\n" % len(content) + content + b"\r\n0\r\n\r\n"


def finds(needle: bytes, *lines: str) -> Judge:
    """Answers like a server with one signature."""
    return lambda content: refused(*lines) if needle in content else CLEAN


@dataclass
class IcapStub:
    """Serves until `close()`. seen: contents, in order. connections: how many were accepted.
    by_preview: the answer to a content's first octets, None for `100 Continue`. options: the answer
    to OPTIONS. tls: of the connections, a context with the certificate."""

    judge: Judge
    options: bytes = NONE
    by_preview: bytes | None = None
    seen: list[bytes] = field(default_factory=list)
    connections: int = 0
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.address = f"{'icaps' if self.tls else 'icap'}://127.0.0.1:{port}/scan"
        self._peers: list[socket.socket] = []
        self._serving = threading.Thread(target=self._serve, daemon=True)
        self._serving.start()

    def __enter__(self) -> IcapStub:
        return self

    def __exit__(self, *_: object) -> None:
        # Its thread has to be out of accept() before the descriptor's number is somebody else's.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._serving.join()
        self._listener.close()
        for peer in self._peers:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._peers.append(peer)
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer: socket.socket) -> None:
        if self.tls is not None:
            try:
                peer = self.tls.wrap_socket(peer, server_side=True)
            except OSError:
                return
        with peer, peer.makefile("rb") as file, suppress(OSError, ValueError):
            while line := file.readline():
                header = _header(file)
                if line.startswith(b"OPTIONS"):
                    answer = self.options
                else:
                    answer = self._judged(peer, file, header)
                peer.sendall(answer)
                if not answer:
                    return

    def _judged(self, peer: socket.socket, file, header: dict[str, str]) -> bytes:  # type: ignore[no-untyped-def]
        for _ in re.findall(r"-hdr=", header["encapsulated"]):
            _header(file)
        content, is_all = _chunks(file)
        if "preview" in header and not is_all:
            if self.by_preview is not None:
                self.seen.append(content)
                return self.by_preview
            peer.sendall(b"ICAP/1.0 100 Continue\r\n\r\n")
            content += _chunks(file)[0]
        self.seen.append(content)
        return self.judge(content)


def _header(file) -> dict[str, str]:  # type: ignore[no-untyped-def]
    found = {}
    while line := file.readline().strip():
        name, _, value = line.decode().partition(":")
        found[name.lower()] = value.strip()
    return found


def _chunks(file) -> tuple[bytes, bool]:  # type: ignore[no-untyped-def]
    """The content, and whether its end was marked as that of the whole."""
    content = b""
    while True:
        size, _, extension = file.readline().strip().partition(b";")
        if not int(size, 16):
            file.readline()
            return content, b"ieof" in extension
        content += file.read(int(size, 16))
        file.readline()
