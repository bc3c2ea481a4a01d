"""What commands that list messages have in common."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from filterd.cli.common import Exit, fail
from filterd.system.display import printable, to_the_second

if TYPE_CHECKING:
    from filterd.review.timeline import Timeline

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


def print_timeline(told: Timeline) -> None:
    """What happened to a message, oldest first, a line for each step."""
    from filterd.review.timeline import in_words  # noqa: PLC0415  (lists do without)

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for step in told.steps:
        table.add_row(to_the_second(step.time), shown(in_words(step)))
    Console(highlight=False).print(table)
    tell_trouble(told)


def tell_trouble(told: Timeline) -> None:
    """Say on standard error why the MTA's log cannot be read."""
    for one in told.trouble:
        sys.stderr.write(f"filterd: the MTA's log: {printable(one)}\n")
