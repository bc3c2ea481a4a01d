"""What became of notices since the daemon started, for metrics."""

from __future__ import annotations

import threading
from collections import Counter


class NoticeCounts:
    """Notices by channel (`mail`, `webhook`) and outcome: `sent`, `failed` (given up), `suppressed`
    (a limit), `dropped` (no room in the queue). Safe for several threads."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self.waiting = 0
        """Notices in the queue after the last look."""

    def add(self, channel: str, outcome: str) -> None:
        """Count one."""
        with self._lock:
            self._counts[channel, outcome] += 1

    @property
    def values(self) -> dict[tuple[str, str], int]:
        """Those that there were."""
        with self._lock:
            return dict(sorted(self._counts.items()))
