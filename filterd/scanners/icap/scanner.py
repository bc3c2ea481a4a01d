"""A virus scanner behind ICAP: the content as the body of an HTTP response (RESPMOD) or request.

204 is a clean bill, and so is 200 with the same content. A name comes in X-Infection-Found,
X-Virus-ID or X-Violations-Found; a content that is replaced by an error page is infected,
whatever the header says. ISTag changes with the server's signatures. Source: RFC 3507;
draft-stecher-icap-subid-00.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from filterd import __version__
from filterd.message.fields import Buffer
from filterd.scanners.answer import (
    CLEAN,
    Answer,
    GivenUp,
    Infected,
    ScannerError,
    Signatures,
    Unavailable,
    shortened,
)
from filterd.scanners.icap.wire import Connection, IcapError, Response

PORT = 1344
"""ICAP's registered port."""

TLS_PORT = 11344
"""The usual port of ICAP over TLS."""

EXTRA = 1 << 20
"""Octets by which an answer's body may be longer than the content: an error page."""

IDLE_LIMIT = 4
"""Connections that are kept for the next content."""

Method = Literal["respmod", "reqmod"]

_ADDRESS = re.compile(
    r"(?P<kind>icaps?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?"
    r"/(?P<service>[!-~]{1,200})"
)
_THREAT = re.compile(r"(?i)(?:^|;)\s*threat\s*=\s*([^;]+)")
_TYPE = re.compile(r"(?i)(?:^|;)\s*type\s*=\s*(\d)")
_NO_NAMES = ("", "none", "clean", "no threats", "no", "0")


@dataclass(frozen=True, slots=True)
class IcapServer:
    """The address of one service. tls: ICAP over TLS. ca: a file of certificates to trust."""

    host: str
    port: int
    service: str
    tls: bool = False
    ca: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'icaps' if self.tls else 'icap'}://{host}:{self.port}/{self.service}"

    @staticmethod
    def parse(text: str, ca: str = "") -> IcapServer:
        """`icap://host[:port]/service` or `icaps://...`, IPv6 in brackets. Raises ValueError."""
        match = _ADDRESS.fullmatch(text)
        if match is None or not 0 < int(match["port"] or PORT) < 65536:
            raise ValueError(f"{text!r} is not an address; expected icap://host:1344/service")
        tls = match["kind"] == "icaps"
        port = int(match["port"] or (TLS_PORT if tls else PORT))
        return IcapServer(match["host"].strip("[]"), port, match["service"], tls, ca)

    def connect(self, patience: float) -> Connection:
        """A connection, TLS done. Raises OSError."""
        peer = socket.create_connection((self.host, self.port), patience)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.tls:
            return Connection(peer)
        import ssl  # noqa: PLC0415  (large, and few need it)

        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            # Without the tickets of TLS 1.3, octets that arrive unasked are an answer.
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            return Connection(context.wrap_socket(peer, server_hostname=self.host))
        except BaseException:
            peer.close()
            raise


