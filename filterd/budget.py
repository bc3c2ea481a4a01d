"""A time limit for code that we did not write.

`limit(seconds)` interrupts the main thread with SIGALRM. The exception derives from
`BaseException`, so a filter's own `except Exception` does not swallow it. Code that never returns
to the interpreter, or that swallows even this, is beyond a process's own reach: the daemon kills
the worker that overruns the whole message's budget.
"""

from __future__ import annotations

import atexit
import signal
import threading
import time
from types import FrameType

TICK = 0.25
"""Seconds between two looks at the clock: as late may a block in a worker be interrupted, and as
soon comes the next interruption when the first was swallowed."""


class BudgetExceeded(BaseException):
    """The time limit passed while the code was still running."""


class _Alarm:
    """This process's use of SIGALRM. running: a block is under its limit now. deadline: on the
    monotonic clock. owned: the handler stays between blocks, and so does the clock. ticking: the
    clock runs."""

    running = False
    deadline = 0.0
    owned = False
    ticking = False


def _raise(_signal: int, _frame: FrameType | None) -> None:
    """An alarm. One that finds no block has come too late, or nothing is left to watch over."""
    if not _Alarm.running:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _Alarm.ticking = False
    elif time.monotonic() >= _Alarm.deadline:
        raise BudgetExceeded


def own_alarm() -> None:
    """Take SIGALRM for good, so that `limit` need not exchange handlers each time, nor set the
    clock for each block: it goes on ticking from one to the next, which saves system calls.

    For a process that does nothing else with alarms: a worker.
    """
    signal.signal(signal.SIGALRM, _raise)
    # An interpreter that ends gives its handlers back, and the next tick would kill the process.
    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)
    _Alarm.owned = True


class limit:  # noqa: N801  (read as a verb: `with limit(seconds)`)
    """Raise BudgetExceeded inside the block after that many seconds of wall-clock time, or up to
    `TICK` later.

    Works in a process's main thread, where alarms arrive; elsewhere the block runs unlimited.
    Blocks do not nest.
    """

    __slots__ = ("_previous", "_seconds", "_works")

    def __init__(self, seconds: float) -> None:
        self._seconds = max(seconds, 0.001)
        self._works = threading.get_ident() == threading.main_thread().ident

    def __enter__(self) -> None:
        if not self._works:
            return
        if not _Alarm.owned:
            self._previous = signal.signal(signal.SIGALRM, _raise)
            _Alarm.ticking = False
        _Alarm.deadline = time.monotonic() + self._seconds
        _Alarm.running = True
        if self._seconds < TICK or not _Alarm.ticking:
            signal.setitimer(signal.ITIMER_REAL, min(self._seconds, TICK), TICK)
            _Alarm.ticking = True

    def __exit__(self, *_: object) -> None:
        if not self._works:
            return
        _Alarm.running = False
        if not _Alarm.owned:
            signal.setitimer(signal.ITIMER_REAL, 0)
            if self._previous is not None:
                signal.signal(signal.SIGALRM, self._previous)
