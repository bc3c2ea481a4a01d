"""Refusals at stages on their way into the history: of many of one kind, one record a minute.

Who tries a thousand recipients, or connects again and again, would fill the history with lines that
say nothing new. So the first of a kind is recorded at once, and what follows within a minute as one
record that says how many there were. Log and counters have each of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from filterd.chain.report import ScanReport, values
from filterd.system.periodic import Periodic

WINDOW = 60.0
"""Seconds within which refusals of one kind become one record."""

LOOK_INTERVAL = 5.0
"""Seconds between two looks for windows that are over."""

KINDS_LIMIT = 5000
"""Kinds at a time; with more, what there is of all is recorded."""

RECIPIENTS_LIMIT = 50
"""Recipients that one record names."""

Kind = tuple[Any, ...]


@dataclass(slots=True)
class _RefusalGroup:
    """Refusals of one kind since the first, which was recorded. last: the newest, for all."""

    begun: float
    number: int = 0
    last: ScanReport | None = None
    recipients: dict[str, None] | None = None


class Refusals:
    """Groups refusals. record: takes one for the history; clock: seconds, monotonic."""

    def __init__(
        self, record: Callable[[ScanReport], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._record = record
        self._clock = clock
        self._groups: dict[Kind, _RefusalGroup] = {}
        self._lock = threading.Lock()
        self._looking = Periodic("refusals", self.look, LOOK_INTERVAL)

    def start(self) -> None:
        """Begin to record what is complete."""
        self._looking.start()

    def note(self, report: ScanReport) -> None:
        """Take one refusal."""
        kind = _kind(report)
        with self._lock:
            group = self._groups.get(kind)
            if group is not None:
                group.number += 1
                group.last = report
                if group.recipients is None:
                    group.recipients = {}
                if len(group.recipients) < RECIPIENTS_LIMIT:
                    group.recipients.update(dict.fromkeys(report.recipients))
                return
            full = len(self._groups) >= KINDS_LIMIT
        if full:
            self.flush()
        with self._lock:
            self._groups.setdefault(kind, _RefusalGroup(self._clock()))
        self._record(report)

    def look(self) -> None:
        """Record the groups whose time is over."""
        self._take(self._clock() - WINDOW)

    def flush(self) -> None:
        """Record all groups."""
        self._take(float("inf"))

    def _take(self, before: float) -> None:
        with self._lock:
            over = [kind for kind, group in self._groups.items() if group.begun <= before]
            groups = [self._groups.pop(kind) for kind in over]
        for group in groups:
            if group.last is not None:
                self._record(_together(group.last, group))

    def close(self) -> None:
        """Record what is left, and end."""
        self._looking.end()
        self.flush()


def _kind(report: ScanReport) -> Kind:
    """What makes two refusals the same to an admin."""
    reply = report.reply
    return (
        report.stage,
        report.client_address,
        report.action,
        report.rule,
        "" if reply is None else f"{reply.code} {reply.xcode}",
        tuple(symbol.name for symbol in report.symbols),
    )


def _together(last: ScanReport, group: _RefusalGroup) -> ScanReport:
    recipients = tuple(group.recipients or ())
    return ScanReport(**{**values(last), "recipients": recipients, "repeated": group.number - 1})