class IcapScanner:
    """One service on one host."""

    def __init__(
        self,
        server: IcapServer,
        silence: float,
        *,
        method: Method = "respmod",
        preview: bool = False,
        size_limit: int = 1 << 30,
    ) -> None:
        """silence: seconds that the server may do nothing. preview: send the first octets alone, as
        many as the server asks for; it may then call the content clean without the rest."""
        self.server = server
        self.size_limit = size_limit
        self._silence = silence
        self._method = method
        self._preview = preview
        self._previewed = -1
        self._idle: list[Connection] = []
        self._process = os.getpid()
        self._mutex = threading.Lock()

    @property
    def name(self) -> str:
        """Its address."""
        return str(self.server)

    def scan(self, content: Buffer, deadline: float) -> Answer:
        """The answer. A server that is silent about this content and answers OPTIONS gave up."""
        if len(content) > self.size_limit:
            return GivenUp(f"{len(content)} octets are more than size_limit", "size")
        patience = min(self._silence, deadline - time.monotonic())
        if patience <= 0:
            return Unavailable(f"no time was left for {self.server}")
        try:
            response = self._exchanged(lambda peer: self._ask(peer, content), patience)
        except TimeoutError:
            why = f"{self.server} was silent for {patience:.1f} s"
            if self._answers():
                return GivenUp(f"{why} over this message, and answers others", "time")
            return Unavailable(why)
        except OSError as error:
            return Unavailable(f"{self.server}: {_reason(error)}")
        return self._answer(response, content)

    def signatures(self, deadline: float) -> Signatures:
        """What OPTIONS says. Raises ScannerError."""
        patience = max(min(self._silence, deadline - time.monotonic()), 0.01)
        try:
            response = self._exchanged(self._options, patience)
        except OSError as error:
            raise ScannerError(f"{self.server}: {_reason(error)}") from error
        if response.status != 200:
            raise ScannerError(f"{self.server} answered {response.status} to OPTIONS")
        fields = response.fields
        engine = shortened(fields.get("server") or fields.get("service") or "ICAP")
        return Signatures(engine, tag=fields.get("istag", ""))

    def _answers(self) -> bool:
        try:
            return self.signatures(time.monotonic() + 1.0).engine != ""
        except ScannerError:
            return False

    # The exchange.

    def _exchanged(self, ask, patience: float) -> Response:  # type: ignore[no-untyped-def]
        """The response to what `ask` sends. A kept connection may have ended meanwhile: then one
        more is tried. Raises OSError."""
        while True:
            peer = self._taken(patience)
            was_used = not peer.is_fresh
            peer.is_fresh = False
            try:
                peer.patience(patience)
                response: Response = ask(peer)
            except TimeoutError:
                peer.close()
                raise
            except OSError:
                peer.close()
                if was_used:
                    continue
                raise
            except BaseException:
                peer.close()
                raise
            self._kept(peer, response)
            return response

    def _taken(self, patience: float) -> Connection:
        with self._mutex:
            if self._process != os.getpid():
                # Opened before a fork, so they are somebody else's.
                self._idle, self._process = [], os.getpid()
            while self._idle:
                peer = self._idle.pop()
                # Whatever it says unasked would be taken for the answer about the next content.
                if peer.is_quiet():
                    return peer
                peer.close()
        return self.server.connect(patience)

    def _kept(self, peer: Connection, response: Response) -> None:
        closing = "close" in response.fields.get("connection", "").lower()
        with self._mutex:
            if peer.is_fresh or closing or not peer.is_quiet() or len(self._idle) >= IDLE_LIMIT:
                peer.close()
            else:
                self._idle.append(peer)

    def _options(self, peer: Connection) -> Response:
        peer.send(self._head("OPTIONS", {"Encapsulated": "null-body=0"}))
        return peer.response(EXTRA)

    def _ask(self, peer: Connection, content: Buffer) -> Response:
        if self._preview and self._previewed < 0:
            told = self._options(peer).fields.get("preview", "")
            self._previewed = min(int(told), 1 << 20) if told.isdecimal() else 0
        size = len(content)
        request = b"POST /message HTTP/1.1\r\nHost: filterd.invalid\r\n"
        reply = b"HTTP/1.1 200 OK\r\n"
        entity = b"Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % size
        if self._method == "reqmod":
            encapsulated = request + entity
            where = f"req-hdr=0, req-body={len(encapsulated)}"
        else:
            request = b"GET /message HTTP/1.1\r\nHost: filterd.invalid\r\n\r\n"
            encapsulated = request + reply + entity
            where = f"req-hdr=0, res-hdr={len(request)}, res-body={len(encapsulated)}"
        fields = {"Allow": "204", "Encapsulated": where}
        limit = size + EXTRA
        if not self._preview:
            peer.send(self._head(self._method.upper(), fields), encapsulated)
            return self._rest(peer, content, 0, limit)
        shown = min(self._previewed, size)
        fields["Preview"] = str(shown)
        peer.send(self._head(self._method.upper(), fields), encapsulated)
        peer.send_chunks(content, 0, shown, limit)
        if shown == size:
            peer.send(b"0; ieof\r\n\r\n")
            return peer.response(limit)
        peer.send(b"0\r\n\r\n")
        response = peer.response(limit)
        return self._rest(peer, content, shown, limit) if response.status == 100 else response

    @staticmethod
    def _rest(peer: Connection, content: Buffer, start: int, limit: int) -> Response:
        """Send what is left and read the response."""
        whole = False
        try:
            peer.send_chunks(content, start, len(content), limit)
            peer.send(b"0\r\n\r\n")
            whole = True
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has said why before it hung up, or it died
        except TimeoutError:
            if not peer.has_answer():
                raise
        response = peer.response(limit)
        if not whole:
            peer.is_fresh = True  # in the middle of a request: not to be kept
        return response

    def _head(self, method: str, fields: Mapping[str, str]) -> bytes:
        lines = [f"{method} {self.server} ICAP/1.0", f"Host: {self.server.host}"]
        lines.append(f"User-Agent: filterd/{__version__}")
        lines += [f"{name}: {value}" for name, value in fields.items()]
        return "\r\n".join([*lines, "", ""]).encode("ascii")

    # What a response means.

    def _answer(self, response: Response, content: Buffer) -> Answer:
        name, kind = _name(response.fields)
        if kind == "2":
            return GivenUp(f"{self.server}: {shortened(name)}")
        if name:
            return Infected.named(name)
        if response.status == 204:
            return CLEAN
        if response.status == 413:
            return GivenUp(f"{self.server} does not take {len(content)} octets", "size")
        if response.status not in (200, 201):
            return Unavailable(f"{self.server} answered {response.status}")
        if response.http >= 400:
            return Infected.named(f"refused with HTTP status {response.http}")
        is_same = response.size == len(content)
        if is_same and hashlib.sha256(content).digest() == response.digest:
            return CLEAN
        return GivenUp(f"{self.server} answered with other content and says no name")


def _name(fields: Mapping[str, str]) -> tuple[str, str]:
    """What was found, and the type of it (0 virus, 1 policy, 2 container), both may be empty."""
    found = fields.get("x-infection-found", "")
    if found:
        threat, kind = _THREAT.search(found), _TYPE.search(found)
        return threat[1] if threat else found, kind[1] if kind else ""
    for name in ("x-virus-id", "x-virus-name"):
        value = fields.get(name, "")
        if value.strip().lower() not in _NO_NAMES:
            return value, ""
    # The number of violations, then file, threat, number of the problem and of what was done.
    lines = [line.strip() for line in fields.get("x-violations-found", "").split("\n")]
    if lines[0] not in ("", "0"):
        return lines[2] if len(lines) > 2 and lines[2] else "violation", ""
    return "", ""


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "silent"
    return str(error) if isinstance(error, IcapError) else error.strerror or str(error)
