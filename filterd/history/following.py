"""Messages of the history as they come."""

from __future__ import annotations

from dataclasses import replace

from filterd.history.query import HistoryQuery
from filterd.history.record import Record
from filterd.history.store import History

LATE = 60.0
"""Seconds by which a record may come later than one that is newer, where hosts share a history."""

PAGE = 1000
"""Records of one question."""

PAGES = 20
"""Questions in one look."""


class Follower:
    """What fits a question and was not told yet. `query.limit`: how many the first look tells."""

    def __init__(self, history: History, query: HistoryQuery) -> None:
        self._history = history
        self._query = query
        self._newest: float | None = None
        self._seen: dict[str, float] = {}

    def look(self) -> list[Record]:
        """At first the newest messages that fit, then what came since the last look; oldest first.
        Raises HistoryError, ValueError."""
        if self._newest is None:
            return self._first()
        news = [
            one for one in reversed(self._since(self._newest - LATE)) if one.id not in self._seen
        ]
        for record in news:
            self._seen[record.id] = record.received
            self._newest = max(self._newest, record.received)
        oldest = self._newest - LATE
        self._seen = {id: at for id, at in self._seen.items() if at >= oldest}
        return news

    def _first(self) -> list[Record]:
        found = list(self._history.search(self._query).rows)
        self._newest = newest = found[0].received if found else 0.0
        # What is older than the first of them is not news, although it came within the last minute.
        self._seen = {
            one.id: one.received
            for one in (self._since(newest - LATE) if found else ())
            if one.received <= newest
        }
        self._seen |= {one.id: one.received for one in found}
        return found[::-1]

    def _since(self, moment: float) -> list[Record]:
        """What fits and came since then, newest first."""
        found: list[Record] = []
        since = max(moment, self._query.since or 0.0)
        asked = replace(self._query, since=since, limit=PAGE, after="")
        for _ in range(PAGES):
            page = self._history.search(asked)
            found += page.rows
            if not page.next:
                break
            asked = replace(asked, after=page.next)
        return found
