"""Answers that still count, the latest used ones, within a number and a size.

How long: the record's own time (RFC 1035 §3.2.1, capped), for "no" what the zone says (RFC 2308
§5), for failures some seconds, so that a silent server is not asked again for each message
(RFC 2308 §7).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from filterd.resolver.answer import MX, DnsAnswer, DnsStatus, RecordType

POSITIVE_LIMIT = 86400.0
"""Seconds that an answer counts at most (RFC 8767 §4: at most some days)."""

NEGATIVE_LIMIT = 900.0
"""Seconds that "no" counts at most; a new record is seen after that."""

FAILURE_SECONDS = {
    DnsStatus.SERVFAIL: 30.0,
    DnsStatus.REFUSED: 30.0,
    DnsStatus.MALFORMED: 30.0,
    DnsStatus.TIMEOUT: 5.0,
}
"""Seconds that a failure counts; what is not here is asked again at once."""

SIZE_LIMIT = 64 << 20
"""Octets of all answers together: one of the largest size (64 KiB) must not fill the memory."""

_OVERHEAD = 400
"""Octets of an entry beside its records."""

Key = tuple[str, RecordType]


class DnsCache:
    """Safe for several threads. entries: how many answers at most. clock: seconds, monotonic."""

    def __init__(self, entries: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = entries
        self._clock = clock
        self._found: OrderedDict[Key, tuple[float, int, DnsAnswer]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: Key) -> DnsAnswer | None:
        """The answer, if it still counts."""
        with self._lock:
            entry = self._found.get(key)
            if entry is None:
                return None
            if entry[0] <= self._clock():
                self._remove(key)
                return None
            self._found.move_to_end(key)
            return entry[2]

    def put(self, key: Key, answer: DnsAnswer) -> None:
        """Keep an answer as long as it counts; the least used ones go when there is no room."""
        seconds = lifetime(answer)
        if seconds <= 0 or self._limit <= 0:
            return
        size = _OVERHEAD + sum(map(_octets, answer.records)) + len(key[0])
        with self._lock:
            self._remove(key)
            self._found[key] = (self._clock() + seconds, size, answer)
            self._size += size
            while len(self._found) > self._limit or self._size > SIZE_LIMIT:
                self._remove(next(iter(self._found)))

    def _remove(self, key: Key) -> None:
        entry = self._found.pop(key, None)
        if entry is not None:
            self._size -= entry[1]


def lifetime(answer: DnsAnswer) -> float:
    """Seconds that an answer may be used again."""
    if answer.failed:
        return FAILURE_SECONDS.get(answer.status, 0.0)
    limit = POSITIVE_LIMIT if answer.status is DnsStatus.FOUND else NEGATIVE_LIMIT
    return min(answer.ttl, limit)


def _octets(record: object) -> int:
    if isinstance(record, MX):
        return len(record.exchange) + 100
    return len(record) + 50 if isinstance(record, str | bytes) else 50
