"""A rule set, compiled: which of its rules hit in a message.

Rules run by priority; of one priority patterns first, then eval tests. Metas follow, each after
those that it names; a rule that did not run counts as 0 there. Source: Mail::SpamAssassin::Conf(3),
and what SpamAssassin 4.0 does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filterd.rules.captures import matching_of
from filterd.rules.conf.rule import EvalTest, MetaTest, Rule, RuleProblem, RuleSet
from filterd.rules.evals.registry import Function
from filterd.rules.metas import Metas
from filterd.rules.pattern_cache import PatternCache
from filterd.rules.patterns import TooMuchWork
from filterd.rules.tests import Matching, NotUsable, patterns_of
from filterd.rules.tests_together import Together
from filterd.rules.view.view import View

log = logging.getLogger(__name__)

SECONDS = 20.0
"""For all rules and one message. What has not run then is left out, and the log says so."""

LATE = "TIME_LIMIT_EXCEEDED"
"""Hits where the time was not enough for all rules, as in SpamAssassin."""

LATE_DESCRIPTION = f"The rules took more than {SECONDS:g} seconds: not all of them have run"
"""Of `LATE`, for which no file has a description."""

SHOWN = 20
"""Matches of one rule that `where` gives."""

_FAILURES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TooMuchWork,
    TypeError,
    ValueError,
)
"""What an eval test, or a search, may raise: it costs that rule and no other."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that hits. score: its points, those of all hits together with `tflags multiple`.
    count: how often, or the value that the test gave."""

    name: str
    score: float
    count: int = 1


class CompiledRules:
    """Rules ready to be asked; nothing in them changes any more, so that workers share them.

    problems: rules that are left out because their pattern, or expression, cannot be used.
    """

    def __init__(
        self,
        rule_set: RuleSet,
        evals: Mapping[str, Function],
        score_set: int,
        patterns: PatternCache,
    ) -> None:
        self._rule_set = rule_set
        self._rules = rule_set.rules
        self._evals = evals
        self._score_set = score_set
        self._failed: set[str] = set()
        problems: list[RuleProblem] = []
        used = [rule for rule in rule_set.rules.values() if rule.scores[score_set]]
        patterns.know(pattern for rule in used for pattern in patterns_of(rule))
        self._matching: dict[str, Matching] = {}
        self._eval_rules: list[Rule] = []
        metas: list[Rule] = []
        for rule in used:
            if isinstance(rule.test, MetaTest):
                metas.append(rule)
            elif isinstance(rule.test, EvalTest):
                if self._asks(rule):
                    self._eval_rules.append(rule)
            else:
                try:
                    self._matching[rule.name] = matching_of(rule)
                except NotUsable as error:
                    problems.append(RuleProblem(rule.origin, f"{rule.name}: {error}"))
        self._metas = Metas.of(metas, problems, use_network=bool(score_set & 1))
        self._together = Together(self._matching.values(), patterns)
        patterns.save()
        self._order = sorted(
            {rule.priority for rule in used if not isinstance(rule.test, MetaTest)}
        )
        self._evals_at: dict[int, list[Rule]] = {}
        for rule in self._eval_rules:
            self._evals_at.setdefault(rule.priority, []).append(rule)
        self.problems = tuple(problems)

    @classmethod
    def of(
        cls,
        rule_set: RuleSet,
        evals: Mapping[str, Function],
        *,
        use_bayes: bool,
        use_network: bool,
        cache: Path | None = None,
    ) -> CompiledRules:
        """Compile. use_bayes, use_network: the score set, and whether such eval tests run. cache:
        a folder for what takes long to compile."""
        score_set = (2 if use_bayes else 0) | (1 if use_network else 0)
        return cls(rule_set, evals, score_set, PatternCache(cache))

    def _asks(self, rule: Rule) -> bool:
        """Whether an eval test runs here."""
        assert isinstance(rule.test, EvalTest)
        return (
            rule.test.function in self._evals
            and ("net" not in rule.flags or bool(self._score_set & 1))
            and ("learn" not in rule.flags or bool(self._score_set & 2))
        )

    def check(self, view: View, seconds: float = SECONDS) -> tuple[Hit, ...]:
        """All rules that hit, parts of rules among them, in the order in which they ran.

        Where the time was not enough, metas that name what has not run are left out as well: `!A`
        would hold though A was never tried.
        """
        deadline = time.monotonic() + seconds
        hits = view.hits
        times: dict[str, int] = {}
        not_run: set[str] = set()
        waiting = self._together.waiting(view)
        for priority in self._order:
            for one in waiting.get(priority, ()):
                if not_run or time.monotonic() > deadline:
                    not_run.add(one.rule.name)
                    continue
                count = self._tried(one.rule, one.count, view)
                if count:
                    hits[one.rule.name] = times[one.rule.name] = count
            for rule in self._evals_at.get(priority, ()):
                if not_run or time.monotonic() > deadline:
                    not_run.add(rule.name)
                    continue
                value = self._tried(rule, self._asked, rule, view)
                if value:
                    hits[rule.name] = value
        self._metas.run(hits, not_run)
        if not_run:
            log.warning(
                "id=%s rules took more than %g s; not all have run", view.message.id, seconds
            )
        found = [
            Hit(name, self._rules[name].scores[self._score_set] * times.get(name, 1), count)
            for name, count in hits.items()
        ]
        return (*found, *([Hit(LATE, 0.0)] if not_run else ()))

    def where(self, view: View, name: str) -> list[tuple[str, bytes]]:
        """What one rule matches, and where: the number of a paragraph, the name of a field. Empty
        for rules without a pattern."""
        one = self._matching.get(name)
        if one is None:
            return []
        return [(place, text[start:end]) for place, text, (start, end) in one.places(view, SHOWN)]

    def _asked(self, rule: Rule, view: View) -> int:
        assert isinstance(rule.test, EvalTest)
        view.kind = rule.test.kind
        value = self._evals[rule.test.function](view, *rule.test.arguments)
        # As SpamAssassin notes it: what is true and below 1 counts as 1.
        return max(int(value), 1) if value else 0

    def _tried(self, rule: Rule, test: Any, *about: Any) -> int:
        """What the test says; 0 where it fails, which the log says once a rule."""
        try:
            found: int = test(*about)
        except _FAILURES as error:
            if rule.name not in self._failed:
                self._failed.add(rule.name)
                log.warning("rule %s (%s) failed: %r", rule.name, rule.origin, error)
            return 0
        return found
