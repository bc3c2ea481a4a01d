"""A time limit for code that we did not write.

`limit(seconds)` interrupts the main thread with SIGALRM. The exception derives from
`BaseException`, so a filter's own `except Exception` does not swallow it. Code that never returns
to the interpreter, or that swallows even this, is beyond a process's own reach: the daemon kills
the worker that overruns the whole message's budget.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType


class BudgetExceeded(BaseException):
    """The time limit passed while the code was still running."""


class _Alarm:
    """This process's use of SIGALRM. running: a block is under its limit now, so that an alarm that
    is handled a moment too late does no harm. owned: the handler stays between blocks."""

    running = False
    owned = False


def _raise(_signal: int, _frame: FrameType | None) -> None:
    if _Alarm.running:
        raise BudgetExceeded
    signal.setitimer(signal.ITIMER_REAL, 0)


def own_alarm() -> None:
    """Take SIGALRM for good, so that `limit` need not exchange handlers each time, nor stop the
    clock after each block: one that runs out later is ignored.

    For a process that does nothing else with alarms: a worker.
    """
    signal.signal(signal.SIGALRM, _raise)
    _Alarm.owned = True


class limit:  # noqa: N801  (read as a verb: `with limit(seconds)`)
    """Raise BudgetExceeded inside the block after that many seconds of wall-clock time.

    Works in a process's main thread, where alarms arrive; elsewhere the block runs unlimited.
    Blocks do not nest.
    """

    __slots__ = ("_previous", "_seconds", "_works")

    def __init__(self, seconds: float) -> None:
        self._seconds = max(seconds, 0.001)
        self._works = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> None:
        if not self._works:
            return
        if not _Alarm.owned:
            self._previous = signal.signal(signal.SIGALRM, _raise)
        _Alarm.running = True
        # The interval makes a handler that was swallowed fire again.
        signal.setitimer(signal.ITIMER_REAL, self._seconds, 0.25)

    def __exit__(self, *_: object) -> None:
        if not self._works:
            return
        _Alarm.running = False
        if not _Alarm.owned:
            signal.setitimer(signal.ITIMER_REAL, 0)
            if self._previous is not None:
                signal.signal(signal.SIGALRM, self._previous)
