"""A small spamd of our own: SPAMC with one rule, GTUBE, and a record of what was asked.

SpamAssassin itself wants its rules fetched from the network; what is tested here is the milter in
front of it. Source: SpamAssassin's `spamd/PROTOCOL`.
"""

from __future__ import annotations

import socketserver
import threading
from types import TracebackType

from filterd.lab.samples import GTUBE

HEADER_LIMIT = 100
"""Header lines of a request; spamc sends about four."""

SPAM, HAM, REQUIRED = 1000.0, 0.1, 5.0
"""Scores, and the one from which a message counts as spam."""


class _Request(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        command = self.rfile.readline().split()[0].decode("ascii")
        length = -1
        for _ in range(HEADER_LIMIT):
            name, _, value = self.rfile.readline().strip().partition(b":")
            if not name:
                break
            if name.lower() == b"content-length":
                length = int(value)
        if command == "PING":
            self.wfile.write(b"SPAMD/1.5 0 PONG\r\n")
            return
        message = self.rfile.read(length)
        self.server.seen.append(message)
        self.wfile.write(_answer(command, message))


def _answer(command: str, message: bytes) -> bytes:
    """The reply to CHECK (no message), HEADERS (its header section) or PROCESS (all of it)."""
    spam = GTUBE.encode() in message
    score = SPAM if spam else HAM
    lines = [
        f"X-Spam-Status: {'Yes' if spam else 'No'}, score={score} required={REQUIRED}",
        "X-Spam-Checker-Version: spamd of the tests",
    ]
    if spam:
        lines.insert(0, "X-Spam-Flag: YES")
    end = b"\r\n" if b"\r\n" in message else b"\n"
    marked = end.join(line.encode() for line in lines) + end + message
    if command == "HEADERS":
        marked = marked.partition(end + end)[0] + end + end
    elif command == "CHECK":
        marked = b""
    head = f"SPAMD/1.1 0 EX_OK\r\nContent-length: {len(marked)}\r\nSpam: {spam} ; {score} / "
    return head.encode() + f"{REQUIRED}\r\n\r\n".encode() + marked


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.seen: list[bytes] = []


class Spamd:
    """It runs between `with`. port: where it listens; seen: the messages that were sent to it."""

    def __init__(self) -> None:
        self._server = _Server()
        self.port: int = self._server.server_address[1]
        self.seen = self._server.seen

    def __enter__(self) -> Spamd:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
