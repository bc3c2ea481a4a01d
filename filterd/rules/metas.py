"""Metas in the order in which they can be computed, and only those that a hit concerns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from heapq import heappop, heappush

from filterd.rules.conf.lines import LineError
from filterd.rules.conf.meta import Meta, compile_meta
from filterd.rules.conf.rule import MetaTest, Rule, RuleProblem


class Metas:
    """The metas of a rule set: `order`, each after the metas that it names."""

    def __init__(self, order: list[tuple[str, Meta]]) -> None:
        self._order = order
        numbers = {name: number for number, (name, _) in enumerate(order)}
        # Those that may hit though nothing that they name does, `!A` for example.
        self._always = [number for number, (_, meta) in enumerate(order) if meta.value(_nothing)]
        self._after: dict[str, list[int]] = defaultdict(list)
        for number, (_, meta) in enumerate(order):
            names = meta.names
            if meta.needed:
                # Without one of these it does not hit; metas hit less often than other rules.
                names = frozenset((max(sorted(meta.needed), key=lambda one: numbers.get(one, -1)),))
            for name in names:
                self._after[name].append(number)
        self._zeros = {name: 0 for _, meta in order for name in meta.names}

    @classmethod
    def of(cls, rules: Iterable[Rule], problems: list[RuleProblem], *, use_network: bool) -> Metas:
        """Compile and sort. Adds to the problems what cannot be used."""
        compiled: dict[str, Meta] = {}
        for rule in rules:
            assert isinstance(rule.test, MetaTest)
            try:
                compiled[rule.name] = compile_meta(rule.test.expression, use_network=use_network)
            except LineError as error:
                problems.append(RuleProblem(rule.origin, f"{rule.name}: {error}"))
        return cls([(name, compiled[name]) for name in _sorted(compiled)])

    def run(self, hits: dict[str, int], not_run: Collection[str] = ()) -> None:
        """Add the metas that hit. not_run: rules of which nothing is known; a meta that names one,
        or such a meta, does not hit."""
        unknown = set(not_run)
        if unknown:
            unknown.update(name for name, meta in self._order if not unknown.isdisjoint(meta.names))
        values = self._zeros | hits
        waiting = set(self._always)
        for name in hits:
            waiting.update(self._after.get(name, ()))
        queue = sorted(waiting)
        while queue:
            number = heappop(queue)
            name, meta = self._order[number]
            if name in unknown or not meta.needed <= hits.keys():
                continue
            value = meta.value(values.__getitem__)
            if value:
                hits[name] = values[name] = max(int(value), 1)
                # Numbers of metas that depend on one are above its own.
                for after in self._after.get(name, ()):
                    if after > number and after not in waiting:
                        waiting.add(after)
                        heappush(queue, after)


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
