"""How long mail may wait in the queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

EXPIRE = 432_000.0
"""Seconds until a report is given up, five days."""


def _never(message: bytes) -> float:
    del message
    return 0.0


@dataclass(frozen=True, slots=True)
class QueueTimes:
    """Times in seconds. patience: until the sender of a message hears that it is late; 0: never.
    lifetime: until a message is returned; 0: as the settings say. reports: the same of a report."""

    patience: Callable[[bytes], float] = _never
    lifetime: Callable[[bytes], float] = _never
    reports: float = EXPIRE
