"""A state in memory: for scans that must leave no trace, and for tests of filters."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from filterd.state.facts import Addition, Counted, SharedState, StateEntry, StateKey, Window
from filterd.state.once import CountOnce


class TrialState:
    """See `SharedState`. What another state knows is known here, and nothing is written there.

    Meant for a few messages: nothing is deleted before the end.
    """

    def __init__(self, known: SharedState | None = None) -> None:
        self._known = known
        self._entries: dict[StateKey, StateEntry | None] = {}
        self._windows: dict[tuple[StateKey, int], Window] = {}
        self._cleared: set[StateKey] = set()
        self._mutex = threading.RLock()

    def get(self, keys: Sequence[StateKey], now: float) -> list[StateEntry | None]:
        """See `SharedState`."""
        with self._mutex:
            if self._known is not None:
                new = [key for key in keys if key not in self._entries]
                found = self._known.get(new, now)
                self._entries.update(zip(new, found, strict=True))
            entries = [self._entries.get(key) for key in keys]
        return [entry if entry is not None and entry.expires > now else None for entry in entries]

    def touch(self, key: StateKey, now: float, lifetime: float, value: str = "") -> StateEntry:
        """See `SharedState`."""
        with self._mutex:
            (found,) = self.get([key], now)
            if found is None:
                return self._set(StateEntry(key, now, now, 1, now + lifetime, value))
            is_wrong = found.first > now
            first, expires = (now, now + lifetime) if is_wrong else (found.first, found.expires)
            entry = StateEntry(key, first, now, found.count + 1, expires, found.value)
            return self._set(entry)

    def put(self, key: StateKey, now: float, lifetime: float, value: str = "") -> StateEntry:
        """See `SharedState`."""
        with self._mutex:
            (found,) = self.get([key], now)
            first, count = (min(found.first, now), found.count) if found else (now, 0)
            return self._set(StateEntry(key, first, now, count + 1, now + lifetime, value))

    def delete(self, key: StateKey) -> bool:
        """See `SharedState`."""
        with self._mutex:
            (found,) = self.get([key], 0.0)
            self._entries[key] = None
            return found is not None

    def entries(
        self,
        kind: str,
        now: float,
        limit: int,
        value: str | None = None,
        wanted: Callable[[StateEntry], bool] | None = None,
    ) -> list[StateEntry]:
        """See `SharedState`."""
        with self._mutex:
            known = self._known.entries(kind, now, limit, value, wanted) if self._known else []
            every = [entry for entry in known if entry.key not in self._entries]
            every += [entry for entry in self._entries.values() if entry is not None]
        found = [
            entry
            for entry in every
            if entry.key.kind == kind
            and entry.expires > now
            and value in (None, entry.value)
            and (wanted is None or wanted(entry))
        ]
        return sorted(found, key=lambda entry: (-entry.first, entry.key))[:limit]

    def add(
        self,
        additions: Sequence[Addition],
        now: float,
        once: CountOnce | None = None,  # noqa: ARG002  (nobody asks a trial again)
    ) -> Counted:
        """See `SharedState`."""
        with self._mutex:
            before = self.windows([(one.key, one.seconds) for one in additions])
            after: dict[tuple[StateKey, int], Window] = {}
            for one, window in zip(additions, before, strict=True):
                place = one.key, one.seconds
                after[place] = after.get(place, window).plus(one.amount, now)
            exceeded = tuple(
                number
                for number, one in enumerate(additions)
                if one.limit is not None and after[one.key, one.seconds].at(now) > one.limit
            )
            if exceeded:
                return Counted(tuple(window.plus(0.0, now) for window in before), exceeded)
            self._windows.update(after)
            return Counted(tuple(after[one.key, one.seconds] for one in additions))

    def windows(self, wanted: Sequence[tuple[StateKey, int]]) -> list[Window]:
        """See `SharedState`."""
        with self._mutex:
            if self._known is not None:
                new = [
                    place
                    for place in wanted
                    if place not in self._windows and place[0] not in self._cleared
                ]
                self._windows.update(zip(new, self._known.windows(new), strict=True))
            return [self._windows.get(place, Window(place[1])) for place in wanted]

    def clear(self, key: StateKey) -> bool:
        """See `SharedState`."""
        with self._mutex:
            places = [place for place in self._windows if place[0] == key]
            for place in places:
                del self._windows[place]
            self._cleared.add(key)
            return bool(places)

    def expire(self, now: float) -> int:
        """See `SharedState`."""
        with self._mutex:
            over = [k for k, one in self._entries.items() if one is not None and one.expires <= now]
            old = [p for p, one in self._windows.items() if one.slot * p[1] + 2 * p[1] <= now]
            for key in over:
                self._entries[key] = None
            for place in old:
                del self._windows[place]
            return len(over) + len(old)

    def doubts(self) -> list[str]:
        """See `SharedState`."""
        return self._known.doubts() if self._known is not None else []

    def close(self) -> None:
        """See `SharedState`."""
        if self._known is not None:
            self._known.close()

    def _set(self, entry: StateEntry) -> StateEntry:
        self._entries[entry.key] = entry
        return entry
