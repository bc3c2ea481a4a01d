"""What content did to filters, so that it does not cost the same when it arrives again.

A message that made a filter run out of time or memory, or took a worker down, arrives again: its
client was told 451, or somebody sends it to the next recipient. For a while the daemon remembers
the content by a hash of its body, whatever the header section says: a new Message-ID, Received,
Subject or recipient changes nothing. A short body says little, many messages have the same, so the
header fields that do not change from copy to copy count there too.

Nothing of this is kept when the daemon ends, or when it reads its settings again.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from filterd.chain.verdict import Failure, FailureKind
from filterd.daemon.transaction import Transaction
from filterd.message import Message

REMEMBERED = 2000
"""Contents that are remembered, some 500 octets each; the oldest goes for a new one."""

EXPIRES = 6 * 3600.0
"""Seconds that a content is remembered: longer than the pauses between a client's first attempts
(Postfix 4000 s, Sendmail an hour), shorter than a person takes to repair what a filter choked
on."""

SHORT_BODY = 100
"""Octets of a body from which on it stands for the content alone. No file fits into fewer, and
what is said in fewer ("see attachment", a signature) many messages have in common."""

KINDS = frozenset({FailureKind.TIMEOUT, FailureKind.MEMORY, FailureKind.CRASH})
"""Of failures that content costs dearly each time; others are quick, or say nothing about it."""

BLOCK = 1 << 20
"""Octets of a spool file that are hashed at a time."""

_CHANGING = frozenset(
    {
        b"received",
        b"x-received",
        b"return-path",
        b"delivered-to",
        b"x-original-to",
        b"date",
        b"message-id",
        b"resent-message-id",
        b"resent-date",
        b"subject",
        b"to",
        b"cc",
        b"bcc",
        b"from",
        b"sender",
        b"reply-to",
        b"in-reply-to",
        b"references",
        b"thread-index",
        b"dkim-signature",
        b"dkim2-signature",
        b"message-instance",
        b"arc-seal",
        b"arc-message-signature",
        b"arc-authentication-results",
        b"authentication-results",
        b"received-spf",
    }
)
"""Header fields that copies of the same content differ in."""


@dataclass(frozen=True, slots=True)
class KnownContent:
    """One content. id: of the first message with it. failures: what it did, `filter` is empty where
    no filter was running. since, until: seconds since 1970."""

    id: str
    failures: tuple[Failure, ...]
    since: float
    until: float

    def to_json(self, digest: bytes) -> dict[str, Any]:
        """The entry as a plain value."""
        return {
            "digest": digest.hex(),
            "id": self.id,
            "failures": [[f.filter, f.kind] for f in self.failures],
            "since": self.since,
            "until": self.until,
        }


class Remembered:
    """The contents that failed. All methods may be called from any thread."""

    def __init__(
        self,
        size: int = REMEMBERED,
        expires: float = EXPIRES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._size = size
        self._expires = expires
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[int, KnownContent]] = OrderedDict()
        # By octets of the body, so that most messages need not be hashed.
        self._sizes: Counter[int] = Counter()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, transaction: Transaction) -> KnownContent | None:
        """What is remembered of a message's content, None for nothing."""
        with self._lock:
            self._expire()
            if transaction.body_size not in self._sizes:
                return None
        digest = content_digest(transaction)
        with self._lock:
            found = self._known.get(digest)
            return found[1] if found is not None else None

    def note(self, transaction: Transaction, id: str, failures: Sequence[Failure]) -> None:
        """Remember that a message's content did this, besides what it did before."""
        digest = content_digest(transaction)
        now = self._clock()
        with self._lock:
            self._expire()
            _size, before = self._known.get(digest, (0, KnownContent(id, (), now, 0.0)))
            filters = {failure.filter for failure in failures}
            kept = tuple(one for one in before.failures if one.filter not in filters)
            self._forget(digest)
            known = KnownContent(before.id, (*kept, *failures), before.since, now + self._expires)
            self._known[digest] = (transaction.body_size, known)
            self._sizes[transaction.body_size] += 1
            while len(self._known) > self._size:
                self._forget(next(iter(self._known)))

    def clear(self) -> None:
        """Forget all: filters and their limits may be others now."""
        with self._lock:
            self._known.clear()
            self._sizes.clear()

    def to_json(self) -> list[dict[str, Any]]:
        """All entries as plain values."""
        with self._lock:
            self._expire()
            return [known.to_json(digest) for digest, (_size, known) in self._known.items()]

    def _expire(self) -> None:
        now = self._clock()
        while self._known:
            digest, (_size, oldest) = next(iter(self._known.items()))
            # A clock that was set back must not keep an entry for longer.
            if now < oldest.until <= now + self._expires:
                return
            self._forget(digest)

    def _forget(self, digest: bytes) -> None:
        found = self._known.pop(digest, None)
        if found is not None:
            self._sizes[found[0]] -= 1
            if not self._sizes[found[0]]:
                del self._sizes[found[0]]


def again(known: KnownContent, now: float) -> tuple[Failure, ...]:
    """The failures of a content that came again, for filters that are not to be tried with it."""
    minutes = max(int(now - known.since) // 60, 0)
    why = f"not tried again: the same content came {minutes} min ago as {known.id}"
    return tuple(
        Failure(one.filter, one.kind, f"{one.detail}; {why}", again=True)
        for one in known.failures
        if one.filter
    )


def of_content(failures: Iterable[Failure], filters: Sequence[str]) -> Iterator[Failure]:
    """Those failures of an answer that are worth remembering."""
    for one in failures:
        if one.filter in filters and one.kind in KINDS and not one.starved:
            yield Failure(one.filter, one.kind, one.detail[:DETAIL_LIMIT])


DETAIL_LIMIT = 200
"""Characters of a failure's detail that are remembered."""


def content_digest(transaction: Transaction) -> bytes:
    """The SHA-256 by which a message's content is remembered."""
    fields = [
        (name.encode("utf-8", "surrogateescape"), value) for name, value in transaction.fields
    ]
    pieces, descriptor = transaction.message()
    if descriptor is None:
        return _digest(transaction.body_size, fields, pieces[1:])
    return _digest(transaction.body_size, fields, _blocks(descriptor, transaction.header_size))


def message_digest(message: Message) -> bytes:
    """The same of a message that is here as a whole."""
    body = memoryview(message.data)[message.body_start :]
    fields = [
        (f.name.encode("utf-8", "surrogateescape"), f.raw_value) for f in message.header_fields
    ]
    return _digest(len(body), fields, [body])


def _digest(
    size: int, fields: Iterable[tuple[bytes, bytes]], body: Iterable[bytes | bytearray | memoryview]
) -> bytes:
    digest = hashlib.sha256()
    if size < SHORT_BODY:
        for name, value in fields:
            if (lowered := name.lower()) not in _CHANGING:
                digest.update(lowered + b":" + b" ".join(value.split()) + b"\n")
        digest.update(b"\n")
    for piece in body:
        digest.update(piece)
    return digest.digest()


def _blocks(descriptor: int, position: int) -> Iterator[bytes]:
    while block := os.pread(descriptor, BLOCK, position):
        yield block
        position += len(block)
