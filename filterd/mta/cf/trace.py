"""Which rules made what of an address: a tree of rulesets, matched rules, lookups and messages.

Text is as test mode shows it: a blank between tokens, marks as `$#`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from filterd.mta.cf.marks import Names, readable
from filterd.mta.cf.observer import Lookup, Observer, RuleMessage
from filterd.mta.cf.patterns import WILDCARDS, Span
from filterd.mta.cf.rules import RewriteRule
from filterd.mta.cf.rulesets import Ruleset

MAX_STEPS = 10_000
"""Rules and calls that a trace remembers; rules that loop have no end."""

MAX_MESSAGES = 1000
"""Messages outside of them: the first ones, and the last."""

MAX_SHOWN = 10_000
"""Characters of a workspace; of a longer one the beginning."""


@dataclass(frozen=True, slots=True)
class WildcardText:
    """What a wildcard of a rule took: `$1`, the wildcard as written, the text."""

    reference: str
    wildcard: str
    text: str


@dataclass(slots=True)
class RuleStep:
    """A rule that matched. line: of the file. result: the workspace afterwards."""

    line: int
    left: str
    right: str
    taken: tuple[WildcardText, ...]
    lookups: list[Lookup] = field(default_factory=list)
    calls: list[TraceRun] = field(default_factory=list)
    messages: list[RuleMessage] = field(default_factory=list)
    result: str = ""


@dataclass(slots=True)
class TraceRun:
    """A ruleset that was called. failed: it ended with an error. tried: rules that were tried."""

    name: str
    number: int
    given: str
    steps: list[RuleStep] = field(default_factory=list)
    messages: list[RuleMessage] = field(default_factory=list)
    result: str = ""
    failed: bool = True
    tried: int = 0


class Tracer(Observer):
    """Remembers what rules do. runs: the rulesets that were run from outside; messages: what was
    said outside of them; left_out: rules matched after the first `limit`."""

    details = True

    def __init__(self, names: Names, limit: int = MAX_STEPS) -> None:
        self._names = names
        self._limit = limit
        self.runs: list[TraceRun] = []
        self.messages: list[RuleMessage] = []
        self.left_out = 0
        self._open: list[TraceRun | None] = []  # None for one that is not kept
        self._steps = 0

    def _shown(self, tokens: Iterable[str]) -> str:
        text = readable(" ".join(self._names.dollars(token) for token in tokens))
        return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"

    def _has_room(self) -> bool:
        """Count one more rule or call."""
        self._steps += 1
        return self._steps <= self._limit

    @property
    def _step(self) -> RuleStep | None:
        """The rule that is being carried out."""
        run = self._run
        return run.steps[-1] if run is not None and run.steps else None

    @property
    def _run(self) -> TraceRun | None:
        return self._open[-1] if self._open else None

    def enter(self, ruleset: Ruleset, tokens: Sequence[str]) -> None:
        if not self._has_room():
            self._open.append(None)
            return
        run = TraceRun(ruleset.title, ruleset.number, self._shown(tokens))
        if self._step is not None:
            self._step.calls.append(run)
        elif not self._open:
            self.runs.append(run)
        self._open.append(run)

    def leave(self, ruleset: Ruleset, tokens: Sequence[str]) -> None:
        del ruleset, tokens
        if self._run is not None:
            self._run.failed = False

    def end(self, ruleset: Ruleset, tokens: Sequence[str]) -> None:
        del ruleset
        run = self._open.pop()
        if run is not None:
            run.result = self._shown(tokens)

    def trying(self, rule: RewriteRule) -> None:
        del rule
        if self._run is not None:
            self._run.tried += 1

    def matched(self, rule: RewriteRule, tokens: Sequence[str], taken: Sequence[Span]) -> None:
        run = self._run
        if run is None or not self._has_room():
            self.left_out += 1
            return
        pattern = rule.pattern
        wildcards = [
            token
            for token, (kind, _argument) in zip(pattern.tokens, pattern.items, strict=True)
            if kind in WILDCARDS
        ]
        took = tuple(
            WildcardText(f"${number}", self._shown([wildcard]), self._shown(tokens[start:end]))
            for number, (wildcard, (start, end)) in enumerate(zip(wildcards, taken, strict=True), 1)
        )
        run.steps.append(RuleStep(rule.line, rule.left, rule.right, took))

    def rewritten(self, tokens: Sequence[str]) -> None:
        if self._step is not None and not self.left_out:
            self._step.result = self._shown(tokens)

    def looked_up(self, lookup: Lookup) -> None:
        if self._step is not None and not self.left_out:
            self._step.lookups.append(lookup)

    def message(self, message: RuleMessage) -> None:
        place: RuleStep | TraceRun | None = self._step or self._run
        if place is not None and not self.left_out:
            place.messages.append(message)
        else:
            # The last one says how it ended.
            del self.messages[MAX_MESSAGES - 1 :]
            self.messages.append(message)
