"""clamd's protocol, as far as a mail filter needs it: INSTREAM and VERSION over unix or TCP.

A message is sent as one chunk straight from its memory, in blocks. clamd compares the length that a
chunk announces with its `StreamMaxLength` before it reads the chunk, so that a message that it will
not take is refused at once, and its limit can be asked for without sending anything. An answer that
is not of the known form is an error, never a clean bill. Source: clamd(8), clamd's `scanner.c`.
"""

from __future__ import annotations

import re
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from filterd.message.fields import Buffer

TCP_PORT = 3310
"""clamd's registered port."""

BLOCK_SIZE = 256 << 10
"""Octets handed to the socket at a time; between blocks an early answer is looked for."""

ANSWER_LIMIT = 4096
"""Octets of an answer; names of viruses are a few dozen long."""

CHUNK_LIMIT = (1 << 32) - 1
"""Octets of one chunk: its length is an unsigned 32-bit number."""

PROBE_SECONDS = 0.3
"""How long clamd gets to refuse a length; it answers in well under a millisecond."""

IDLE_SECONDS = 1.0
"""How long a clamd with nothing to do may take for no content at all; it takes a millisecond."""

_LENGTH = struct.Struct("!L")
_ANSWER = re.compile(r"stream: (?:(?P<name>\S.*) FOUND|OK)")
# What cl_strerror(3) says of content that it gave up on, in 0.103 to 1.4; all else that ends in
# ERROR is trouble of clamd's own.
_GIVEN_UP = re.compile(
    r"(?i)(?>.*?(?:limit reached|Exceeded (?:time limit|max )"
    r"|CL_E(?:MAX|TIMEOUT|FORMAT|PARSE|UNPACK)"
    r"|Bad format or broken data|Can't (?:parse|unpack some) data)).* ERROR"
)
# With ExtendedDetectionInfo the name is followed by the content's hash and size.
_EXTENDED = re.compile(r"\([0-9a-f]{32,64}:\d+\)$")
_VERSION = re.compile(r"ClamAV (?P<engine>[^/\s]+)(?:/(?P<number>\d+)/(?P<date>[^/]+))?")


class ClamdError(OSError):
    """This clamd gave no verdict; the text says what it did instead."""


class StreamTooLargeError(ClamdError):
    """clamd refuses content of this size (its `StreamMaxLength`)."""


class SilentError(ClamdError):
    """clamd did nothing for as long as anybody waits."""


class GivenUpError(ClamdError):
    """clamd works, and gave up on this content: it takes too long, or more than its limits."""


@dataclass(frozen=True, slots=True)
class Signatures:
    """What a clamd scans with. engine: `1.4.3`. number: of the daily database, None where only
    signatures of another origin are loaded. built: when that database was made, UTC."""

    engine: str
    number: int | None = None
    built: datetime | None = None

    def __str__(self) -> str:
        return f"ClamAV {self.engine}" + (f"/{self.number}" if self.number is not None else "")


