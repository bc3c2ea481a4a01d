"""What commands that list messages have in common."""

from __future__ import annotations

from datetime import datetime

from rich.markup import escape

from filterd.cli.common import Exit, fail
from filterd.system.display import printable

WIDE = 200
"""Columns of a list that is not shown on a terminal."""


def shown(text: str) -> str:
    """Text of strangers as a terminal can bear it: no control characters, no markup."""
    return escape(printable(text))


def moment(text: str) -> float | None:
    """Local time, `2026-11-23` or `2026-11-23T12:00`, as seconds since 1970."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError:
        fail(f"{text!r} is not a date; expected 2026-11-23 or 2026-11-23T12:00", Exit.USAGE)
