"""Thousands of patterns at once: which of them are worth a search in these texts.

With the package hyperscan one pass over the text says it, without it a look for literals. Either
names every pattern that matches, and some that do not: PCRE2 decides. Source: Hyperscan's developer
reference.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

from filterd.rules.patterns.limits import DATABASE_PATTERNS, GOOD_LITERAL, HYPERSCAN_PATTERNS
from filterd.rules.patterns.prepared import PreparedPattern
from filterd.rules.patterns.texts import PatternTexts

log = logging.getLogger(__name__)

hyperscan: Any = None
with contextlib.suppress(ImportError):
    hyperscan = importlib.import_module("hyperscan")

_Expression = tuple[int, bytes, int]
"""Number, pattern and flags."""

_FLAGS = 0 if hyperscan is None else hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_MULTILINE

_PROBES = (
    ((rb"^[^>].*<img[\x22\x27]data", rb"^[^>].*<a href="), b"an image:\n\n<a href=x\n" * 11),
    ((rb"\s:(?s:.)*<a",), b"of these two lines the second begins:\n:<a" + b"x" * 60),
)
"""Patterns, and a text in which the last of them matches. Vectorscan 5.4.12, which the package
brings after 0.7.9, finds neither; 5.4.11 finds both."""


def engine() -> str:
    """What makes databases here: its name and version, `""` without Hyperscan. A database that
    another made cannot be loaded."""
    if hyperscan is None:
        return ""
    database = hyperscan.Database()
    database.compile(expressions=[b"a"], ids=[0], flags=[0])
    return f"{hyperscan.__version__} {database.info().decode()}"


@cache
def usable() -> bool:
    """Whether Hyperscan is here and finds what it must. One that misses matches is not used."""
    if hyperscan is None:
        return False
    for patterns, text in _PROBES:
        found: list[int] = []
        _HyperscanDatabase(_compiled([(n, one, _FLAGS) for n, one in enumerate(patterns)])).run(
            text, found
        )
        if len(patterns) - 1 not in found:
            log.warning("Hyperscan (%s) misses matches and is not used", engine())
            return False
    return True


class PatternDatabase:
    """Patterns of one kind.

    kept: what is written into a cache, to be given to the next `PatternDatabase` of the same
    patterns.
    uses_hyperscan: False for the same answers by literals.
    """

    def __init__(
        self,
        patterns: Sequence[PreparedPattern],
        kept: tuple[tuple[int, ...], Sequence[bytes]] | None = None,
        *,
        uses_hyperscan: bool = True,
    ) -> None:
        """kept: the numbers of the patterns that Hyperscan has, and its databases. Raises
        ValueError for databases that cannot be loaded."""
        self._scans: list[_HyperscanDatabase] = []
        self._in_hyperscan: tuple[int, ...] = ()
        if uses_hyperscan and usable():
            if kept is not None:
                self._in_hyperscan = kept[0]
                self._scans = [_HyperscanDatabase(data) for data in kept[1]]
            else:
                self._compile(patterns)
        known = frozenset(self._in_hyperscan)
        rest = [(number, one) for number, one in enumerate(patterns) if number not in known]
        self._always = [number for number, one in rest if not one.literals]
        self._literals = [(number, one.literals) for number, one in rest if one.literals]

    @property
    def kept(self) -> tuple[tuple[int, ...], list[bytes]]:
        return self._in_hyperscan, [scan.dump() for scan in self._scans]

    @property
    def octets(self) -> int:
        """Memory of Hyperscan's databases."""
        return sum(scan.octets for scan in self._scans)

    def candidates(self, texts: PatternTexts) -> list[int]:
        """Numbers of the patterns that may match in one of the texts, ascending."""
        found = self._always.copy()
        for scan in self._scans:
            scan.run(texts.lines, found)
        if self._literals:
            lower = texts.lower
            for number, literals in self._literals:
                for literal in literals:
                    if literal in lower:
                        found.append(number)
                        break
        found.sort()
        return found

    def _compile(self, patterns: Sequence[PreparedPattern]) -> None:
        in_hyperscan: list[int] = []
        easy: list[_Expression] = []
        for number, one in enumerate(patterns[:HYPERSCAN_PATTERNS]):
            found = _accepted(number, one)
            if found is None:
                continue
            in_hyperscan.append(number)
            expression, database = found
            if _has_good_literals(one):
                easy.append(expression)
            else:
                self._scans.append(_HyperscanDatabase(database))
        self._in_hyperscan = tuple(in_hyperscan)
        for start in range(0, len(easy), DATABASE_PATTERNS):
            self._scans.append(
                _HyperscanDatabase(_compiled(easy[start : start + DATABASE_PATTERNS]))
            )


def _has_good_literals(one: PreparedPattern) -> bool:
    return bool(one.literals) and min(map(len, one.literals or ())) >= GOOD_LITERAL


class _HyperscanDatabase:
    """One of Hyperscan's databases, with a scratch for each thread."""

    def __init__(self, database: Any) -> None:
        if isinstance(database, bytes):
            try:
                database = hyperscan.loadb(database, hyperscan.HS_MODE_BLOCK)
            except hyperscan.error as error:
                raise ValueError(f"Hyperscan cannot load its database: {error}") from error
        self.database = database
        self.octets: int = database.size()
        self._local = threading.local()

    def dump(self) -> bytes:
        data: bytes = hyperscan.dumpb(self.database)
        return data

    def run(self, text: bytes, found: list[int]) -> None:
        """Add the numbers of the patterns that match."""
        try:
            scratch = self._local.scratch
        except AttributeError:
            scratch = self._local.scratch = hyperscan.Scratch(self.database)

        def note(number: int, _from: int, _to: int, _flags: int, _context: object) -> None:
            found.append(number)

        self.database.scan(text, match_event_handler=note, scratch=scratch)


def _accepted(number: int, one: PreparedPattern) -> tuple[_Expression, Any] | None:
    """A pattern as Hyperscan takes it, and its database; None if it takes none."""
    flags = _FLAGS
    if one.parts.caseless:
        flags |= hyperscan.HS_FLAG_CASELESS
    for form, text in enumerate(one.wide, 1):
        more = hyperscan.HS_FLAG_PREFILTER if form == len(one.wide) else 0
        expression = number, text, flags | more
        try:
            return expression, _compiled([expression])
        except hyperscan.error:
            continue
    return None


def _compiled(patterns: Sequence[_Expression]) -> Any:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[text for _, text, _ in patterns],
        ids=[number for number, _, _ in patterns],
        flags=[flags for _, _, flags in patterns],
    )
    return database
