"""All rules with patterns at once: one pass over each text says which of them to try.

It names every pattern that matches and some that do not; only these are searched by themselves. Of
a field that a message does not have, only those rules are tried that hit without it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from filterd.rules.conf.rule import RuleKind, RulePattern
from filterd.rules.pattern_cache import PatternCache
from filterd.rules.patterns import TooMuchWork
from filterd.rules.patterns.texts import PatternTexts
from filterd.rules.tests import Exists, InHeader, InMimeHeader, InText, Matching, texts_of
from filterd.rules.view.view import View, real_field

FEW = 2
"""Rules of one field that are tried each time: one search costs as much as the pass."""

Rules = TypeVar("Rules", InHeader, InMimeHeader)


class _RuleGroup(Protocol):
    """Rules that look at the same thing."""

    def waiting(self, view: View) -> Iterable[Matching]:
        """Those that may hit."""


class Together:
    """The patterns of all rules, by what they look at: a kind of text, or a field."""

    def __init__(self, rules: Iterable[Matching], patterns: PatternCache) -> None:
        texts: dict[RuleKind, list[Matching]] = defaultdict(list)
        fields: dict[Hashable, list[InHeader]] = defaultdict(list)
        part_fields: dict[Hashable, list[InMimeHeader]] = defaultdict(list)
        self._each: list[Matching] = []
        self._exists: dict[bytes, list[Matching]] = defaultdict(list)
        # Rules that are tried in place of those whose pattern says when.
        self._narrower: dict[Matching, Matching] = {}
        for one in rules:
            wider = one.wider
            if isinstance(wider, InText):
                texts[wider.kind].append(wider)
                if wider is not one:
                    self._narrower[wider] = one
            elif isinstance(one, InHeader):
                fields[one.looked_at].append(one)
            elif isinstance(one, InMimeHeader) and not one.tells_absence:
                part_fields[one.looked_at].append(one)
            elif isinstance(one, Exists) and (name := real_field(one.field)) is not None:
                self._exists[name].append(one)
            else:
                self._each.append(one)
        self._groups: list[_RuleGroup] = [
            *(_InText(kind, found, patterns) for kind, found in texts.items()),
            *(_InField(found, patterns) for found in fields.values()),
            *(_InPartField(found, patterns) for found in part_fields.values()),
        ]

    def waiting(self, view: View) -> Mapping[int, list[Matching]]:
        """The rules that may hit, by priority."""
        found = self._each.copy()
        for name in view.field_names:
            found += self._exists.get(name, ())
        for group in self._groups:
            found += group.waiting(view)
        at: dict[int, list[Matching]] = defaultdict(list)
        for waiting in found:
            one = self._narrower.get(waiting, waiting)
            at[one.rule.priority].append(one)
        return at


class _Patterns(Generic[Rules]):
    """Rules, and which of them to try in a text: those whose pattern is there, and all that hit
    where it is not."""

    def __init__(self, rules: Sequence[Rules], patterns: PatternCache) -> None:
        self._always: list[Rules] = [one for one in rules if one.negated]
        self._rules: list[Rules] = [one for one in rules if not one.negated]
        if len(self._rules) > FEW:
            self._database = patterns.database([*map(_of, self._rules)])
        else:
            self._always += self._rules
            self._rules = []

    def may_hit(self, texts: PatternTexts) -> list[Rules]:
        """Those to try."""
        if not self._rules:
            return self._always
        return self._always + [self._rules[one] for one in self._database.candidates(texts)]


class _InText:
    """Rules for one kind of text."""

    def __init__(self, kind: RuleKind, rules: Sequence[Matching], patterns: PatternCache) -> None:
        self._kind = kind
        self._rules = rules
        self._database = patterns.database([*map(_of, rules)])

    def waiting(self, view: View) -> list[Matching]:
        numbers = self._database.candidates(texts_of(view, self._kind))
        return [self._rules[number] for number in numbers]


class _InField:
    """Rules for one field of the header. What it is there without is found out once."""

    def __init__(self, rules: Sequence[InHeader], patterns: PatternCache) -> None:
        self._first = rules[0]
        self._name = real_field(self._first.key[0])
        self._patterns = _Patterns(rules, patterns)
        self._unset: list[Matching] | None = None

    def waiting(self, view: View) -> Collection[Matching]:
        if self._name is None or self._name in view.field_names:
            text = self._first.text(view)
            if text != self._first.unset:
                return self._patterns.may_hit(PatternTexts((text,)))
        if self._unset is None:
            texts = PatternTexts((self._first.unset,))
            self._unset = [one for one in self._patterns.may_hit(texts) if _hits_unset(one)]
        return self._unset


class _InPartField:
    """Rules for one field of the parts' headers."""

    def __init__(self, rules: Sequence[InMimeHeader], patterns: PatternCache) -> None:
        self._first = rules[0]
        self._patterns = _Patterns(rules, patterns)

    def waiting(self, view: View) -> Collection[Matching]:
        texts = [value for value in self._first.all_values(view) if value]
        return self._patterns.may_hit(PatternTexts(texts)) if texts else ()


def _hits_unset(one: InHeader) -> bool:
    try:
        return bool(one.count_of(one.unset))
    except TooMuchWork:
        return True  # for the checker to tell


def _of(one: Matching) -> RulePattern:
    assert one.pattern is not None
    return one.pattern
