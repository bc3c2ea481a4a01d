"""The left side of a rule, compiled when the file is read, and matched against tokens.

`$*` takes zero or more tokens, `$+` one or more, `$-` one, `$=X` a phrase of class X, `$~X` one
token that is not in it, `$@` nothing, `$&x` the value of a macro when the rule is used; anything
else is an equal token, upper and lower case alike. Wildcards take as little as they can, the
leftmost first; on failure the last one that can take more does.

Whether the rest of a pattern matches from a certain token on does not depend on how one came
there. So an attempt that failed once is not made again: the work is at most proportional to
pattern × tokens, where sendmail's grows with a power of the tokens as high as there are wildcards.

Source: sendmail 8.17 `parseaddr.c` (rewrite).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from filterd.mta.cf.classes import Classes, fold
from filterd.mta.cf.marks import ANY, CLASS, HOST, NOT_CLASS, ONE, RUNTIME, SOME
from filterd.mta.cf.tokens import TokenTables

MAX_WILDCARDS = 9
"""Wildcards of a pattern, MAXMATCH: `$1` to `$9`."""


PLAIN_STEPS = 10_000
"""Steps of a match that is watched, after which nothing is tried twice."""


class ElementKind(IntEnum):
    LITERAL = 0
    ONE = 1
    SOME = 2
    ANY = 3
    CLASS = 4
    NOT_CLASS = 5
    NOTHING = 6
    RUNTIME = 7


# Plain numbers: a member of an enumeration is slow to look up and to compare.
_LITERAL, _ONE, _SOME, _ANY, _CLASS, _NOT_CLASS, _NOTHING, _RUNTIME = map(int, ElementKind)

_KINDS = {
    ONE: _ONE,
    SOME: _SOME,
    ANY: _ANY,
    CLASS: _CLASS,
    NOT_CLASS: _NOT_CLASS,
    HOST: _NOTHING,
    RUNTIME: _RUNTIME,
}

WILDCARDS = frozenset({_ONE, _SOME, _ANY, _CLASS, _NOT_CLASS})

_MAY_BE_NOTHING = frozenset({_ANY, _NOTHING, _RUNTIME})
_MAY_GROW = frozenset({_SOME, _ANY, _CLASS, _RUNTIME})

Span = tuple[int, int]
"""First token of a wildcard, and the one behind its last."""

RuntimeValue = Callable[[str], str | None]
"""The value of a macro, by the character for its name."""


@dataclass(frozen=True, slots=True)
class LeftHandSide:
    """items: kind and argument (a literal in lower case, the character for a name)."""

    tokens: tuple[str, ...]
    items: tuple[tuple[int, str], ...]
    least: int = field(repr=False, compare=False)
    most: int | None = field(repr=False, compare=False)
    literals: frozenset[str] = field(repr=False, compare=False)
    first: str = field(repr=False, compare=False)
    has_runtime: bool = field(repr=False, compare=False)

    @classmethod
    def compile(cls, tokens: Sequence[str]) -> LeftHandSide:
        # A file may have 100,000 rules: one pass, without a call for each token.
        items: list[tuple[int, str]] = []
        literals: list[str] = []
        least, grows, has_runtime = 0, False, False
        for token in tokens:
            kind = _KINDS.get(token[0])
            if kind is None:
                literal = token.lower()
                items.append((_LITERAL, literal))
                literals.append(literal)
                least += 1
                continue
            items.append((kind, token[1:2]))
            least += kind not in _MAY_BE_NOTHING
            grows = grows or kind in _MAY_GROW
            has_runtime = has_runtime or kind == _RUNTIME
        first = items[0][1] if items and items[0][0] == _LITERAL else ""
        most = None if grows else least
        found = frozenset(literals)
        return cls(tuple(tokens), tuple(items), least, most, found, first, has_runtime)

    @property
    def wildcards(self) -> int:
        return sum([kind in WILDCARDS for kind, _argument in self.items])

    def cannot_match(self, folded: Sequence[str]) -> bool:
        """A quick no. folded: the tokens in lower case. Says nothing of patterns with `$&x`."""
        size = len(folded)
        return (
            size < self.least
            or (self.most is not None and size > self.most)
            or (self.first != "" and self.first != folded[0])
            or not self.literals.issubset(folded)
        )


class Matcher:
    """Matches patterns with one configuration's classes and run-time macros."""

    def __init__(self, tables: TokenTables, classes: Classes, value: RuntimeValue) -> None:
        self._tables, self._classes, self._value = tables, classes, value

    def match(
        self,
        pattern: LeftHandSide,
        tokens: Sequence[str],
        folded: Sequence[str],
        *,
        watched: bool = False,
    ) -> list[Span] | None:
        """What each wildcard takes, or None. folded: the tokens in lower case.

        watched: read run-time macros as often as sendmail does, which shows each time.
        """
        if not pattern.has_runtime and pattern.cannot_match(folded):
            return None
        forgetful = PLAIN_STEPS if watched and pattern.has_runtime else 0
        return _Attempt(self, pattern, tokens, folded, forgetful).run()

    def phrase(self, code: str, tokens: Sequence[str], start: int, end: int) -> int | None:
        """The end of the shortest phrase from `start`, of more than `end - start` tokens."""
        words = self._classes.folded(code)
        longest = self._classes.longest(code)
        if not words:
            return None
        tables = self._tables
        text = fold(tables.join(tokens[start:end])) if end > start else ""
        for index in range(end, len(tokens)):
            token = tokens[index]
            if (
                index > start
                and token[:1] not in tables.not_atoms
                and tokens[index - 1][:1] not in tables.not_atoms
            ):
                text += tables.space
            text += fold(token)
            if text in words:
                return index + 1
            if len(text) > longest:
                return None
        return None

    def excludes(self, code: str, token: str) -> bool:
        """Whether `$~X` takes the token."""
        return token not in self._classes.folded(code)

    def runtime(self, code: str, folded: Sequence[str], start: int) -> int | None:
        """The end of the tokens that are a macro's value, which is compared as text."""
        value = self._value(code)
        if value is None:
            return start
        rest, at = fold(value), start
        while rest:
            if at >= len(folded) or not rest.startswith(folded[at]):
                return None
            rest = rest[len(folded[at]) :]
            at += 1
        return at


