"""How work grows with its size, on a machine where other programs run as well."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

ROUNDS = 3
"""Times that each size is measured, in turns; the least counts."""

ATTEMPTS = 3
"""Measurements until the work counts as growing faster: noise is not the same three times."""


def growth(
    work: Callable[[T], object], small: T, large: T, *, at_least: float = 0.001, limit: float
) -> float:
    """What work on the large one takes, as a multiple of what it takes on the small one.

    Processor time of this process, which others change little. at_least: seconds that the small one
    counts for; below that fixed costs are all there is. limit: a multiple that is small enough, so
    that nothing is measured again.
    """
    found = float("inf")
    for _ in range(ATTEMPTS):
        smalls, larges = [], []
        for _ in range(ROUNDS):
            smalls.append(_seconds(work, small))
            larges.append(_seconds(work, large))
        found = min(found, min(larges) / max(min(smalls), at_least))
        if found < limit:
            break
    return found


def _seconds(work: Callable[[T], object], on: T) -> float:
    started = time.process_time()
    work(on)
    return time.process_time() - started


def is_linear(
    work: Callable[[T], object],
    make: Callable[[int], T],
    size: int,
    *,
    at_least: float = 0.001,
) -> bool:
    """Whether the work on `make(size)` grows with its size: four times the size costs about four
    times as much; sixteen times would be a square."""
    small, large = make(size), make(4 * size)
    return growth(work, small, large, at_least=at_least, limit=LINEAR) < LINEAR


LINEAR = 9.0
"""Between 4 and 16."""
