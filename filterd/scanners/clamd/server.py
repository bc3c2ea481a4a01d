"""One clamd: its address, and what it says of content and of itself.

The commands are the package's (`client.py`). An answer that is not of the known form is an error,
never a clean bill. Source: clamd(8), clamd's `scanner.c`.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from filterd.message.fields import Buffer
from filterd.scanners.answer import Signatures
from filterd.scanners.clamd.client import ClamdClient
from filterd.scanners.clamd.errors import (
    ClamdError,
    CommandRefusedError,
    GivenUpError,
    SilentError,
    StreamTooLargeError,
)
from filterd.scanners.clamd.package import clamd
from filterd.scanners.clamd.stats import ClamdStats

__all__ = [
    "ClamdError",
    "ClamdServer",
    "CommandRefusedError",
    "GivenUpError",
    "SilentError",
    "StreamTooLargeError",
    "signatures_of",
    "virus_name",
]

TCP_PORT = 3310
"""clamd's registered port."""

CHUNK_LIMIT = (1 << 32) - 1
"""Octets of one chunk: its length is an unsigned 32-bit number."""

PROBE_SECONDS = 0.3
"""How long clamd gets to refuse a length; it answers in well under a millisecond."""

IDLE_SECONDS = 1.0
"""How long a clamd with nothing to do may take for no content at all; it takes a millisecond."""

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


