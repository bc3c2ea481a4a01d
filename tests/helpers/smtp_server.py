"""An SMTP server that says what a test wants, line by line."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

LIMIT = 30.0
"""Seconds within which something happens that is waited for."""

HELLO = [b"220 mx.test ESMTP\r\n", b"250-mx.test\r\n250-8BITMIME\r\n250 DSN\r\n"]
OK = b"250 ok\r\n"
TAKES_MAIL = [*HELLO, OK, OK, b"354 go on\r\n", b"250 2.0.0 Ok: queued as Q1\r\n", b"221 bye\r\n"]


class Heard:
    """What a server heard, and where it listens."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.data = b""
        self._changed = threading.Condition()

    def add(self, data: bytes) -> None:
        with self._changed:
            self.data += data
            self._changed.notify_all()

    def wait_for(self, end: bytes) -> None:
        """Wait until it has heard this last."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.data.endswith(end), LIMIT), self.data


@contextmanager
def server(replies: Sequence[bytes], flood: bytes | None = None, path: str = "") -> Iterator[Heard]:
    """A server that says one thing when a client comes, and one more after each line, or after the
    end of data. After the last of them it listens; with `flood` it says that for ever, and with an
    empty one it hangs up. path: of a unix socket on which it listens instead."""
    family, place = (socket.AF_UNIX, path) if path else (socket.AF_INET, ("127.0.0.1", 0))
    with socket.create_server(place, family=family) as listener:
        heard = Heard(0 if path else listener.getsockname()[1])
        thread = threading.Thread(
            target=_serve, args=(listener, heard, replies, flood), daemon=True
        )
        thread.start()
        try:
            yield heard
        finally:
            # Where nobody came it still waits.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
    thread.join(LIMIT)


def _serve(
    listener: socket.socket, heard: Heard, replies: Sequence[bytes], flood: bytes | None
) -> None:
    try:
        peer, _ = listener.accept()
    except OSError:
        return
    with peer, peer.makefile("rb") as lines, contextlib.suppress(OSError):
        for number, reply in enumerate(replies):
            if number:
                was_data = replies[number - 1].startswith(b"354")
                while line := lines.readline():
                    heard.add(line)
                    if not was_data or line == b".\r\n":
                        break
            peer.sendall(reply)
        while flood:
            peer.sendall(flood)
        if flood is None:
            heard.add(lines.read())
