"""What rulesets made of addresses before, for an MTA that asks the same again and again.

A run of a ruleset depends on its workspace, on the values of the macros that it reads (`$&x`), and
on the answers of the maps that it asks. All of that is remembered in order with the result. The
next time the macros are compared and the maps are asked again, so that a table that changed counts
at once, and what a map does beside its answer (the class `macro`) is done; only the rules are not
tried. A map that has a version (`Map.version`) is not asked again while that is the same. A run
that said something is not remembered.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

MAX_RUNS = 4096
"""Runs that are remembered."""

MAX_RUN = 32 << 10
"""Bytes of one run: clients choose what its lookups ask for, and tables what they answer."""

MAX_MEMORY = 32 << 20
"""Bytes of all of them."""

_TOKEN, _EVENT = 64, 256
"""Bytes that a token, a macro or a lookup takes beside its characters, about."""


@dataclass(frozen=True, slots=True)
class ReadMacro:
    """A macro was read. code: its character."""

    code: str
    value: str | None


@dataclass(frozen=True, slots=True)
class AskedMap:
    """A map was asked. value, failed: what the rule went on with, and whether it is to be tried
    again later. version: the map's, before that."""

    name: str
    key: str
    arguments: tuple[str, ...]
    value: str | None
    failed: bool
    version: Hashable | None = None


RunEvent = ReadMacro | AskedMap


@dataclass(frozen=True, slots=True)
class RememberedRun:
    """A run: what it left and its status, and what it depended on.

    versions: of the maps that have one, which need not be asked again. events: the rest.
    """

    tokens: tuple[str, ...]
    status: int
    events: tuple[RunEvent, ...]
    versions: tuple[tuple[str, Hashable], ...] = ()

    @classmethod
    def of(cls, tokens: Sequence[str], status: int, events: Sequence[RunEvent]) -> RememberedRun:
        versions: dict[tuple[str, Hashable], None] = {}
        asked: list[RunEvent] = []
        for event in events:
            if isinstance(event, ReadMacro) or event.version is None:
                asked.append(event)
            else:
                versions[event.name, event.version] = None
        return cls(tuple(tokens), status, tuple(asked), tuple(versions))


class RunMemory:
    """The runs of one program, for all sessions and threads."""

    def __init__(self) -> None:
        self._runs: dict[tuple[int, tuple[str, ...]], RememberedRun] = {}
        self.size = 0
        """Bytes, about."""

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, number: int, tokens: Sequence[str]) -> RememberedRun | None:
        return self._runs.get((number, tuple(tokens)))

    def keep(self, number: int, tokens: tuple[str, ...], run: RememberedRun) -> None:
        """Remember a run of a ruleset over these tokens, unless it is too large."""
        size = _size(tokens) + _size(run.tokens) + sum(map(_event_size, run.events))
        size += _EVENT * len(run.versions)
        if size > MAX_RUN:
            return
        if len(self._runs) >= MAX_RUNS or self.size + size > MAX_MEMORY:
            self._runs.clear()
            self.size = 0
        # One in the place of another counts twice: it may be less than this.
        self.size += size
        self._runs[number, tokens] = run


def _size(texts: Sequence[str]) -> int:
    return _TOKEN * len(texts) + sum(map(len, texts))


def _event_size(event: RunEvent) -> int:
    if isinstance(event, ReadMacro):
        return _EVENT + len(event.value or "")
    return _EVENT + len(event.key) + len(event.value or "") + _size(event.arguments)