class _Attempt:
    """One match: a search in depth, in which (item, token) is entered at most once."""

    def __init__(
        self,
        matcher: Matcher,
        pattern: LeftHandSide,
        tokens: Sequence[str],
        folded: Sequence[str],
        forgetful: int,
    ) -> None:
        self._matcher, self._items = matcher, pattern.items
        self._tokens, self._folded, self._size = tokens, folded, len(folded)
        self._failed: set[int] = set()
        self._forgetful = forgetful
        # By item, for `$*` and `$+`: from which token on everything behind it is known to fail.
        self._hopeless = [self._size + 1] * len(self._items)

    def run(self) -> list[Span] | None:
        items, size = self._items, self._size
        width = size + 1
        failed = self._failed
        # What each wildcard took: item, first token, token behind the last one.
        taken: list[tuple[int, int, int]] = []
        item = at = 0
        while item < len(items) or at < size:
            state = item * width + at
            end = None
            if state not in failed:
                if self._forgetful:
                    self._forgetful -= 1
                else:
                    failed.add(state)
                end = self._step(item, at)
            if end is not None:
                if items[item][0] in WILDCARDS:
                    taken.append((item, at, end))
                item, at = item + 1, end
                continue
            while taken:
                item, start, end = taken.pop()
                more = self._extended(item, start, end)
                if more is not None:
                    taken.append((item, start, more))
                    item, at = item + 1, more
                    break
            else:
                return None
        return [(start, end) for _item, start, end in taken]

    def _step(self, item: int, at: int) -> int | None:
        """Where the text goes on when an item has taken the least it can, or None."""
        if item == len(self._items):
            return None
        kind, argument = self._items[item]
        if kind == _LITERAL:
            return at + 1 if at < self._size and self._folded[at] == argument else None
        if kind == _ANY:
            return self._reached(item, at)
        if kind == _NOTHING:
            return at
        if at >= self._size:
            return None
        if kind == _ONE:
            return at + 1
        if kind == _SOME:
            return self._reached(item, at + 1)
        if kind == _CLASS:
            return self._matcher.phrase(argument, self._tokens, at, at)
        if kind == _NOT_CLASS:
            return at + 1 if self._matcher.excludes(argument, self._folded[at]) else None
        return self._matcher.runtime(argument, self._folded, at)

    def _reached(self, item: int, end: int) -> int | None:
        """Where `$*` or `$+` ends that ends there or later: the first place at which what follows
        it can begin. None if there is none, or all behind it is known to fail."""
        if end < self._hopeless[item]:
            following = item + 1
            if following == len(self._items):
                end = self._size
            elif self._items[following][0] == _LITERAL:
                try:
                    end = self._folded.index(self._items[following][1], end)
                except ValueError:
                    return None
            if end < self._hopeless[item]:
                return end
        return None

    def _extended(self, item: int, start: int, end: int) -> int | None:
        """Where a wildcard ends that takes more than before, or None."""
        kind, argument = self._items[item]
        if kind in (_ANY, _SOME):
            more = self._reached(item, end + 1) if end < self._size else None
            if more is None and not self._forgetful:
                least = start + (kind == _SOME)
                self._hopeless[item] = min(self._hopeless[item], least)
            return more
        if end < self._size and kind == _CLASS:
            return self._matcher.phrase(argument, self._tokens, start, end)
        return None
