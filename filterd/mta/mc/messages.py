"""A mistake in an mc file, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class McMessage:
    """What is wrong and where.

    file: empty for the mc file itself. line: 0 where there is none. severity: an error means that
    sendmail could not start with the result.
    """

    line: int
    what: str
    expected: str = ""
    severity: Severity = "warning"
    file: str = ""

    def text(self, mc: str) -> str:
        """`FILE:LINE: warning: what; expected …`."""
        place = f"{self.file or mc}:{self.line}" if self.line else self.file or mc
        expected = f"; expected {self.expected}" if self.expected else ""
        return f"{place}: {self.severity}: {self.what}{expected}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that looks most like this one, empty if none does."""
    by_lower = {one.lower(): one for one in known}
    if name.lower() in by_lower:
        return by_lower[name.lower()]
    found = get_close_matches(name.lower(), by_lower, 1, 0.75)
    return by_lower[found[0]] if found else ""
