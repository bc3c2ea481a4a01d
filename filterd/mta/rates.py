"""How many connections came lately, from each client and in all. Bounded in memory.

As sendmail 8.17 counts (`ratectrl.c`): the window is cut into six ticks, and the tick that is
running counts from its beginning.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

TICKS = 6
"""Parts of the window."""

CLIENT_LIMIT = 65536
"""Addresses that are remembered (in sendmail 1024); the one that was away longest is forgotten."""


class _Counter:
    __slots__ = ("_counts", "_ticks")

    def __init__(self) -> None:
        self._ticks = [-1] * TICKS
        self._counts = [0] * TICKS

    def note(self, tick: int) -> int:
        """Count one event. Returns how many there were in the window."""
        place = tick % TICKS
        if self._ticks[place] != tick:
            self._ticks[place], self._counts[place] = tick, 0
        self._counts[place] += 1
        oldest = tick - TICKS
        return sum(
            count for then, count in zip(self._ticks, self._counts, strict=True) if then > oldest
        )


class ConnectionRates:
    """Counts connections. window: seconds."""

    def __init__(self, window: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._tick = max(window, 1.0) / TICKS
        self._clock = clock
        self._all = _Counter()
        self._clients: OrderedDict[str, _Counter] = OrderedDict()

    def note(self, address: str) -> tuple[int, int]:
        """A client has connected. How often it did in the window, and how often all did."""
        tick = int(self._clock() / self._tick)
        counter = self._clients.get(address)
        if counter is None:
            counter = self._clients[address] = _Counter()
            if len(self._clients) > CLIENT_LIMIT:
                self._clients.popitem(last=False)
        self._clients.move_to_end(address)
        return counter.note(tick), self._all.note(tick)


class Throttle:
    """At most so many events a second; more of them wait for a later one. limit: 0 for any number.

    sendmail's ConnectionRateThrottle.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = limit, clock
        self._second, self._used = 0, 0

    def wait(self) -> float:
        """Seconds that the next event has to wait."""
        if not self._limit:
            return 0.0
        now = self._clock()
        if int(now) > self._second:
            self._second, self._used = int(now), 0
        elif self._used >= self._limit:
            self._second, self._used = self._second + 1, 0
        self._used += 1
        return max(self._second - now, 0.0)