@dataclass(frozen=True, slots=True)
class ClamdServer:
    """The address of one clamd. port: None for a unix socket, then `host` is its path."""

    host: str
    port: int | None = None

    def __str__(self) -> str:
        return f"unix:{self.host}" if self.port is None else f"tcp:{self.host}:{self.port}"

    @staticmethod
    def parse(text: str) -> ClamdServer:
        """`unix:/path` or `tcp:host[:port]`, IPv6 in brackets. Raises ValueError."""
        kind, _, rest = text.partition(":")
        if kind in ("unix", "local") and rest.startswith("/"):
            return ClamdServer(rest)
        if kind == "tcp":
            host, colon, port = rest.rpartition(":")
            if not colon or rest.endswith("]"):
                host, port = rest, str(TCP_PORT)
            if host and port.isdecimal() and 0 < int(port) < 65536:
                return ClamdServer(host.strip("[]"), int(port))
        raise ValueError(f"{text!r} is not an address; expected unix:/path or tcp:host:port")

    def scan(self, content: Buffer, patience: float) -> str:
        """The name that clamd gives the content, `""` if it finds nothing.

        patience: seconds that it may do nothing. Raises TooLargeError, GivenUpError, SilentError or
        another ClamdError.
        """
        size = len(content)
        if size > CHUNK_LIMIT:
            raise StreamTooLargeError(f"{self}: {size} octets are more than the protocol can carry")
        with self._connected(patience) as peer:
            peer.sendall(b"nINSTREAM\n")
            try:
                if size:
                    peer.sendall(_LENGTH.pack(size))
                for start in range(0, size, BLOCK_SIZE):
                    if _has_answer(peer):
                        break
                    peer.sendall(content[start : start + BLOCK_SIZE])
                else:
                    peer.sendall(_LENGTH.pack(0))
            except (BrokenPipeError, ConnectionResetError):
                # It has said why before it hung up, or it takes no such size, or it died.
                pass
            try:
                answer = _line(peer)
            except ConnectionResetError:
                answer = ""
        if "size limit exceeded" in answer or (not answer and not self.takes(size, patience)):
            raise StreamTooLargeError(f"{self}: {size} octets are more than its StreamMaxLength")
        if _GIVEN_UP.fullmatch(answer):
            raise GivenUpError(f"{self} answered {answer[:200]!r}")
        match = _ANSWER.fullmatch(answer)
        if match is None:
            said = f"answered {answer[:200]!r}" if answer else "hung up without an answer"
            raise ClamdError(f"{self} {said}")
        return virus_name(match["name"] or "")

    def takes(self, size: int, patience: float) -> bool:
        """True if clamd would take content of that many octets. Raises ClamdError."""
        with self._connected(patience) as peer:
            peer.sendall(b"nINSTREAM\n" + _LENGTH.pack(min(size, CHUNK_LIMIT)))
            return not _has_answer(peer, PROBE_SECONDS) or "size limit" not in _line(peer)

    def connects(self, patience: float) -> None:
        """Connect, and hang up. Raises ClamdError if that is not possible."""
        with self._connected(patience):
            pass

    def is_idle(self, patience: float) -> bool:
        """True if it answers a question about nothing at once, or within `patience` seconds: it
        neither hangs nor reloads, and has a thread to spare."""
        try:
            return not self.scan(b"", min(patience, IDLE_SECONDS))
        except ClamdError:
            return False

    def version(self, patience: float) -> Signatures:
        """Which engine and database it scans with. Raises ClamdError."""
        with self._connected(patience) as peer:
            peer.sendall(b"nVERSION\n")
            answer = _line(peer)
        match = _VERSION.match(answer)
        if match is None:
            raise ClamdError(f"{self} answered {answer[:200]!r} to VERSION")
        number = int(match["number"]) if match["number"] else None
        return Signatures(match["engine"], number, _date(match["date"] or ""))

    @contextmanager
    def _connected(self, patience: float) -> Iterator[socket.socket]:
        """A connection; what goes wrong on it is a ClamdError that names the server."""
        try:
            if self.port is None:
                peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                peer.settimeout(patience)
                with peer:
                    peer.connect(self.host)
                    yield peer
            else:
                with socket.create_connection((self.host, self.port), patience) as peer:
                    yield peer
        except ClamdError:
            raise
        except TimeoutError as error:
            raise SilentError(f"{self} was silent for {patience:.1f} s") from error
        except OSError as error:
            raise ClamdError(f"{self}: {error.strerror or error}") from error


def virus_name(found: str) -> str:
    """The name as clamd's signatures have it, of what stands before FOUND."""
    return _EXTENDED.sub("", found)


def _has_answer(peer: socket.socket, seconds: float = 0.0) -> bool:
    # poll, for select cannot take descriptors above 1023.
    poll = select.poll()
    poll.register(peer, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _line(peer: socket.socket) -> str:
    """The first line that clamd says, or what it says before it hangs up."""
    said = b""
    while b"\n" not in said and b"\0" not in said and len(said) < ANSWER_LIMIT:
        block = peer.recv(ANSWER_LIMIT)
        if not block:
            break
        said += block
    return re.split(rb"[\n\0]", said, maxsplit=1)[0].decode("utf-8", "replace").strip()


def _date(text: str) -> datetime | None:
    """The database's date, as ctime(3) writes it; clamd gives it in its own time zone, and a few
    hours do not matter to an age in days."""
    try:
        return datetime.strptime(text.strip(), "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        return None
