"""All rules with patterns at once: one pass over each text says which of them to try.

It names every pattern that matches and some that do not; only these are searched by themselves. A
rule that hits where its pattern does not match is tried each time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from filterd.rules.conf.rule import Kind, Pattern
from filterd.rules.pattern_cache import PatternCache
from filterd.rules.patterns.database import Database
from filterd.rules.patterns.texts import Texts
from filterd.rules.tests import InHeader, InText, Matching, texts_of
from filterd.rules.view.view import View

FEW = 2
"""Rules of one field that are tried each time: one search costs as much as the pass."""


class Together:
    """The patterns of all rules, by what they look at: a kind of text, or a field."""

    def __init__(self, rules: Iterable[Matching], patterns: PatternCache) -> None:
        texts: dict[Kind, list[Matching]] = defaultdict(list)
        fields: dict[object, list[InHeader]] = defaultdict(list)
        self._each: list[Matching] = []
        for one in rules:
            if isinstance(one, InText):
                texts[one.kind].append(one)
            elif isinstance(one, InHeader) and not one.negated:
                fields[one.looked_at].append(one)
            else:
                self._each.append(one)
        self._texts: list[tuple[Callable[[View], Texts], list[Matching], Database]] = [
            (partial(texts_of, kind=kind), found, patterns.database([*map(_of, found)]))
            for kind, found in texts.items()
        ]
        self._fields: list[tuple[list[InHeader], Database, dict[bytes, list[int]]]] = []
        for same in fields.values():
            if len(same) <= FEW:
                self._each += same
            else:
                self._fields.append((same, patterns.database([*map(_of, same)]), {}))

    def waiting(self, view: View) -> Mapping[int, list[Matching]]:
        """The rules that may hit, by priority."""
        found: dict[int, list[Matching]] = defaultdict(list)
        for one in self._each:
            found[one.rule.priority].append(one)
        for texts, rules, database in self._texts:
            for number in database.candidates(texts(view)):
                found[rules[number].rule.priority].append(rules[number])
        for fields, database, missing in self._fields:
            text = fields[0].text(view)
            numbers = missing.get(text)
            if numbers is None:
                numbers = database.candidates(Texts((text,)))
                if text == fields[0].unset:
                    missing[text] = numbers
            for number in numbers:
                found[fields[number].rule.priority].append(fields[number])
        return found


def _of(one: Matching) -> Pattern:
    assert one.pattern is not None
    return one.pattern
