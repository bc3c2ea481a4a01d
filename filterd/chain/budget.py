"""A time limit for code that we did not write.

`within(seconds, function, …)` interrupts the main thread with SIGALRM. The exception derives from
`BaseException`, so a filter's own `except Exception` does not swallow it. Code that never returns
to the interpreter, or that swallows even this, is beyond a process's own reach: the daemon kills
the worker that overruns the whole message's budget.

The exception is raised inside of the called function only, never in a frame of this module or
around it. In Python 3.13 one that a signal handler raises at the end of a loop may pass by the
`except`, `finally` and `with` of the frame that has the loop; the caller of that frame gets it as
any other. So the limit holds on all versions, but the state that the interrupted code leaves behind
need not: see `interrupted`.
"""

from __future__ import annotations

import atexit
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

TICK = 0.25
"""Seconds between two looks at the clock: as late may a call in a worker be interrupted, and as
soon comes the next interruption when the first was swallowed."""


class BudgetExceeded(BaseException):
    """The time limit passed while the code was still running."""


class _Alarm:
    """This process's use of SIGALRM. running: a call is under its limit now. deadline: on the
    monotonic clock. owned: the handler stays between calls, and so does the clock. ticking: the
    clock runs. interruptions: exceptions raised so far."""

    running = False
    deadline = 0.0
    owned = False
    ticking = False
    interruptions = 0


def _raise(_signal: int, frame: FrameType | None) -> None:
    """An alarm. If no call is running it came too late: nothing is left to watch over."""
    if not _Alarm.running:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _Alarm.ticking = False
    elif time.monotonic() >= _Alarm.deadline and _is_inside(frame):
        _Alarm.interruptions += 1
        raise BudgetExceeded


def _is_inside(frame: FrameType | None) -> bool:
    """True if the frame is that of `_call` or was called from there."""
    while frame is not None:
        if frame.f_code is _call.__code__:
            return True
        frame = frame.f_back
    return False


def _call(function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    """The frame in which interruptions begin; it has nothing that one could pass by."""
    return function(*arguments, **keywords)


def own_alarm() -> None:
    """Take SIGALRM for good, so that `within` need not exchange handlers each time, nor set the
    clock for each call: it goes on ticking from one to the next, which saves system calls.

    For a process that does nothing else with alarms: a worker.
    """
    signal.signal(signal.SIGALRM, _raise)
    # An interpreter that ends gives its handlers back, and the next tick would kill the process.
    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)
    _Alarm.owned = True


def interrupted() -> bool:
    """True if any call in this process was interrupted so far. Locks, files and tables that it was
    busy with may be in any state then: a process that serves others should be replaced."""
    return _Alarm.interruptions > 0


def within(seconds: float, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    """Call the function; raise BudgetExceeded in it after that many seconds of wall-clock time, or
    up to `TICK` later.

    Works in a process's main thread, where alarms arrive; elsewhere the call is unlimited. Calls do
    not nest.
    """
    if threading.get_ident() != threading.main_thread().ident:
        return function(*arguments, **keywords)
    previous = None
    if not _Alarm.owned:
        previous = signal.signal(signal.SIGALRM, _raise)
        _Alarm.ticking = False
    seconds = max(seconds, 0.001)
    _Alarm.deadline = time.monotonic() + seconds
    _Alarm.running = True
    try:
        if seconds < TICK or not _Alarm.ticking:
            signal.setitimer(signal.ITIMER_REAL, min(seconds, TICK), TICK)
            _Alarm.ticking = True
        return _call(function, *arguments, **keywords)
    finally:
        _Alarm.running = False
        if not _Alarm.owned:
            signal.setitimer(signal.ITIMER_REAL, 0)
            if previous is not None:
                signal.signal(signal.SIGALRM, previous)
