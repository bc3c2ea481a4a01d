"""What is found out about a pattern once, and kept in a cache: everything but PCRE2's own code."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from filterd.rules.conf.rule import RulePattern
from filterd.rules.patterns.compiled import Compiled, PatternParts, parts_of
from filterd.rules.patterns.literals import needed
from filterd.rules.patterns.prefilter import least_octets, wider
from filterd.rules.patterns.reader import read
from filterd.rules.patterns.syntax import Edge, PatternError

FORM = 3
"""Changes when something else is kept, or computed in another way."""


@dataclass(frozen=True, slots=True)
class PreparedPattern:
    """A pattern, read.

    parts: for PCRE2. wide: patterns for Hyperscan, of which each matches wherever the pattern does,
    the closest first; none if all texts may match. literals: one of them is in every text that
    matches, in lower case; None if there are none.
    """

    parts: PatternParts
    wide: tuple[bytes, ...]
    literals: tuple[bytes, ...] | None


def prepare(pattern: RulePattern) -> PreparedPattern:
    """Raises PatternError with the reason for a pattern that cannot be used."""
    tree = read(pattern)
    parts = parts_of(tree)
    Compiled(pattern, parts).check()
    if tree.stops or not least_octets(tree.root):
        return PreparedPattern(parts, (), None)
    wide = tuple(text.encode("latin-1") for text in wider(tree.root, caseless=parts.caseless))
    literals = needed(tree.root)
    return PreparedPattern(parts, wide, None if literals is None else tuple(sorted(literals)))


class PatternStore:
    """Patterns that were read, by what they are, and those that cannot be used, with the reason."""

    def __init__(self) -> None:
        self.prepared: dict[RulePattern, PreparedPattern] = {}
        self.mistakes: dict[RulePattern, str] = {}

    def add(self, patterns: Iterable[RulePattern]) -> None:
        """Read those that are not there yet."""
        for pattern in patterns:
            if pattern in self.prepared or pattern in self.mistakes:
                continue
            try:
                self.prepared[pattern] = prepare(pattern)
            except PatternError as error:
                self.mistakes[pattern] = str(error)

    def dump(self) -> bytes:
        """All of it as JSON."""
        found: list[object] = [
            [pattern.source, pattern.flags, reason] for pattern, reason in self.mistakes.items()
        ]
        for pattern, one in self.prepared.items():
            parts = one.parts
            found.append(
                [
                    pattern.source,
                    pattern.flags,
                    parts.plain.decode("latin-1"),
                    parts.joined.decode("latin-1"),
                    hex(parts.first),
                    parts.edge,
                    parts.reach,
                    parts.caseless,
                    parts.windowable,
                    [text.decode("latin-1") for text in one.wide],
                    one.literals and [text.decode("latin-1") for text in one.literals],
                ]
            )
        return json.dumps(found, separators=(",", ":")).encode("ascii")

    @staticmethod
    def load(data: bytes) -> PatternStore:
        """What `dump` gave. Raises ValueError for anything else."""
        store = PatternStore()
        try:
            for source, flags, *rest in json.loads(data):
                pattern = RulePattern(source, flags)
                if len(rest) == 1 and isinstance(rest[0], str):
                    store.mistakes[pattern] = rest[0]
                else:
                    store.prepared[pattern] = _prepared(*rest)
        except (TypeError, AttributeError, UnicodeEncodeError) as error:
            raise ValueError(f"expected patterns as they were kept: {error}") from error
        return store


def _prepared(
    plain: str,
    joined: str,
    first: str,
    edge: str | None,
    reach: int | None,
    caseless: bool,
    windowable: bool,
    wide: list[str],
    literals: list[str] | None,
) -> PreparedPattern:
    parts = PatternParts(
        plain.encode("latin-1"),
        joined.encode("latin-1"),
        int(first, 16),
        None if edge is None else Edge(edge),
        reach,
        bool(caseless),
        bool(windowable),
    )
    return PreparedPattern(
        parts,
        tuple(text.encode("latin-1") for text in wide),
        None if literals is None else tuple(text.encode("latin-1") for text in literals),
    )
