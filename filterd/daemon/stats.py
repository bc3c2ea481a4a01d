"""What the daemon counts since its start: messages by action and by who sent them, refusals at
stages, and each filter's time and failures.

Counted from the report that the log line is made of, so that log and counters tell the same. Names
of filters come from a worker that a message may have taken over, so only known ones count: a
stranger must not be able to make up new time series.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from filterd.chain.report import ScanReport
from filterd.chain.verdict import Action
from filterd.message.authentication import Authentication, AuthResult

BUCKETS = (0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)
"""Upper ends in seconds of the classes in which filters' times are counted: most take under a
millisecond, a scan of clamd some hundred, and 30 s is the usual limit."""

LONGEST = 1e9
"""Milliseconds, eleven days; a worker that says more, or NaN, is not to be believed."""

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


def _checked(known: Authentication | None) -> Iterator[tuple[str, str]]:
    """Method and result of the checks of one message, of each method one: of several signatures
    the best."""
    if known is None:
        return
    if known.spf is not None:
        yield "spf", known.spf.result.value
    if known.dkim:
        results = [one.result for one in known.dkim]
        yield "dkim", (AuthResult.PASS if AuthResult.PASS in results else results[0]).value
    if known.dmarc is not None:
        yield "dmarc", known.dmarc.result.value
    if known.arc is not None and known.arc.result is not AuthResult.NONE:
        yield "arc", known.arc.result.value
    if known.dkim2 is not None and known.dkim2.result is not AuthResult.NONE:
        yield "dkim2", known.dkim2.result.value


class Stats:
    """The counts of one daemon. Safe for several threads."""

    def __init__(self, filters: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.started = clock()
        self._actions: Counter[Action] = Counter()
        self._refusals: Counter[tuple[str, str]] = Counter()
        self._authentication: Counter[tuple[str, str]] = Counter()
        self._filters: dict[str, FilterCount] = {}
        self._lock = threading.Lock()
        self.expect(filters)

    def expect(self, filters: Sequence[str]) -> None:
        """Count these filters from now on; what was counted of others stays until the end."""
        with self._lock:
            for name in filters:
                self._filters.setdefault(name, FilterCount())

    def count(self, report: ScanReport) -> None:
        """Count one message, or one refusal before there was a message."""
        with self._lock:
            if report.stage:
                self._refusals[report.stage.value, report.action.word] += 1
            else:
                self._actions[report.action] += 1
            self._authentication.update(_checked(report.authentication))
            known = self._filters
            for name, milliseconds in report.milliseconds.items():
                one = known.get(name)
                if one is not None and 0 <= milliseconds < LONGEST:
                    seconds = milliseconds / 1000
                    one.messages += 1
                    one.seconds += seconds
                    one.classes[bisect_left(BUCKETS, seconds)] += 1
            for failure in report.failures:
                one = known.get(failure.filter)
                if one is not None:
                    one.errors[failure.kind] += 1
                    one.failed_at, one.failed_id = self._clock(), report.id
                    one.detail = str(failure)[:DETAIL_LIMIT]

    @property
    def messages(self) -> dict[str, int]:
        """Messages by action, all actions in order."""
        with self._lock:
            return {action.word: self._actions[action] for action in Action}

    @property
    def refusals(self) -> dict[tuple[str, str], int]:
        """Refusals by stage and action; those that there were."""
        with self._lock:
            return dict(sorted(self._refusals.items()))

    @property
    def authentication(self) -> dict[tuple[str, str], int]:
        """Messages by method and result; those that there were."""
        with self._lock:
            return dict(sorted(self._authentication.items()))

    @property
    def filters(self) -> dict[str, FilterCount]:
        """Counts by filter, as they are now."""
        with self._lock:
            return {name: one.copy() for name, one in self._filters.items()}
