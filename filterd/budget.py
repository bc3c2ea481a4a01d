"""A time limit for code that we did not write.

`limit(seconds)` interrupts the main thread with SIGALRM. The exception derives from
`BaseException`, so a filter's own `except Exception` does not swallow it. Code that never returns
to the interpreter, or that swallows even this, is beyond a process's own reach: the daemon kills
the worker that overruns the whole message's budget.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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


def own_alarm() -> None:
    """Take SIGALRM for good, so that `limit` need not exchange handlers each time.

    For a process that does nothing else with alarms: a worker.
    """
    signal.signal(signal.SIGALRM, _raise)
    _Alarm.owned = True


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise BudgetExceeded inside the block after that many seconds of wall-clock time.

    Works in a process's main thread, where alarms arrive; elsewhere the block runs unlimited.
    Blocks do not nest.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = None if _Alarm.owned else signal.signal(signal.SIGALRM, _raise)
    _Alarm.running = True
    # The interval makes a handler that was swallowed fire again.
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), 0.25)
    try:
        yield
    finally:
        _Alarm.running = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        if previous is not None:
            signal.signal(signal.SIGALRM, previous)
