"""One timer for many short waits."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


class Timer:
    """Calls `expired` when time is up. Restarting it is cheap: the event loop's timer is not set
    for each of the thirty waits of a message, but set again when it fires too early."""

    def __init__(self, expired: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._expired = expired
        self._due = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def start(self, seconds: float) -> None:
        """Expire in this many seconds, 0 for never."""
        self._due = self._loop.time() + seconds if seconds else math.inf
        if self._timer is not None and self._timer.when() > self._due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and seconds:
            self._timer = self._loop.call_at(self._due, self._tick)

    def pause(self) -> None:
        """The wait is over."""
        self._due = math.inf

    def stop(self) -> None:
        """Give the timer back."""
        self.pause()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        if self._due == math.inf:
            return
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._tick)
        else:
            self._due = math.inf
            self._expired()
