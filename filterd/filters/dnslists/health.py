"""Whether a list can be believed now: it answers, and does not list everything.

RFC 5782 §5 gives every list two test points: it must not list 127.0.0.1, nor the name `invalid`.
One that does answers everything: its domain was sold, or the name server rewrites "no". So nothing
that a list says counts before it said "no" to these; they are asked with the first questions, and
again from time to time. A list that fails, or refuses, is left alone for a while.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from filterd.filters.dnslists.resting import RestingLists

TEST_ADDRESS = "127.0.0.1"
TEST_NAME = "invalid"
"""No list has these."""

LISTED_ADDRESS = "127.0.0.2"
LISTED_NAME = "test"
"""Every list has these."""

TEST_SECONDS = 600.0
"""Seconds until the test points are asked for again."""

REST_LIMIT = 3600.0
"""Seconds that a list is left alone at most; each time it is twice as long as before."""

log = logging.getLogger(__name__)


class ListHealth:
    """The state of one zone in this process. failures: questions without an answer in a row after
    which it rests. rest: seconds. resting: is told of it. clock: seconds, monotonic. Safe for
    several threads."""

    def __init__(
        self,
        zone: str,
        *,
        failures: int,
        rest: float,
        resting: RestingLists | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.zone = zone
        self._limit = failures
        self._first_rest = self._rest = rest
        self._resting = resting
        self._clock = clock
        self._lock = threading.Lock()
        self._failed = 0
        self._until = 0.0
        self._reason = ""
        self._tested_at: dict[str, float] = {}

    @property
    def resting(self) -> str:
        """Why it is not asked now, `""` if it is."""
        return self._reason if self._clock() < self._until else ""

    def needs_test(self, point: str) -> bool:
        """Whether this test point should be asked for again."""
        tested = self._tested_at.get(point)
        return tested is None or tested + TEST_SECONDS <= self._clock()

    def is_proven(self, point: str) -> bool:
        """Whether it said "no" to this test point; what it says before does not count."""
        return point in self._tested_at

    def passed(self, point: str) -> None:
        """It said "no" to the test point."""
        with self._lock:
            self._tested_at[point] = self._clock()

    def answered(self) -> None:
        """It answered a question, whatever it said."""
        with self._lock:
            self._failed = 0
            again = bool(self._reason) and self._clock() >= self._until
            if again:
                log.warning("DNS list %s answers again", self.zone)
                self._reason, self._rest = "", self._first_rest
        if again and self._resting is not None:
            self._resting.answers(self.zone)

    def failed(self, why: str) -> None:
        """It did not answer a question."""
        with self._lock:
            self._failed += 1
            rest = self._put_to_rest(why) if self._failed >= self._limit else 0.0
        self._tell(why, rest)

    def refused(self, why: str) -> None:
        """It answered with an error, or lists everything."""
        with self._lock:
            self._tested_at.clear()
            rest = self._put_to_rest(why)
        self._tell(why, rest)

    def _put_to_rest(self, why: str) -> float:
        """For how long it rests from now on, 0.0 if it did so before."""
        now, rest = self._clock(), self._rest
        self._failed = 0
        if now < self._until:
            return 0.0
        self._reason = why
        self._until = now + rest
        log.warning("DNS list %s is not asked for %.0f s: %s", self.zone, rest, why)
        self._rest = min(2 * rest, REST_LIMIT)
        return rest

    def _tell(self, why: str, rest: float) -> None:
        if rest and self._resting is not None:
            self._resting.rests(self.zone, why, rest)
