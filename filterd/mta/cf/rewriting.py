"""Run rulesets over the tokens of an address (the workspace).

For each rule in order: while it matches, its right side replaces the workspace; `$:` in front does
so once, `$@` once and returns. Then lookups are done from left to right, and calls of other
rulesets from right to left. A workspace that begins with `$#` is final.

A status is an exit status of sysexits.h: 75 for a temporary failure of a map, 78 for an error of
the configuration, 65 for a text that cannot be an address.

Source: sendmail 8.17 `parseaddr.c` (rewrite, callsubr, map_lookup).
"""

from __future__ import annotations

from filterd.mta.cf.classes import Classes, fold
from filterd.mta.cf.definitions import Definitions
from filterd.mta.cf.lookup import EX_OK, EX_TEMPFAIL, Maps
from filterd.mta.cf.lookups import EX_CONFIG, EX_DATAERR, LOOKUPS, MapLookups, RulesetError
from filterd.mta.cf.marks import (
    CALL,
    HOST,
    MAILER,
    REFERENCE,
    USER,
)
from filterd.mta.cf.memory import ReadMacro, RememberedRun, RunEvent, RunMemory
from filterd.mta.cf.observer import Observer
from filterd.mta.cf.patterns import Matcher, Span
from filterd.mta.cf.program import Program
from filterd.mta.cf.rules import RewriteRule
from filterd.mta.cf.rulesets import Ruleset
from filterd.mta.cf.tokens import MAX_TOKENS, Tokens, without_quotes
from filterd.mta.cf.voice import Voice

MAX_REWRITES = 100
"""Rewrites by one rule before it counts as an infinite loop."""

MAX_DEPTH = 50
"""Calls inside of calls, MAXRULERECURSION."""

MAX_CALLS = 15
"""Calls in one right side, MAX_SUBR less one."""

MAX_WORK = 1_000_000
"""Rules tried for one ruleset that is run from outside, with all that it calls.

sendmail has no such limit: rulesets that call each other can keep it busy for years.
"""

CALL_COSTS = 50
"""What a call counts for, in rules tried: test mode prints two lines for it."""

_CALLS = frozenset((CALL,))


class _TooMuchWorkError(Exception):
    """All rulesets end."""


