"""What a report tells: the history's days, summed up, against those before, and what waits now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from filterd.history import History, HistorySummary
from filterd.quarantine import Store
from filterd.quarantine.words import WAITING_STATES, State
from filterd.system import zone

COUNTED_LIMIT = 2_000_000
"""Messages, the newest ones, that are counted; some 10 us of processor time each."""

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class SiteReport:
    """now: what came. before: in as many days before, None where the history does not go back so
    far. flow: (start of a column, action, messages). step: seconds of a column. begins: the oldest
    record, if that is later than the first day. waiting: messages that wait for a decision; failed:
    those whose release failed. Times in seconds since 1970."""

    days: int
    now: HistorySummary
    before: HistorySummary | None
    flow: Sequence[tuple[float, str, int]]
    step: float
    begins: float | None
    waiting: int
    failed: int


def gathered(history: History, store: Store, days: int, moment: float) -> SiteReport:
    """The report of the whole days before that moment, in the zone of this host. Raises
    HistoryError, StoreError."""
    today = zone.local(moment).date()
    until = zone.midnight(today)
    since = zone.midnight(today - timedelta(days=days))
    earlier = zone.midnight(today - timedelta(days=2 * days))
    step = HOUR if days == 1 else 24 * HOUR
    oldest = history.oldest()
    reaches = oldest is not None and oldest <= earlier
    counts = store.index.counts()
    return SiteReport(
        days,
        history.summary(since, until, COUNTED_LIMIT),
        history.summary(earlier, since, COUNTED_LIMIT) if reaches else None,
        history.flow(since, until, step),
        step,
        oldest if oldest is not None and since < oldest < until else None,
        sum(number for _, state, number, _ in counts if state in WAITING_STATES),
        sum(number for _, state, number, _ in counts if state == State.FAILED),
    )
