"""Metas in the order in which they can be computed, and only those that a hit concerns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from filterd.rules.conf.lines import LineError
from filterd.rules.conf.meta import Meta, compile_meta
from filterd.rules.conf.rule import MetaTest, Problem, Rule


class Metas:
    """The metas of a rule set.

    order: each after the metas that it names. always: those that may hit though nothing that they
    name does, `!A` for example. by_name: numbers of those that name a rule.
    """

    def __init__(self, order: list[tuple[str, Meta]]) -> None:
        self._order = order
        self._always = [number for number, (_, meta) in enumerate(order) if meta.value(_nothing)]
        self._by_name: dict[str, list[int]] = defaultdict(list)
        for number, (_, meta) in enumerate(order):
            for name in meta.names:
                self._by_name[name].append(number)

    @classmethod
    def of(cls, rules: Iterable[Rule], problems: list[Problem], *, use_network: bool) -> Metas:
        """Compile and sort. Adds to the problems what cannot be used."""
        compiled: dict[str, Meta] = {}
        for rule in rules:
            assert isinstance(rule.test, MetaTest)
            try:
                compiled[rule.name] = compile_meta(rule.test.expression, use_network=use_network)
            except LineError as error:
                problems.append(Problem(rule.origin, f"{rule.name}: {error}"))
        return cls([(name, compiled[name]) for name in _sorted(compiled)])

    def run(self, hits: dict[str, int], not_run: Collection[str] = ()) -> None:
        """Add the metas that hit. not_run: rules of which nothing is known; a meta that names one,
        or such a meta, does not hit."""
        unknown = set(not_run)
        if unknown:
            unknown.update(name for name, meta in self._order if not unknown.isdisjoint(meta.names))
        waiting = set(self._always)
        for name in hits:
            waiting.update(self._by_name.get(name, ()))
        # Numbers of metas that depend on one are above its own.
        while waiting:
            number = min(waiting)
            waiting.discard(number)
            name, meta = self._order[number]
            if name in unknown:
                continue
            value = meta.value(lambda one: hits.get(one, 0))
            if value:
                hits[name] = max(int(value), 1)
                waiting.update(after for after in self._by_name.get(name, ()) if after > number)


def _nothing(_name: str) -> int:
    return 0


def _sorted(metas: dict[str, Meta]) -> list[str]:
    """The names, each after those that its meta names. There are no circles: the reader has left
    them out."""
    found: dict[str, None] = {}
    for first in metas:
        stack = [first]
        while stack:
            name = stack[-1]
            missing = [one for one in metas[name].names if one in metas and one not in found]
            missing = [one for one in missing if one not in stack]
            if missing:
                stack.append(missing[0])
            else:
                found[stack.pop()] = None
    return list(found)
