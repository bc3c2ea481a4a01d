"""Messages of the history as they come, a line each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from filterd.history import History, HistoryQuery, Record
from filterd.history.following import Follower

INTERVAL = 1.0
"""Seconds between two looks; the daemon writes as often."""


def follow(
    history: History, query: HistoryQuery, wait: Callable[[float], object] = time.sleep
) -> Iterator[Record]:
    """The newest messages that fit, as many as `query.limit`, oldest first, and then each that
    comes, without end. wait: takes the seconds until the next look. Raises HistoryError,
    ValueError."""
    follower = Follower(history, query)
    while True:
        yield from follower.look()
        wait(INTERVAL)
