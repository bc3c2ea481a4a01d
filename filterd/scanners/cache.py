"""Answers that are remembered: the same content need not be scanned twice by the same signatures.

A table of fixed size in memory that all workers share. An entry's key is made of the content's
SHA-256, the scanner's name and the tag of the signatures that it was scanned with, so that other
signatures find nothing. Only `Clean` and `Infected` are kept, and only if the signatures were the
same before and after the scan. Each entry carries a checksum: one that two processes wrote at the
same time is as good as none, and no lock is needed.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
import time
from collections.abc import Callable

from filterd.message.fields import Buffer
from filterd.scanners.answer import (
    CLEAN,
    Answer,
    Clean,
    Infected,
    Scanner,
    ScannerError,
)
from filterd.scanners.decorator import ScannerDecorator

_ENTRY = struct.Struct("=16s32sdBB")
_ENTRY_SIZE = 256
_CHECK = 16
_NAME_LIMIT = _ENTRY_SIZE - _ENTRY.size

WAYS = 8
"""Entries that a key may stand in: of these the one that is over soonest makes room."""


class AnswerCache:
    """Answers by key, shared by this process and all that are forked from it later."""

    def __init__(
        self, entries: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """entries: how many at most. seconds: how long one counts."""
        self._sets = max(entries // WAYS, 1)
        self._seconds = seconds
        self._clock = clock
        self._memory = mmap.mmap(-1, self._sets * WAYS * _ENTRY_SIZE)

    def get(self, key: bytes) -> Clean | Infected | None:
        """The answer that was put under the key of 32 octets, None if there is none any more."""
        now = self._clock()
        for place in self._places(key):
            entry = self._memory[place : place + _ENTRY_SIZE]
            check, its, until, kind, length = _ENTRY.unpack_from(entry)
            if its != key or until <= now or check != _checksum(entry):
                continue
            if kind == 0:
                return CLEAN
            name = entry[_ENTRY.size : _ENTRY.size + length].decode("utf-8", "replace")
            return Infected(name)
        return None

    def put(self, key: bytes, answer: Clean | Infected) -> None:
        """Remember the answer."""
        name = answer.name.encode("utf-8", "replace") if isinstance(answer, Infected) else b""
        if len(name) > _NAME_LIMIT:
            return
        kind = int(isinstance(answer, Infected))
        until = self._clock() + self._seconds
        body = _ENTRY.pack(b"", key, until, kind, len(name))[_CHECK:] + name
        entry = (bytes(_CHECK) + body).ljust(_ENTRY_SIZE, b"\0")
        place = min(self._places(key), key=lambda at: self._rank(at, key))
        self._memory[place : place + _ENTRY_SIZE] = _checksum(entry) + entry[_CHECK:]

    def _rank(self, place: int, key: bytes) -> float:
        _check, its, until, _kind, _length = _ENTRY.unpack_from(self._memory, place)
        return -1.0 if its == key else float(until)

    def _places(self, key: bytes) -> range:
        first = int.from_bytes(key[:8]) % self._sets * WAYS * _ENTRY_SIZE
        return range(first, first + WAYS * _ENTRY_SIZE, _ENTRY_SIZE)


def _checksum(entry: bytes) -> bytes:
    return hashlib.blake2b(entry[_CHECK:], digest_size=_CHECK).digest()


class Remembering(ScannerDecorator):
    """A scanner that is not asked twice about the same content."""

    def __init__(self, scanner: Scanner, cache: AnswerCache) -> None:
        super().__init__(scanner)
        self._cache = cache

    def scan(self, content: Buffer, deadline: float) -> Answer:
        """What is remembered, or else what the scanner says."""
        tag = self._tag(deadline)
        if not tag:
            return self.scanner.scan(content, deadline)
        digest = hashlib.sha256(content).digest()
        key = hashlib.sha256(digest + f"{self.name}\0{tag}".encode()).digest()
        known = self._cache.get(key)
        if known is not None:
            return known
        answer = self.scanner.scan(content, deadline)
        # Signatures that were read meanwhile: which of them scanned it cannot be said.
        if isinstance(answer, Clean | Infected) and self._tag(deadline) == tag:
            self._cache.put(key, answer)
        return answer

    def _tag(self, deadline: float) -> str:
        try:
            return self.scanner.signatures(deadline).tag
        except ScannerError:
            return ""
