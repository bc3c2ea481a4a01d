"""Postfix's short queue ids: eleven hexadecimal digits, here of the time and a counter."""

from __future__ import annotations

import itertools
import time


class PostfixQueueIds:
    """A source of ids; `next` gives a new one each time."""

    def __init__(self) -> None:
        self._counter = itertools.count()

    def next(self) -> str:
        count = next(self._counter)
        return f"{(time.time_ns() // 1000 & 0xFFFFF) << 24 | count & 0xFFFFFF:011X}"
