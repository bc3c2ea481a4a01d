"""A body as it is signed: canonical, and hashed in one pass for all who want it.

Source: RFC 6376 §3.4.3, §3.4.4, §3.5 (l=). Blocks are taken from the message one after another, so
that a spooled one is never in memory as a whole; each octet is looked at a fixed number of times.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from filterd.auth.dkim.header import Canonicalization, with_line_ends
from filterd.message import Message
from filterd.message.fields import Buffer

BLOCK = 1 << 18
"""Octets that are made canonical at a time."""

_RUN_OF_BLANKS = re.compile(rb"  ++")
_LINE_END = b"\r\n"
_LINE_ENDS = _LINE_END * 4096


@dataclass(frozen=True, slots=True)
class BodyHash:
    """Hash of a canonical body, or of its first octets.

    octets: of the whole canonical body.
    """

    digest: bytes
    octets: int


class CanonicalBody:
    """The body of one message, from the octet `start` on.

    Say with `want` what will be needed, then `hashed` makes all of it in one pass. algorithm: of
    all its hashes, as hashlib names it.
    """

    def __init__(self, data: Buffer, start: int = 0, *, algorithm: str = "sha256") -> None:
        self._data = data
        self._start = start
        self._algorithm = algorithm
        self._wanted: set[tuple[Canonicalization, int | None]] = set()
        self._hashes: dict[tuple[Canonicalization, int | None], BodyHash] = {}
        self.passes = 0
        """How often the body was read."""

    @classmethod
    def of(cls, message: Message) -> CanonicalBody:
        """That of a message as it came."""
        return cls(message.data, message.body_start)

    def want(self, canonicalization: Canonicalization, length: int | None = None) -> None:
        """A hash that will be asked for. length: the l= of the signature."""
        self._wanted.add((canonicalization, length))

    def hashed(self, canonicalization: Canonicalization, length: int | None = None) -> BodyHash:
        """The hash of the canonical body, or of its first `length` octets."""
        key = canonicalization, length
        if key not in self._hashes:
            self._wanted.add(key)
            self._hash_all()
        return self._hashes[key]

    def _hash_all(self) -> None:
        missing = self._wanted - self._hashes.keys()
        streams = [
            _Stream(one, {length for wanted, length in missing if wanted is one}, self._algorithm)
            for one in {one for one, _length in missing}
        ]
        self.passes += 1
        for position in range(self._start, len(self._data), BLOCK):
            block = self._data[position : position + BLOCK]
            for stream in streams:
                stream.feed(block)
        for stream in streams:
            for length, found in stream.finish():
                self._hashes[stream.canonicalization, length] = found


class _Stream:
    """One canonical form on its way into the hashes that want it."""

    def __init__(
        self, canonicalization: Canonicalization, lengths: set[int | None], algorithm: str
    ) -> None:
        self.canonicalization = canonicalization
        self._relaxed = canonicalization is Canonicalization.RELAXED
        self._hashers = {length: hashlib.new(algorithm) for length in lengths}
        self._octets = 0
        # What the next block decides about: blanks and a CR that may belong to a line end, and
        # empty lines that may be the last.
        self._undecided = b""
        self._line_ends = 0

    def feed(self, block: bytes) -> None:
        """The next octets of the body."""
        data = self._undecided + block
        if self._relaxed:
            if b"\t" in data:
                data = data.replace(b"\t", b" ")
            if b"  " in data:
                data = _RUN_OF_BLANKS.sub(b" ", data)
        data = with_line_ends(data)
        end = len(data)
        if data.endswith(b"\r"):
            end -= 1
        if self._relaxed and data.endswith(b" ", 0, end):
            end -= 1
        self._undecided = data[end:]
        if end < len(data):
            data = data[:end]
        if self._relaxed:
            data = data.replace(b" \r\n", b"\r\n")
        content, line_ends = _without_line_ends(data)
        if not content:
            self._line_ends += line_ends
            return
        self._emit_line_ends()
        self._emit(content)
        self._line_ends = line_ends

    def finish(self) -> Iterator[tuple[int | None, BodyHash]]:
        """The body is over. By length: the hash."""
        rest = self._undecided
        if self._relaxed:
            rest = rest.removesuffix(b" ")  # blanks at the end of a line that nothing ends
        if rest:
            self._emit_line_ends()
            self._emit(rest)
        if self._octets or not self._relaxed:
            self._emit(_LINE_END)
        for length, hasher in self._hashers.items():
            yield length, BodyHash(hasher.digest(), self._octets)

    def _emit_line_ends(self) -> None:
        octets = self._line_ends * len(_LINE_END)
        self._line_ends = 0
        while octets > 0:
            self._emit(_LINE_ENDS[:octets])
            octets -= len(_LINE_ENDS)

    def _emit(self, octets: bytes) -> None:
        for length, hasher in self._hashers.items():
            if length is None:
                hasher.update(octets)
            elif self._octets < length:
                hasher.update(octets[: length - self._octets])
        self._octets += len(octets)


def _without_line_ends(data: bytes) -> tuple[bytes, int]:
    """The octets without the CRLFs at their end, and how many those are. Every LF is in a CRLF."""
    if not data.endswith(_LINE_END):
        return data, 0
    end = len(data.rstrip(_LINE_END))
    # A CR that belongs to no CRLF is content.
    tail = data[end:].replace(_LINE_END, b"\n")
    line_ends = len(tail) - len(tail.rstrip(b"\n"))
    return data[: len(data) - line_ends * len(_LINE_END)], line_ends
