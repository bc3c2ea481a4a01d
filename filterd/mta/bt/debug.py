"""Levels of debug output, `-d21.4,60.1`. Source: sendmail 8.17 `trace.c` (tTflag)."""

from __future__ import annotations

import re

CATEGORIES = 100
"""Numbers of categories, 0 to 99."""

ALL = "0-99.1"
"""What `-d` alone means."""

_FLAG = re.compile(r"(\d+)(?:-(\d*))?(?:\.(\d*))?")

REWRITE = 21
LOOKUP = 60


class DebugLevels:
    def __init__(self) -> None:
        self._levels = [0] * CATEGORIES

    def set(self, text: str) -> None:
        """Take the text behind `-d`. What is not a number is a named category; it is ignored."""
        for flag in re.split(r"[, \t]+", text or ALL):
            found = _FLAG.match(flag)
            if found is None:
                continue
            first = min(int(found[1]), CATEGORIES - 1)
            last = first if found[2] is None else min(int(found[2] or 0), CATEGORIES - 1)
            level = 1 if found[3] is None else int(found[3] or 0) & 0xFF
            for number in range(first, last + 1):
                self._levels[number] = level

    def at(self, category: int, level: int) -> bool:
        return self._levels[category] >= level

    def level(self, category: int) -> int:
        return self._levels[category]
