"""Calls side by side, each in a thread of its own, their results in order.

The threads are daemons: a scanner that hangs holds nobody who has to end. The caller waits in
short steps, so that the alarm of its time limit reaches it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

STEP = 0.2
"""Seconds of one wait; an alarm interrupts it sooner."""

STACK = 512 << 10
"""Octets of a thread's stack. A worker's address space is limited, and the usual 8 MiB count."""


def together(calls: Sequence[Callable[[], T]], at_once: int = 0) -> list[T]:
    """The results of the calls, in order; what one raises is raised here. at_once: threads, 0 for
    one each."""
    if len(calls) == 1 or at_once == 1:
        return [call() for call in calls]
    todo: queue.SimpleQueue[tuple[int, Callable[[], T]]] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, T | None, BaseException | None]] = queue.SimpleQueue()
    for place, call in enumerate(calls):
        todo.put((place, call))

    def work() -> None:
        while True:
            try:
                place, call = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((place, call(), None))
            except BaseException as error:  # noqa: BLE001  (raised where it is waited for)
                done.put((place, None, error))

    before = threading.stack_size(STACK)
    try:
        for _ in range(min(at_once or len(calls), len(calls))):
            threading.Thread(target=work, name="scan", daemon=True).start()
    finally:
        threading.stack_size(before)
    results: dict[int, T] = {}
    while len(results) < len(calls):
        try:
            place, result, error = done.get(timeout=STEP)
        except queue.Empty:
            continue
        if error is not None:
            raise error
        results[place] = result  # type: ignore[assignment]
    return [results[place] for place in range(len(calls))]
