"""One SMTP connection as a client: commands, replies, the data of a message.

Made of the standard library's smtplib, with replies that are read under a limit of octets and of
time. Callers make transactions of it; every octet of theirs goes out as it is.
Source: RFC 5321 §4.2 (replies), §4.5.2 (dots), §4.5.3.2 (times).
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

REPLY_LIMIT = 1 << 20
"""Octets of one reply that are read: a server that says more is broken."""

QUIT_LIMIT = 5.0
"""Seconds for the answer to QUIT; everything is settled by then."""

END_OF_DATA = b".\r\n"

_DOT = re.compile(rb"(^|\n)\.")
_REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)


class SmtpError(Exception):
    """The server cannot be reached, is silent, has gone, or does not speak SMTP; why."""


@dataclass(frozen=True, slots=True)
class ServerReply:
    """A reply: its code and the text of each line."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All lines as they came, joined by ` / `: `250-mx / 250 HELP`."""
        last = len(self.lines) - 1
        return " / ".join(
            f"{self.code}{'-' if number < last else ' '}{line}".rstrip()
            for number, line in enumerate(self.lines)
        )

    @property
    def words(self) -> str:
        """The text alone, in one line with single blanks."""
        return " ".join(" ".join(self.lines).split())


def stuffed(data: bytes) -> bytes:
    """A message as DATA sends it: dots at the beginning of a line doubled, the last line ended, and
    the end of data behind it.

    A dot behind a bare LF is doubled as well: a server that takes a bare LF for a line end must not
    see the end of the message there.
    """
    doubled = _DOT.sub(rb"\1..", data)
    end = b"" if not doubled or doubled.endswith(b"\r\n") else b"\r\n"
    return doubled + end + END_OF_DATA


class SmtpClient:
    """One connection. Methods raise SmtpError.

    host: name or address, or the path of a unix socket, which begins with `/`; port does not count
    then. lmtp: greet with LHLO (RFC 2033 §4.1). helo: our name; by default the host's.
    sources: address and port of this end, one of each address family at most. peer: an open
    connection, in the place of one to the host.
    connect_timeout: seconds until the server has greeted. reply_timeout: seconds for which it may
    neither read nor answer later.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        connect_timeout: float,
        reply_timeout: float,
        helo: str | None = None,
        lmtp: bool = False,
        sources: Sequence[tuple[str, int]] = (),
        peer: socket.socket | None = None,
    ) -> None:
        self._smtp = _Smtp(local_hostname=helo, timeout=connect_timeout)
        self._smtp.given = peer
        self._smtp.sources = sources
        if lmtp:
            self._smtp.ehlo_msg = "LHLO"
        self._smtp.reply_timeout = reply_timeout
        with self.within(connect_timeout), self._talking():
            self._smtp.connect(host, port)
        self.greeting = self._smtp.last
        """What the server said first, 220 where it takes mail."""

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Commands and replies within the block share so many seconds."""
        self._smtp.deadline = time.monotonic() + seconds
        try:
            yield
        finally:
            self._smtp.deadline = None

    @property
    def own_address(self) -> str:
        """The address of this end, "" for a connection without one."""
        name = self._smtp.sock.getsockname() if self._smtp.sock is not None else ""
        return str(name[0]) if isinstance(name, tuple) else ""

    def call_us(self, name: str) -> None:
        """The name with which the server is greeted."""
        self._smtp.local_hostname = name

    def ehlo(self) -> ServerReply:
        """Greet the server; its extensions are known then."""
        with self._talking():
            self._smtp.ehlo()
        return self._smtp.last

    def helo(self) -> ServerReply:
        """Greet a server without extensions."""
        return self.command(f"HELO {self._smtp.local_hostname}")

    def offers(self, extension: str) -> bool:
        """Whether the server named an extension: `DSN`."""
        return self._smtp.has_extn(extension)

    def argument(self, extension: str) -> str:
        """What the server said behind the name of an extension, "" for nothing."""
        return self._smtp.esmtp_features.get(extension.lower(), "").strip()

    def command(self, line: bytes | str) -> ServerReply:
        """Send one command and return the reply. Text is sent as the octets that it was read
        from."""
        octets = line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line
        self.send(octets + b"\r\n")
        return self.reply()

    def send(self, data: bytes) -> None:
        """Send octets as they are."""
        with self._talking():
            self._smtp.send(data)

    def reply(self) -> ServerReply:
        """The next reply."""
        with self._talking():
            self._smtp.getreply()
        return self._smtp.last

    def quit(self) -> None:
        """Send QUIT and close; raises nothing."""
        self._smtp.reply_timeout = min(self._smtp.reply_timeout, QUIT_LIMIT)
        with contextlib.suppress(SmtpError), self.within(QUIT_LIMIT):
            self.command(b"QUIT")
        self.close()

    def close(self) -> None:
        """Close the connection, also under a thread that waits for an answer."""
        if (peer := self._smtp.sock) is not None:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        self._smtp.close()

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            yield
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            # smtplib says of any trouble while sending that it is not connected.
            cause = error.__context__ if isinstance(error.__context__, OSError) else error
            words = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
            raise SmtpError(words) from None


