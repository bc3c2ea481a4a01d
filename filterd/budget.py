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


def _raise(_signal: int, _frame: FrameType | None) -> None:
    raise BudgetExceeded


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise BudgetExceeded inside the block after that many seconds of wall-clock time.

    Works in a process's main thread, where alarms arrive; elsewhere the block runs unlimited.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGALRM, _raise)
    # The interval makes a handler that was swallowed fire again.
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), 0.25)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
