"""Messages of the history as they come, a line each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from filterd.history import History, HistoryQuery, Record

INTERVAL = 1.0
"""Seconds between two looks; the daemon writes as often."""

LATE = 60.0
"""Seconds by which a record may come later than one that is newer, where hosts share a history."""

PAGE = 1000
"""Records of one question."""

PAGES = 20
"""Questions in one look."""


def follow(
    history: History, query: HistoryQuery, wait: Callable[[float], object] = time.sleep
) -> Iterator[Record]:
    """The newest messages that fit, as many as `query.limit`, oldest first, and then each that
    comes, without end. wait: takes the seconds until the next look. Raises HistoryError,
    ValueError."""
    found = list(history.search(query).rows)
    newest = found[0].received if found else 0.0
    # What is older than the first of them is not news, although it came within the last minute.
    seen = {
        one.id: one.received
        for one in (_since(history, query, newest - LATE) if found else ())
        if one.received <= newest
    }
    for record in reversed(found):
        seen[record.id] = record.received
        yield record
    while True:
        wait(INTERVAL)
        for record in reversed(_since(history, query, newest - LATE)):
            if record.id not in seen:
                seen[record.id] = record.received
                newest = max(newest, record.received)
                yield record
        seen = {id: received for id, received in seen.items() if received >= newest - LATE}


def _since(history: History, query: HistoryQuery, moment: float) -> list[Record]:
    """What fits and came since then, newest first."""
    found: list[Record] = []
    since = max(moment, query.since or 0.0)
    asked = replace(query, since=since, limit=PAGE, after="")
    for _ in range(PAGES):
        page = history.search(asked)
        found += page.rows
        if not page.next:
            break
        asked = replace(asked, after=page.next)
    return found