class Rewriter:
    """Runs the rulesets of one program.

    definitions, classes: what the rules read, and the class `macro` writes; for one message a copy
    of the program's. memory: of runs over the program's own classes, None to try all rules.
    """

    def __init__(
        self,
        program: Program,
        maps: Maps,
        observer: Observer,
        definitions: Definitions | None = None,
        classes: Classes | None = None,
        memory: RunMemory | None = None,
    ) -> None:
        self.program, self.maps, self.observer = program, maps, observer
        self.definitions = program.definitions if definitions is None else definitions
        self.classes = program.classes if classes is None else classes
        self.voice = Voice(program, observer)
        self.complain = self.voice.complain
        self.scanned = self.voice.scanned
        self.tell = self.voice.tell
        self._lookups = MapLookups(program, maps, observer, self.voice)
        self._matcher = Matcher(program.tables, self.classes, self._runtime_left)
        self._memory = memory
        self._work = 0
        # sendmail takes the quotes off a name in the rule itself; test mode shows that.
        self.unquoted: set[tuple[RewriteRule, str]] = set()

    def run(self, tokens: Tokens, number: int) -> int:
        """Run a ruleset over the tokens, which are changed in place. Returns its status."""
        if self._memory is not None:
            return self._run_or_remember(tokens, number, self._memory)
        return self._run_from_outside(tokens, number)

    def _run_from_outside(self, tokens: Tokens, number: int) -> int:
        self._work = 0
        try:
            return self._run(tokens, number, 0, MAX_TOKENS)
        except _TooMuchWorkError:
            return EX_CONFIG

    def _run_or_remember(self, tokens: Tokens, number: int, memory: RunMemory) -> int:
        known = memory.get(number, tokens)
        if known is not None and self._still_holds(known):
            tokens[:] = known.tokens
            return known.status
        given, said = tuple(tokens), self.voice.said
        events: list[RunEvent] = []
        self._lookups.events = events
        try:
            status = self._run_from_outside(tokens, number)
        finally:
            self._lookups.events = None
        if self.voice.said == said:
            memory.keep(number, given, RememberedRun.of(tokens, status, events))
        return status

    def _still_holds(self, known: RememberedRun) -> bool:
        """Whether all that a run depended on is the same now."""
        for name, version in known.versions:
            if not self._lookups.has_version(name, version):
                return False
        return all(map(self._holds, known.events))

    def _holds(self, event: RunEvent) -> bool:
        """Whether what a run depended on is the same now."""
        if isinstance(event, ReadMacro):
            return self.definitions.value(event.code) == event.value
        return self._lookups.answers_again(event)

    def expanded(self, text: str) -> str:
        """Text with its macros expanded."""
        return self.definitions.expand(text, self.complain)

    # Rulesets

    def _run(self, tokens: Tokens, number: int, depth: int, room: int) -> int:
        ruleset = self.program.rulesets[number]
        observer = self.observer
        self._work += CALL_COSTS
        observer.enter(ruleset, tokens)
        try:
            if depth > MAX_DEPTH:
                self.complain(
                    f"rewrite: excessive recursion (max {MAX_DEPTH}), ruleset {ruleset.title}",
                    enhanced="5.0.0",
                )
                return EX_CONFIG
            status = self._run_rules(ruleset, tokens, depth, room)
            observer.leave(ruleset, tokens)
            return status
        except RulesetError as stop:
            return stop.status
        finally:
            observer.end(ruleset, tokens)

    def _run_rules(self, ruleset: Ruleset, tokens: Tokens, depth: int, room: int) -> int:
        observer = self.observer
        status = EX_OK
        details = observer.details
        rules = ruleset.rules
        index = rewrites = 0
        folded = [fold(token) for token in tokens]
        while index < len(rules):
            if tokens and tokens[0][0] == MAILER:
                break
            rule = rules[index]
            self._work += 1
            if self._work > MAX_WORK:
                self.complain(f"rewrite: more than {MAX_WORK} rules tried, ruleset {ruleset.title}")
                raise _TooMuchWorkError
            if details:
                observer.trying(rule)
            if rewrites >= MAX_REWRITES:
                self.complain(f"Infinite loop in ruleset {ruleset.title}, rule {index + 1}")
                observer.looped(tokens)
                break
            taken = self._matcher.match(rule.pattern, tokens, folded, watched=details)
            if taken is None:
                if details:
                    observer.failed(rule)
                index, rewrites = index + 1, 0
                continue
            rewrites += 1
            if details:
                observer.matched(rule, tokens, taken)
            status = self._apply(rule, tokens, taken, ruleset.title, status, (depth, room))
            prefix = rule.replacement.prefix
            if prefix == HOST:
                break
            if prefix == USER:
                index, rewrites = index + 1, 0
            folded = [fold(token) for token in tokens]
        return status

    def _apply(
        self,
        rule: RewriteRule,
        tokens: Tokens,
        taken: list[Span],
        title: str,
        status: int,
        limits: tuple[int, int],
    ) -> int:
        """Replace the workspace. limits: depth of calls, tokens. Returns the ruleset's status."""
        depth, room = limits
        new = self._built(rule, tokens, taken, title, room)
        if not LOOKUPS.isdisjoint(new):
            status = self._lookups.replace(new, status, room)
        if not _CALLS.isdisjoint(new):
            called = self._call(new, depth, rule)
            if status == EX_OK or called == EX_TEMPFAIL:
                status = called
        tokens[:] = new
        if self.observer.details:
            self.observer.rewritten(tokens)
        return status

    def _built(
        self, rule: RewriteRule, tokens: Tokens, taken: list[Span], title: str, room: int
    ) -> Tokens:
        new: Tokens = []
        for text, mark in rule.replacement.items:
            if not mark:
                new.append(text)
            elif mark == REFERENCE:
                which = ord(text) - ord("1") if text else -1
                if not 0 <= which < len(taken):
                    self.complain(f"rewrite: ruleset {title}: replacement ${text} out of bounds")
                    raise RulesetError(EX_CONFIG)
                start, end = taken[which]
                new += tokens[start:end]
            else:
                value = self._runtime_right(text)
                new += value
                if value and len(new) == room:
                    raise self._lookups.too_long()
            if len(new) > room:
                raise self._lookups.too_long()
        return new

    def _runtime_left(self, code: str) -> str | None:
        value = self._read(code)
        if self.observer.details:
            self.observer.runtime_macro("LHS", self.program.names.name(code), value)
        return value

    def _read(self, code: str) -> str | None:
        value = self.definitions.value(code)
        if self._lookups.events is not None:
            self._lookups.events.append(ReadMacro(code, value))
        return value

    def _runtime_right(self, code: str) -> Tokens:
        value = self._read(code)
        if self.observer.details:
            self.observer.runtime_macro("RHS", self.program.names.name(code), value)
        if not value:
            return []
        tokens = self.scanned(value, self.program.tables.addresses)
        if tokens is None:
            raise RulesetError(EX_DATAERR)
        return tokens

    # Calls

    def _call(self, tokens: Tokens, depth: int, rule: RewriteRule) -> int:
        """Carry out the calls among the tokens, the last one first."""
        calls: list[tuple[int, int]] = []
        at = 0
        while at < len(tokens) - 1:
            if tokens[at] != CALL:
                at += 1
                continue
            name = without_quotes(tokens[at + 1])
            if name != tokens[at + 1]:
                self.unquoted.add((rule, tokens[at + 1]))
                tokens[at + 1] = name
            number = self.program.rulesets.find(name, self.complain)
            if number < 0:
                self.complain(f"Unknown ruleset {name}")
                return EX_CONFIG
            if not self.program.rulesets[number].rules:
                self.observer.skip(name, number)
                del tokens[at : at + 2]
                # sendmail goes on behind the token that has taken this one's place.
                at += 1
                continue
            if len(calls) >= MAX_CALLS:
                self.complain(f"Too many subroutine calls ({MAX_CALLS + 1} max)", enhanced="5.3.0")
                return EX_CONFIG
            calls.append((at, number))
            at += 1
        status = EX_OK
        for start, number in reversed(calls):
            workspace = tokens[start + 2 :]
            called = self._run(workspace, number, depth + 1, MAX_TOKENS - start)
            tokens[start:] = workspace
            if called not in (EX_OK, EX_TEMPFAIL):
                return called
            if status == EX_OK or called == EX_TEMPFAIL:
                status = called
        return status
