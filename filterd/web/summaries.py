"""Summaries of the history for the dashboard, counted in the background: a page does not wait for
the reading of a hundred thousand records."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from filterd.history import History, HistoryError, HistorySummary

log = logging.getLogger(__name__)

COUNTED_LIMIT = 200_000
"""Messages, the newest ones, that a summary is made of; some 2 s of processor time."""

FRESH = 60.0
"""Seconds in which a summary is shown again as it is."""

PATIENCE = 0.05
"""Seconds for which a page waits for one that is being made; for a small site they suffice."""

KEPT_LIMIT = 12
"""Stretches of time that are kept: each zone of a browser has its own days."""


@dataclass(frozen=True, slots=True)
class MadeSummary:
    """A summary, and when it was made (seconds since 1970)."""

    summary: HistorySummary
    made: float


class SummaryCache:
    """Safe for threads; one summary is made at a time. clock: seconds since 1970."""

    def __init__(self, history: Callable[[], History], clock: Callable[[], float] = time.time):
        self._history = history
        self._clock = clock
        self._mutex = threading.Lock()
        self._known: dict[float, MadeSummary] = {}
        self._thread: threading.Thread | None = None

    def get(self, since: float) -> MadeSummary | None:
        """What came since then (seconds since 1970), as it was counted last; after a minute it is
        counted again in the background. None while that is done for the first time."""
        with self._mutex:
            known = self._known.get(since)
            if known is not None and self._clock() - known.made < FRESH:
                return known
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._make, args=(since,), name="summary", daemon=True
                )
                self._thread.start()
            thread = self._thread
        thread.join(PATIENCE)
        with self._mutex:
            return self._known.get(since)

    def _make(self, since: float) -> None:
        now = self._clock()
        try:
            found = self._history().summary(since, now + 1, COUNTED_LIMIT)
        except HistoryError as error:
            # The page says in another place that the history cannot be read.
            log.error("%s", error)
            return
        with self._mutex:
            self._known.pop(since, None)
            self._known[since] = MadeSummary(found, now)
            while len(self._known) > KEPT_LIMIT:
                del self._known[next(iter(self._known))]
