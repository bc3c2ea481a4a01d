"""ICAP on the wire: one connection, requests, responses, chunks. Source: RFC 3507, RFC 9112 §7.1.

Everything that the server says has a limit. What is not of the protocol's form is an error, and the
connection is not used again.
"""

from __future__ import annotations

import hashlib
import re
import select
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from filterd.message.fields import Buffer

HEADER_LIMIT = 64 << 10
"""Octets of a header section; a server's is below 1 KiB."""

BLOCK_SIZE = 64 << 10
"""Octets of a chunk that is sent."""

_STATUS = re.compile(rb"ICAP/1\.\d (?P<status>\d{3})(?: [^\r\n]*)?")
_HTTP_STATUS = re.compile(rb"HTTP/1\.\d (?P<status>\d{3})(?: [^\r\n]*)?")
_FIELD = re.compile(rb"(?P<name>[!#-'*+\-.0-9A-Z^-z|~]+):[ \t]*(?P<value>[^\r\n]*)")
_CHUNK = re.compile(rb"(?P<size>[0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_SECTION = re.compile(r"(?:req|res)-hdr|(?:req|res|opt)-body|null-body")


class IcapError(OSError):
    """The server broke the protocol, or the connection; the text says how."""


@dataclass(frozen=True, slots=True)
class Response:
    """status: of ICAP. fields: of its header, names in lower case, folded lines kept apart by LF.
    http: status of the encapsulated response, 0 without one. size, digest: octets and SHA-256 of
    the encapsulated body; -1 without one."""

    status: int
    fields: Mapping[str, str] = field(default_factory=dict)
    http: int = 0
    size: int = -1
    digest: bytes = b""


class Connection:
    """One connection, requests one after the other."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._buffer = bytearray()
        self.is_fresh = True
        """Nothing was asked on it yet."""

    def close(self) -> None:
        """Hang up."""
        self._peer.close()

    def patience(self, seconds: float) -> None:
        """Seconds that the server may do nothing from now on."""
        self._peer.settimeout(seconds)

    def is_quiet(self) -> bool:
        """True if the server has said nothing that nobody asked for, and did not hang up."""
        return not self._buffer and not self.has_answer()

    def has_answer(self) -> bool:
        """Whether octets have arrived."""
        if self._buffer:
            return True
        poll = select.poll()
        poll.register(self._peer, select.POLLIN)
        return bool(poll.poll(0))

    def send(self, *pieces: bytes) -> None:
        """All of it."""
        self._peer.sendall(b"".join(pieces))

    def send_chunks(self, content: Buffer, start: int, end: int, limit: int) -> None:
        """Octets start to end as chunks, without the last one. limit: octets that the server may
        say meanwhile, as one that keeps its client awake does."""
        for place in range(start, end, BLOCK_SIZE):
            block = content[place : min(place + BLOCK_SIZE, end)]
            self._push(b"".join((b"%x\r\n" % len(block), block, b"\r\n")), limit)

    def _push(self, octets: bytes, limit: int) -> None:
        """Send, and take what the server says meanwhile: both could wait for each other else."""
        if hasattr(self._peer, "pending"):
            self._peer.sendall(octets)
            return
        view = memoryview(octets)
        poll = select.poll()
        poll.register(self._peer, select.POLLIN | select.POLLOUT)
        seconds = self._peer.gettimeout()
        while view:
            ready = poll.poll(None if seconds is None else seconds * 1000)
            if not ready:
                raise TimeoutError("timed out")
            if ready[0][1] & select.POLLIN:
                self._receive()
                if len(self._buffer) > limit:
                    raise IcapError(f"said more than {limit} octets before it had all")
            if ready[0][1] & ~select.POLLIN:
                view = view[self._peer.send(view) :]

    def response(self, body_limit: int) -> Response:
        """The next response, read to its end. body_limit: octets of a body that it may have.
        Raises IcapError."""
        lines = self._header()
        match = _STATUS.fullmatch(lines[0])
        if match is None:
            raise IcapError(f"answered {lines[0][:100]!r}")
        fields = _fields(lines[1:])
        status = int(match["status"])
        http, size, digest = 0, -1, b""
        sections = [name.strip() for name in fields.get("encapsulated", "").split(",") if name]
        for section in sections:
            name, _, offset = section.partition("=")
            if not _SECTION.fullmatch(name) or not offset.isdecimal():
                raise IcapError(f"said Encapsulated: {fields['encapsulated'][:100]!r}")
            if name.endswith("-hdr"):
                first = self._header()[0]
                found = _HTTP_STATUS.fullmatch(first)
                http = int(found["status"]) if found is not None else http
            elif name != "null-body":
                size, digest = self._body(body_limit)
        return Response(status, fields, http, size, digest)

    def _header(self) -> list[bytes]:
        """The lines of a header section; the first is not empty."""
        lines: list[bytes] = []
        total = 0
        while True:
            line = self._line()
            total += len(line) + 2
            if total > HEADER_LIMIT:
                raise IcapError(f"sent a header of more than {HEADER_LIMIT} octets")
            if line:
                lines.append(line)
            elif lines:
                return lines
            else:
                raise IcapError("sent an empty header")

    def _body(self, limit: int) -> tuple[int, bytes]:
        size, digest = 0, hashlib.sha256()
        while True:
            line = self._line()
            match = _CHUNK.fullmatch(line)
            if match is None:
                raise IcapError(f"sent a chunk that begins with {line[:40]!r}")
            left = int(match["size"], 16)
            if not left:
                break
            size += left
            if size > limit:
                raise IcapError(f"sent a body of more than {limit} octets")
            while left:
                if not self._buffer:
                    self._receive()
                block = bytes(self._buffer[:left])
                del self._buffer[:left]
                digest.update(block)
                left -= len(block)
            if self._line():
                raise IcapError("sent a chunk that is longer than it said")
        # Trailers end with an empty line.
        for _ in range(100):
            if not self._line():
                return size, digest.digest()
        raise IcapError("sent trailers without end")

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > HEADER_LIMIT:
                raise IcapError(f"sent a line of more than {HEADER_LIMIT} octets")
            self._receive()
        end = self._buffer.index(b"\n")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _receive(self) -> None:
        block = self._peer.recv(BLOCK_SIZE)
        if not block:
            raise IcapError(
                "hung up in the middle" if self._buffer else "hung up without an answer"
            )
        self._buffer += block


def _fields(lines: list[bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    last = ""
    for line in lines:
        if line[:1] in (b" ", b"\t") and last:
            # X-Violations-Found has a line for each fact.
            found[last] += "\n" + line.strip().decode("utf-8", "replace")
            continue
        match = _FIELD.fullmatch(line)
        if match is None:
            raise IcapError(f"sent the header field {line[:100]!r}")
        last = match["name"].decode("ascii").lower()
        value = match["value"].strip().decode("utf-8", "replace")
        found[last] = f"{found[last]}, {value}" if last in found else value
    return found