class _Smtp(smtplib.SMTP):
    """Reads replies by itself: smtplib bounds neither their lines nor the time that they take."""

    ehlo_msg = "EHLO"

    def __init__(self, local_hostname: str | None, timeout: float) -> None:
        super().__init__(local_hostname=local_hostname, timeout=timeout)
        self.reply_timeout = timeout
        self.deadline: float | None = None
        self.last = ServerReply(0, ())
        self.given: socket.socket | None = None
        self.sources: Sequence[tuple[str, int]] = ()
        self._unread = bytearray()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        if self.given is not None:
            self.given.settimeout(timeout)
            return self.given
        if self.sources and not host.startswith("/"):
            return self._from_sources(host, port, timeout)
        if not host.startswith("/"):
            peer: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
            return peer
        peer = socket.socket(socket.AF_UNIX)
        try:
            peer.settimeout(timeout)
            peer.connect(host)
        except BaseException:
            peer.close()
            raise
        return peer

    def _from_sources(self, host: str, port: int, timeout: float) -> socket.socket:
        ours = {socket.AF_INET6 if ":" in one[0] else socket.AF_INET: one for one in self.sources}
        trouble = OSError(f"{host} has no address")
        for family, kind, protocol, _, place in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            peer = socket.socket(family, kind, protocol)
            try:
                peer.settimeout(timeout)
                if family in ours:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    peer.bind(ours[socket.AddressFamily(family)])
                peer.connect(place)
            except OSError as error:
                peer.close()
                trouble = error
            else:
                return peer
        raise trouble

    def send(self, s: bytes | str) -> None:  # type: ignore[override]
        if (peer := self.sock) is not None:
            peer.settimeout(self._patience())
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        lines: list[bytes] = []
        left = REPLY_LIMIT
        while True:
            line = self._line(left)
            left -= len(line)
            found = _REPLY_LINE.fullmatch(line.rstrip(b"\r\n"))
            if found is None:
                shown = line.decode("ascii", "replace").rstrip("\r\n")
                raise smtplib.SMTPServerDisconnected(f"not an SMTP reply: {shown[:200]!r}")
            lines.append(found[3] or b"")
            if found[2] != b"-":
                break
        code = int(found[1])
        self.last = ServerReply(code, tuple(one.decode("utf-8", "replace") for one in lines))
        return code, b"\n".join(lines)

    def _line(self, limit: int) -> bytes:
        end = self._unread.find(b"\n") + 1
        while not end and len(self._unread) <= limit:
            # Another thread may close the connection meanwhile.
            if (peer := self.sock) is None:
                raise smtplib.SMTPServerDisconnected("not connected")
            peer.settimeout(self._patience())
            more = peer.recv(1 << 16)
            if not more:
                raise smtplib.SMTPServerDisconnected("connection closed by the server")
            if b"\n" in more:
                end = len(self._unread) + more.index(b"\n") + 1
            self._unread += more
        if not 0 < end <= limit:
            raise smtplib.SMTPServerDisconnected(f"a reply of more than {REPLY_LIMIT} bytes")
        line = bytes(self._unread[:end])
        del self._unread[:end]
        return line

    def _patience(self) -> float:
        """Seconds that the next answer may take. Raises TimeoutError if none are left."""
        if self.deadline is None:
            return self.reply_timeout
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return min(left, self.reply_timeout)
