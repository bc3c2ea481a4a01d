"""How many notices go out: limits by kind and address, and what was not told because of them.

All of it is in the state, so that a restart, or another host, does not begin at nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from filterd.config.notices import EventKind
from filterd.state.facts import Addition, SharedState, StateKey, state_key

HOUR = 3600

COUNT, SUPPRESSED = "notice", "notice_suppressed"
"""Kinds of the counts, and of the entries that say how many events were not told."""

SUPPRESSED_SECONDS = 30 * 86400.0
"""For which is known how much was not told."""

ALL = "*"


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether something may be sent. suppressed: events of its kind, before, that this target was
    not told of."""

    granted: bool
    suppressed: int = 0


class NoticeLimits:
    """Of one state. Methods raise StateError."""

    def __init__(self, state: SharedState) -> None:
        self._state = state

    def admit(
        self,
        kind: EventKind,
        target: str,
        events: int,
        now: float,
        per_hour: int,
        all_per_hour: int | None = None,
    ) -> Admission:
        """Count a notice of so many events for that target, or the events as not told.

        all_per_hour: what all targets together may get, None for no such limit.
        """
        wanted = [Addition(state_key(COUNT, kind, target), HOUR, 1.0, per_hour)]
        if all_per_hour is not None:
            wanted.append(Addition(state_key(COUNT, ALL), HOUR, 1.0, all_per_hour))
        key = state_key(SUPPRESSED, kind, target)
        before = self._suppressed(key, now)
        if self._state.add(wanted, now).exceeded:
            self._state.put(key, now, SUPPRESSED_SECONDS, str(before + events))
            return Admission(granted=False, suppressed=before + events)
        if before:
            self._state.delete(key)
        return Admission(granted=True, suppressed=before)

    def _suppressed(self, key: StateKey, now: float) -> int:
        (entry,) = self._state.get([key], now)
        return int(entry.value) if entry is not None and entry.value.isdecimal() else 0
