"""All rules with patterns at once: one pass over each text says which of them to try.

A look for literals names every pattern that matches and some that do not; only these are searched
by themselves. A rule that hits where its pattern does not match is tried each time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from filterd.rules.conf.rule import Kind, Pattern
from filterd.rules.patterns.database import Database
from filterd.rules.patterns.prepared import prepare
from filterd.rules.patterns.texts import Texts
from filterd.rules.tests import InHeader, InText, Matching, texts_of
from filterd.rules.view.view import View


class Together:
    """The patterns of all rules, by what they look at."""

    def __init__(self, rules: Iterable[Matching]) -> None:
        groups: dict[Kind | None, list[Matching]] = defaultdict(list)
        self._each: list[Matching] = []
        for one in rules:
            if isinstance(one, InText):
                groups[one.kind].append(one)
            elif isinstance(one, InHeader) and not one.negated:
                groups[None].append(one)
            else:
                self._each.append(one)
        self._groups = [
            # By literals: to compile the stock rules for Hyperscan takes minutes without a cache.
            (
                _texts(kind, found),
                found,
                Database([prepare(_of(one)) for one in found], uses_hyperscan=False),
            )
            for kind, found in groups.items()
        ]

    def waiting(self, view: View) -> Mapping[int, list[Matching]]:
        """The rules that may hit, by priority."""
        found: dict[int, list[Matching]] = defaultdict(list)
        for one in self._each:
            found[one.rule.priority].append(one)
        for texts, rules, database in self._groups:
            for number in database.candidates(texts(view)):
                one = rules[number]
                found[one.rule.priority].append(one)
        return found


def _of(one: Matching) -> Pattern:
    assert one.pattern is not None
    return one.pattern


def _texts(kind: Kind | None, rules: Sequence[Matching]) -> Callable[[View], Texts]:
    if kind is not None:
        return lambda view: texts_of(view, kind)
    # One rule for each field and what stands for it where it is missing.
    headers = {one.looked_at: one for one in rules if isinstance(one, InHeader)}.values()

    def fields(view: View) -> Texts:
        return Texts(list(dict.fromkeys([one.text(view) for one in headers])))

    return fields
