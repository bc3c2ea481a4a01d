"""An SMTP client that hides nothing: say a line, read the reply, as a person with telnet would.

`smtplib` corrects what it is given and raises where a test wants to look; here every octet goes out
as it is written and every reply comes back as a value.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

TIMEOUT = 60.0
"""Seconds that one reply may take; far more than any limit that a test sets for a server."""


class Closed(Exception):
    """The server closed the connection where a reply was due."""


@dataclass(frozen=True)
class Reply:
    """One reply. lines: the texts after the code, `text` all of them with blanks between."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.lines)

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


@dataclass
class Transcript:
    """The replies of one mail transaction, as far as it went; None where it was not asked."""

    mail: Reply | None = None
    rcpt: list[Reply] = field(default_factory=list)
    data: Reply | None = None
    dot: Reply | None = None

    @property
    def final(self) -> Reply:
        """The reply that decided: the last one there was."""
        for reply in (self.dot, self.data, *reversed(self.rcpt), self.mail):
            if reply is not None:
                return reply
        raise Closed("not even MAIL was answered")


class Conversation:
    """One connection to 127.0.0.1; the greeting has been read when it is made."""

    def __init__(self, port: int, helo: str = "client.example", source: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection(
            ("127.0.0.1", port), TIMEOUT, source_address=(source, 0)
        )
        self._file = self._socket.makefile("rb")
        self._helo = helo
        self.greeting = self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.vanish()

    def read(self) -> Reply:
        """The next reply. Raises Closed."""
        lines: list[str] = []
        while True:
            try:
                line = self._file.readline()
            except ConnectionError as error:
                raise Closed(str(error)) from error
            if not line:
                raise Closed(f"after {lines}")
            lines.append(line[4:].rstrip(b"\r\n").decode("latin-1"))
            if line[3:4] != b"-":
                return Reply(int(line[:3]), tuple(lines))

    def send(self, octets: bytes) -> None:
        """Send octets as they are, wait for nothing."""
        self._socket.sendall(octets)

    def say(self, line: str) -> Reply:
        """Send one line, read its reply."""
        self.send(line.encode("latin-1") + b"\r\n")
        return self.read()

    def ehlo(self) -> Reply:
        return self.say(f"EHLO {self._helo}")

    def starttls(self, context: ssl.SSLContext) -> None:
        """Begin TLS (RFC 3207); the client has to say EHLO again."""
        assert self.say("STARTTLS").code == 220
        self._file.close()
        self._socket = context.wrap_socket(self._socket, server_hostname="localhost")
        self._file = self._socket.makefile("rb")

    def transaction(
        self,
        data: bytes,
        *recipients: str,
        sender: str = "ann@client.example",
        parameters: str = "",
    ) -> Transcript:
        """MAIL, RCPT for each, DATA, the message, dot; stops where the server does not go along."""
        seen = Transcript()
        seen.mail = self.say(f"MAIL FROM:<{sender}>{parameters}")
        if seen.mail.code != 250:
            return seen
        for recipient in recipients or ("joe@mx.example.test",):
            seen.rcpt.append(self.say(f"RCPT TO:<{recipient}>"))
        if all(reply.code != 250 for reply in seen.rcpt):
            return seen
        seen.data = self.say("DATA")
        if seen.data.code != 354:
            return seen
        self.send(stuffed(data))
        seen.dot = self.read()
        return seen

    def quit(self) -> None:
        """QUIT and close."""
        self.say("QUIT")
        self.vanish()

    def vanish(self) -> None:
        """Close without a word."""
        self._file.close()
        self._socket.close()


def stuffed(data: bytes) -> bytes:
    """The message as it is sent after DATA: dots doubled at line starts, the final dot after it."""
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    lines = data.split(b"\r\n")[:-1]
    return (
        b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
        + b".\r\n"
    )


def send(port: int, data: bytes, recipients: Sequence[str] = (), **options: str) -> Transcript:
    """One connection, one message, QUIT."""
    with Conversation(port) as client:
        client.ehlo()
        seen = client.transaction(data, *recipients, **options)
        client.say("QUIT")
    return seen
