"""What the daemon counts since its start: messages by action, and each filter's time and failures.

Counted where the log line is made, so that log and counters tell the same. Names of filters and
kinds of failure come from a worker that a message may have taken over, so only known ones count: a
stranger must not be able to make up new time series.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ACTIONS = ("accept", "quarantine", "discard", "tempfail", "reject")

KINDS = ("timeout", "memory", "error", "crash", "unavailable")
"""Of failures; see `chain.Failure`."""

BUCKETS = (0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)
"""Upper ends in seconds of the classes in which filters' times are counted: most take under a
millisecond, a scan of clamd some hundred, and 30 s is the usual limit."""

LONGEST = 1e9
"""Milliseconds, eleven days; whoever says that a filter took longer lies."""

DETAIL_LIMIT = 200
"""Characters of the last failure's text."""


@dataclass(slots=True)
class FilterCount:
    """One filter. seconds: of all messages together. classes: messages by `BUCKETS`, the last one
    above all of them. failed_at: seconds since 1970; detail: of the last failure."""

    messages: int = 0
    seconds: float = 0.0
    classes: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    errors: Counter[str] = field(default_factory=Counter)
    failed_at: float | None = None
    failed_id: str = ""
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """The counts as a plain value."""
        return {
            "messages": self.messages,
            "mean_ms": round(self.seconds * 1000 / self.messages, 3) if self.messages else 0.0,
            "errors": dict(self.errors),
            "last_failure": None
            if self.failed_at is None
            else {"time": self.failed_at, "id": self.failed_id, "detail": self.detail},
        }

    def copy(self) -> FilterCount:
        """The counts as they are now."""
        return FilterCount(
            self.messages,
            self.seconds,
            [*self.classes],
            Counter(self.errors),
            self.failed_at,
            self.failed_id,
            self.detail,
        )


class Statistics:
    """The counts of one daemon. Safe for several threads."""

    def __init__(self, filters: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.started = clock()
        self._actions: Counter[str] = Counter()
        self._filters: dict[str, FilterCount] = {}
        self._lock = threading.Lock()
        self.expect(filters)

    def expect(self, filters: Sequence[str]) -> None:
        """Count these filters from now on; what was counted of others stays until the end."""
        with self._lock:
            for name in filters:
                self._filters.setdefault(name, FilterCount())

    def count(self, facts: Mapping[str, Any]) -> None:
        """Count one message; facts: as for the log line."""
        times, failures = facts.get("ms"), facts.get("failures")
        with self._lock:
            action = facts.get("action")
            if action in ACTIONS:
                self._actions[action] += 1
            known = self._filters
            if isinstance(times, dict):
                for name, milliseconds in times.items():
                    one = known.get(name)
                    if one is not None and _is_time(milliseconds):
                        seconds = milliseconds / 1000
                        one.messages += 1
                        one.seconds += seconds
                        one.classes[bisect_left(BUCKETS, seconds)] += 1
            if failures and isinstance(failures, dict):
                for name, detail in failures.items():
                    one = known.get(name)
                    if one is not None:
                        self._failed(one, str(facts.get("id", "")), str(detail))

    def _failed(self, one: FilterCount, id: str, text: str) -> None:
        kind, _, _rest = text.partition(":")
        one.errors[kind if kind in KINDS else "error"] += 1
        one.failed_at, one.failed_id, one.detail = self._clock(), id, text[:DETAIL_LIMIT]

    @property
    def messages(self) -> dict[str, int]:
        """Messages by action, all actions in order."""
        with self._lock:
            return {action: self._actions[action] for action in ACTIONS}

    @property
    def filters(self) -> dict[str, FilterCount]:
        """Counts by filter, as they are now."""
        with self._lock:
            return {name: one.copy() for name, one in self._filters.items()}


def _is_time(value: object) -> bool:
    """Milliseconds that a filter may have taken; neither NaN nor what no float can hold."""
    return isinstance(value, (int, float)) and 0 <= value < LONGEST
