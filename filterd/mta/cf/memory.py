"""What rulesets made of addresses before, for an MTA that asks the same again and again.

A run of a ruleset depends on its workspace, on the values of the macros that it reads (`$&x`), and
on the answers of the maps that it asks. All of that is remembered in order with the result. The
next time the macros are compared and the maps are asked again, so that a table that changed counts
at once, and what a map does beside its answer (the class `macro`) is done; only the rules are not
tried. A run that said something is not remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MAX_RUNS = 4096
"""Runs that are remembered."""

MAX_OCTETS = 1000
"""Octets of a workspace that is remembered, before and after."""

MAX_EVENTS = 200
"""Macros and lookups of a run that is remembered."""


@dataclass(frozen=True, slots=True)
class ReadMacro:
    """A macro was read. code: its character."""

    code: str
    value: str | None


@dataclass(frozen=True, slots=True)
class AskedMap:
    """A map was asked. value, failed: what the rule went on with, and whether it is to be tried
    again later."""

    name: str
    key: str
    arguments: tuple[str, ...]
    value: str | None
    failed: bool


RunEvent = ReadMacro | AskedMap


@dataclass(frozen=True, slots=True)
class RememberedRun:
    """A run: what it left and its status, and what it depended on."""

    tokens: tuple[str, ...]
    status: int
    events: tuple[RunEvent, ...]


class RunMemory:
    """The runs of one program, for all sessions and threads."""

    def __init__(self) -> None:
        self._runs: dict[tuple[int, tuple[str, ...]], RememberedRun] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, number: int, tokens: Sequence[str]) -> RememberedRun | None:
        return self._runs.get((number, tuple(tokens)))

    def keep(self, number: int, tokens: tuple[str, ...], run: RememberedRun) -> None:
        """Remember a run of a ruleset over these tokens, unless it is too large."""
        if len(run.events) > MAX_EVENTS:
            return
        if sum(map(len, tokens)) > MAX_OCTETS or sum(map(len, run.tokens)) > MAX_OCTETS:
            return
        if len(self._runs) >= MAX_RUNS:
            self._runs.clear()
        self._runs[number, tokens] = run