@dataclass(frozen=True, slots=True)
class ClamdServer:
    """The address of one clamd. port: 0 for a unix socket, then `host` is its path. tls: speak
    TLS, as stunnel or a proxy in front of clamd takes it. ca: a file of certificates to trust in
    place of the system's."""

    host: str
    port: int = 0
    tls: bool = False
    ca: str = ""

    def __hash__(self) -> int:
        # Asked for at every scan; few servers share a host.
        return hash(self.host)

    def __str__(self) -> str:
        if not self.port:
            return f"unix:{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.tls else 'tcp'}:{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """True for a unix socket."""
        return not self.port

    @staticmethod
    def parse(text: str, ca: str = "") -> ClamdServer:
        """`unix:/path`, `tcp:host[:port]` or `tls:host:port`, IPv6 in brackets. Raises
        ValueError."""
        kind, _, rest = text.partition(":")
        if kind in ("unix", "local") and rest.startswith("/"):
            return ClamdServer(rest)
        if kind in ("tcp", "tls"):
            host, colon, port = rest.rpartition(":")
            if kind == "tcp" and (not colon or rest.endswith("]")):
                host, port = rest, str(TCP_PORT)
            if host and port.isdecimal() and 0 < int(port) < 65536:
                return ClamdServer(host.strip("[]"), int(port), kind == "tls", ca)
        raise ValueError(
            f"{text!r} is not an address; expected unix:/path, tcp:host:port or tls:host:port"
        )

    def connect(self, patience: float) -> socket.socket:
        """A connection, TLS done; each step on it takes up to that many seconds. Raises OSError."""
        if not self.port:
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                peer.settimeout(patience)
                peer.connect(self.host)
            except BaseException:
                peer.close()
                raise
            return peer
        peer = socket.create_connection((self.host, self.port), patience)
        if not self.tls:
            return peer
        import ssl  # noqa: PLC0415  (large, and few need it)

        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            return context.wrap_socket(peer, server_hostname=self.host)
        except BaseException:
            peer.close()
            raise

    def scan(self, content: Buffer, patience: float) -> str:
        """The name that clamd gives the content, `""` if it finds nothing.

        patience: seconds that it may do nothing. Raises StreamTooLargeError, GivenUpError,
        SilentError or another ClamdError.
        """
        size = len(content)
        if size > CHUNK_LIMIT:
            raise StreamTooLargeError(f"{self}: {size} octets are more than the protocol can carry")
        with self._asked(patience) as client:
            answer = client.instream(content)
            if not answer and not self.takes(size, patience):
                raise StreamTooLargeError(
                    f"{self}: {size} octets are more than its StreamMaxLength"
                )
            if _GIVEN_UP.fullmatch(answer):
                raise GivenUpError(f"{self} answered {answer[:200]!r}")
            try:
                status, reason = client.found(answer)
            except clamd.ResponseError:
                status, reason = "ERROR", None
        if status == "ERROR":
            said = f"answered {answer[:200]!r}" if answer else "hung up without an answer"
            raise ClamdError(f"{self} {said}")
        return virus_name(reason or "")

    def takes(self, size: int, patience: float) -> bool:
        """True if clamd would take content of that many octets. Raises ClamdError."""
        with self._asked(patience) as client:
            return client.takes(min(size, CHUNK_LIMIT), PROBE_SECONDS)

    def connects(self, patience: float) -> None:
        """Connect, and hang up. Raises ClamdError if that is not possible."""
        with self._asked(patience):
            self.connect(patience).close()

    def is_idle(self, patience: float) -> bool:
        """True if it answers a question about nothing at once, or within `patience` seconds: it
        neither hangs nor reloads, and has a thread to spare."""
        try:
            return not self.scan(b"", min(patience, IDLE_SECONDS))
        except ClamdError:
            return False

    def ping(self, patience: float) -> None:
        """Return if it says that it is there. Raises ClamdError."""
        with self._asked(patience) as client:
            answer = client.ping()
        if answer != "PONG":
            raise ClamdError(f"{self} answered {answer[:200]!r} to PING")

    def version(self, patience: float) -> Signatures:
        """Which engine and database it scans with. Raises ClamdError, CommandRefusedError if it
        does not say."""
        with self._asked(patience) as client:
            answer = client.version()
        found = signatures_of(answer)
        if found is None:
            raise ClamdError(f"{self} answered {answer[:200]!r} to VERSION")
        return found

    def stats(self, patience: float) -> ClamdStats:
        """Its threads, queue and memory. Raises ClamdError, CommandRefusedError if it does not
        say."""
        with self._asked(patience) as client:
            answer = client.stats()
        found = ClamdStats.parse(answer)
        if found is None:
            raise ClamdError(f"{self} answered {answer[:200]!r} to STATS")
        return found

    def reload(self, patience: float) -> None:
        """Have it read its signatures again. Raises ClamdError, CommandRefusedError if it does
        not."""
        with self._asked(patience) as client:
            answer = client.reload()
        if answer != "RELOADING":
            raise ClamdError(f"{self} answered {answer[:200]!r} to RELOAD")

    @contextmanager
    def _asked(self, patience: float) -> Iterator[ClamdClient]:
        """A client; what goes wrong with it is a ClamdError that names the server."""
        try:
            yield ClamdClient(self, patience)
        except ClamdError:
            raise
        except clamd.ClamdError as error:
            raise ClamdError(f"{self} answered {str(error)[:200]!r}") from error
        except TimeoutError as error:
            raise SilentError(f"{self} was silent for {patience:.1f} s") from error
        except OSError as error:
            raise ClamdError(f"{self}: {error.strerror or error}") from error


def signatures_of(version: str) -> Signatures | None:
    """What `ClamAV 1.4.3/27450/Sat Nov 21 09:26:11 2026` says, None if it is not of that form."""
    match = _VERSION.match(version)
    if match is None:
        return None
    number = int(match["number"]) if match["number"] else None
    # Without a number it cannot be told whether the same signatures are loaded.
    tag = version if number is not None else ""
    return Signatures(f"ClamAV {match['engine']}", number, _date(match["date"] or ""), tag)


def virus_name(found: str) -> str:
    """The name as clamd's signatures have it, of what stands before FOUND; never empty for that."""
    return _EXTENDED.sub("", found) or found


def _date(text: str) -> datetime | None:
    """The database's date, as ctime(3) writes it; clamd gives it in its own time zone, and a few
    hours do not matter to an age in days."""
    try:
        return datetime.strptime(text.strip(), "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        return None
