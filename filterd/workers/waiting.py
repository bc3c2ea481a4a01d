"""Waiting for a worker or its answer, while the MTA is told now and then to wait as well."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filterd.workers.generation import Worker


class Waiter:
    """A message that waits for a worker, in order of arrival. large: it is one of those of which
    few are scanned at a time."""

    __slots__ = ("_lock", "large", "worker")

    def __init__(self, *, large: bool = False) -> None:
        self.large = large
        self.worker: Worker | None = None
        self._lock = threading.Lock()
        self._lock.acquire()

    def give(self, worker: Worker) -> None:
        self.worker = worker
        self._lock.release()

    def given(self, seconds: float) -> bool:
        """Wait that long at most; True if there is a worker now."""
        return self._lock.acquire(timeout=seconds)


class Ticker:
    """Calls a function every `interval` seconds of waiting."""

    def __init__(self, waiting: Callable[[], None], interval: float) -> None:
        self._waiting = waiting
        self._interval = interval
        self._next = time.monotonic() + interval

    @property
    def remaining(self) -> float:
        return max(self._next - time.monotonic(), 0.0)

    def tick(self) -> None:
        if time.monotonic() >= self._next:
            self._waiting()
            self._next = time.monotonic() + self._interval
