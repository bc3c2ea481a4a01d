"""The least that a filter in Python can do: pymilter, all callbacks, nothing in them.

    python bench/null_filter.py SOCKET [accept]

What this reaches is what libmilter, pymilter and the interpreter leave; other filters' figures are
given as a share of it, so that they mean the same on every machine. With `accept` it says ACCEPT at
once, to the connection, and hears no more of it.
"""

from __future__ import annotations

import sys
from typing import Any

import Milter

IDLE_LIMIT = 240
"""Seconds without a command after which libmilter hangs up."""


class NullFilter(Milter.Base):  # type: ignore[misc]
    """Says CONTINUE to everything."""

    def connect(self, *_arguments: Any) -> int:
        return int(Milter.CONTINUE)

    def hello(self, *_arguments: Any) -> int:
        return int(Milter.CONTINUE)

    def envfrom(self, *_arguments: Any) -> int:
        return int(Milter.CONTINUE)

    def envrcpt(self, *_arguments: Any) -> int:
        return int(Milter.CONTINUE)

    def data(self) -> int:
        return int(Milter.CONTINUE)

    def header(self, *_arguments: Any) -> int:
        return int(Milter.CONTINUE)

    def eoh(self) -> int:
        return int(Milter.CONTINUE)

    def body(self, *_arguments: Any) -> int:
        return int(Milter.CONTINUE)

    def eom(self) -> int:
        return int(Milter.CONTINUE)


class AcceptingFilter(NullFilter):
    """Says ACCEPT to the connection."""

    def connect(self, *_arguments: Any) -> int:
        return int(Milter.ACCEPT)


if __name__ == "__main__":
    Milter.factory = AcceptingFilter if sys.argv[2:] == ["accept"] else NullFilter
    Milter.runmilter("null", sys.argv[1], IDLE_LIMIT)
