"""From all lines that were read to rules: scores, flags, priorities, what metas depend on.

Source: Mail::SpamAssassin::Conf(3), and what SpamAssassin 4.0 does when it has read its files.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from filterd.rules.conf.lines import LineError
from filterd.rules.conf.meta import compile_meta, expanded, glob_matches, globs_of
from filterd.rules.conf.replace import Tags
from filterd.rules.conf.rule import (
    HeaderTest,
    MetaTest,
    Origin,
    Rule,
    RulePattern,
    RuleProblem,
    Test,
    TextTest,
)

NETWORK_PRIORITY = -100
"""Of a rule with `tflags net` whose priority no line sets: its questions are asked early."""

GLOB_WORK = 20_000_000
"""How many names all `rules_matching(...)` together are compared with."""

EXPANDED_NAMES = 200_000
"""How many names all `rules_matching(...)` together stand for."""


@dataclass(slots=True)
class Drafts:
    """What lines have said so far, by the name of the rule."""

    tests: dict[str, tuple[Test, Origin]]
    scores: dict[str, tuple[float, float, float, float]]
    descriptions: dict[str, str]
    flags: dict[str, str]
    priorities: dict[str, int]
    tags: Tags


def finished(
    drafts: Drafts, pattern_error: Callable[[RulePattern], str] | None
) -> tuple[dict[str, Rule], list[RuleProblem]]:
    """The rules, and what was found to be wrong with some.

    pattern_error: says what is wrong with a pattern in which tags were replaced.
    """
    problems: list[RuleProblem] = []
    _replace_tags(drafts, problems, pattern_error)
    _expand_globs(drafts, problems)
    _drop_circles(drafts, problems)
    flags = {name: _flags(drafts.flags.get(name, "")) for name in drafts.tests}
    priorities = _priorities(drafts, flags)
    _inherit_net(drafts, flags)
    rules: dict[str, Rule] = {}
    for name, (test, origin) in drafts.tests.items():
        priority = priorities[name] or (NETWORK_PRIORITY if "net" in flags[name] else 0)
        rules[name] = Rule(
            name,
            test,
            origin,
            drafts.scores.get(name) or _default_scores(name, drafts.flags.get(name, "")),
            drafts.descriptions.get(name, ""),
            flags[name],
            priority,
        )
    return rules, problems


def _flags(text: str) -> dict[str, str]:
    found = {}
    for word in text.split():
        key, _, value = word.partition("=")
        found[key] = value
    return found


def _default_scores(name: str, flags: str) -> tuple[float, float, float, float]:
    score = 0.01 if name.startswith("T_") else 1.0
    if "nice" in flags.split():
        score = -score
    return (score, score, score, score)


def _replace_tags(
    drafts: Drafts, problems: list[RuleProblem], pattern_error: Callable[[RulePattern], str] | None
) -> None:
    for name in drafts.tags.rules:
        test, origin = drafts.tests.get(name, (None, None))
        if not isinstance(test, HeaderTest | TextTest) or origin is None:
            continue
        try:
            source = drafts.tags.replaced(test.pattern.source)
        except LineError as error:
            problems.append(RuleProblem(origin, f"{name}: {error}; its tags stay as they are"))
            continue
        if source == test.pattern.source:
            continue
        pattern = replace(test.pattern, source=source)
        wrong = pattern_error(pattern) if pattern_error else ""
        if wrong:
            text = f"{name}: with text for its tags: {wrong}; its tags stay as they are"
            problems.append(RuleProblem(origin, text))
        else:
            drafts.tests[name] = (replace(test, pattern=pattern), origin)


def _expand_globs(drafts: Drafts, problems: list[RuleProblem]) -> None:
    known: dict[str, tuple[str, ...]] = {}
    names = sorted(drafts.tests)
    budget, work = EXPANDED_NAMES, GLOB_WORK
    for name, (test, origin) in list(drafts.tests.items()):
        if not isinstance(test, MetaTest):
            continue
        globs = globs_of(test.expression)
        if not globs:
            continue
        for glob in globs:
            if glob not in known and work >= 0:
                work -= len(names)
                known[glob] = tuple(one for one in names if glob_matches(glob, one))
            budget -= len(known.get(glob, ()))
        if budget < 0 or work < 0:
            text = f"{name}: the rules_matching(...) of all rules stand for too many names"
            problems.append(RuleProblem(origin, f"{text}: it is left out"))
            del drafts.tests[name]
            continue
        text = expanded(test.expression, partial(_others, known, name))
        try:
            drafts.tests[name] = (MetaTest(text, compile_meta(text).names), origin)
        except LineError as error:
            problems.append(RuleProblem(origin, f"{name}: {error}: it is left out"))
            del drafts.tests[name]


def _others(known: Mapping[str, tuple[str, ...]], own: str, glob: str) -> list[str]:
    return [name for name in known[glob] if name != own]


def _metas(drafts: Drafts) -> Mapping[str, frozenset[str]]:
    """Meta rules, each with those other rules, defined or not, that it names."""
    return {
        name: test.names for name, (test, _) in drafts.tests.items() if isinstance(test, MetaTest)
    }


def _drop_circles(drafts: Drafts, problems: list[RuleProblem]) -> None:
    """Leave out metas that depend on each other, and those that depend on such metas."""
    metas = _metas(drafts)
    waits = {name: {one for one in names if one in metas} for name, names in metas.items()}
    used_by: dict[str, list[str]] = {}
    for name, needed in waits.items():
        for one in needed:
            used_by.setdefault(one, []).append(name)
    ready = [name for name, needed in waits.items() if not needed]
    while ready:
        done = ready.pop()
        del waits[done]
        for name in used_by.get(done, ()):
            waits[name].discard(done)
            if not waits[name]:
                ready.append(name)
    step = {name: min(needed) for name, needed in waits.items()}
    for name in waits:
        text = f"{name}: meta rules depend on each other: {_way(name, step)}: it is left out"
        problems.append(RuleProblem(drafts.tests[name][1], text))
        del drafts.tests[name]


def _way(name: str, step: Mapping[str, str]) -> str:
    """From a rule to one that it depends on, and so on: a few of them."""
    way = [name]
    while len(way) < 6 and way[-1] not in way[:-1]:
        way.append(step[way[-1]])
    return " → ".join(way)


def _priorities(drafts: Drafts, flags: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """A rule runs no later than the metas that need it; 0 where nothing sets one."""
    found = {name: drafts.priorities.get(name, 0) for name in drafts.tests}
    metas = _metas(drafts)
    # Lowest first, so that none comes down again after its turn.
    queue = [(found[name], name) for name in metas]
    heapq.heapify(queue)
    while queue:
        base, name = heapq.heappop(queue)
        if base != found[name]:
            continue
        for needed in metas[name]:
            if needed not in found or found[needed] <= base:
                continue
            early = base < NETWORK_PRIORITY and "net" in flags[needed]
            found[needed] = NETWORK_PRIORITY if early else base
            if needed in metas:
                heapq.heappush(queue, (found[needed], needed))
    return found


def _inherit_net(drafts: Drafts, flags: Mapping[str, dict[str, str]]) -> None:
    """A meta that needs a rule with `net` has it, too."""
    metas = _metas(drafts)
    used_by: dict[str, list[str]] = {}
    for name, needed in metas.items():
        for one in needed:
            used_by.setdefault(one, []).append(name)
    ready = [name for name in flags if "net" in flags[name]]
    while ready:
        for name in used_by.get(ready.pop(), ()):
            if "net" not in flags[name]:
                flags[name]["net"] = ""
                ready.append(name)
