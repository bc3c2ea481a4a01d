"""Run rulesets over the tokens of an address (the workspace).

For each rule in order: while it matches, its right side replaces the workspace; `$:` in front does
so once, `$@` once and returns. Then lookups are done from left to right, and calls of other
rulesets from right to left. A workspace that begins with `$#` is final.

A status is an exit status of sysexits.h: 75 for a temporary failure of a map, 78 for an error of
the configuration, 65 for a text that cannot be an address.

Source: sendmail 8.17 `parseaddr.c` (rewrite, callsubr, map_lookup).
"""

from __future__ import annotations

from collections.abc import Sequence

from filterd.mta.cf.classes import Classes, fold
from filterd.mta.cf.definitions import Definitions
from filterd.mta.cf.lookup import EX_OK, EX_TEMPFAIL, Map, MapAnswer, Maps
from filterd.mta.cf.marks import (
    CALL,
    ELSE,
    HOST,
    HOST_LOOKUP,
    HOST_LOOKUP_END,
    LOOKUP,
    LOOKUP_END,
    MAILER,
    REFERENCE,
    USER,
    octets,
)
from filterd.mta.cf.observer import Lookup, Message, Observer
from filterd.mta.cf.patterns import Matcher, Span
from filterd.mta.cf.program import Program
from filterd.mta.cf.rules import MAX_ARGUMENTS, Rule
from filterd.mta.cf.tokens import MAX_TOKENS, Table, Tokens, scan

EX_DATAERR = 65
EX_OSERR = 71
EX_CONFIG = 78

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

MAX_KEY = 1021
"""Octets of a key, MAXKEY less 3."""

MAX_VALUE = 1253
"""Octets of all arguments of a lookup, PSBUFSIZE less 3."""

_LOOKUPS = frozenset((LOOKUP, HOST_LOOKUP))
_CALLS = frozenset((CALL,))


class _RulesetError(Exception):
    """A ruleset ends with a status and leaves the workspace as it is."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


class _TooMuchWorkError(Exception):
    """All rulesets end."""


class Rewriter:
    """Runs the rulesets of one program.

    definitions, classes: what the rules read, and the class `macro` writes; for one message a copy
    of the program's.
    """

    def __init__(
        self,
        program: Program,
        maps: Maps,
        observer: Observer,
        definitions: Definitions | None = None,
        classes: Classes | None = None,
    ) -> None:
        self.program, self.maps, self.observer = program, maps, observer
        self.definitions = program.definitions if definitions is None else definitions
        self.classes = program.classes if classes is None else classes
        self._matcher = Matcher(program.tables, self.classes, self._runtime_left)
        self._work = 0

    def run(self, tokens: Tokens, number: int) -> int:
        """Run a ruleset over the tokens, which are changed in place. Returns its status."""
        self._work = 0
        try:
            return self._run(tokens, number, 0, MAX_TOKENS)
        except _TooMuchWorkError:
            return EX_CONFIG

    def complain(self, text: str, code: str = "554", enhanced: str = "5.3.5") -> None:
        """An error of the configuration."""
        self.observer.message(
            Message(code, enhanced, self.program.names.stripped(text), system=True)
        )

    def expanded(self, text: str) -> str:
        """Text with its macros expanded."""
        return self.definitions.expand(text, self.complain)

    def scanned(self, text: str, table: Table) -> Tokens | None:
        """Text as tokens; complaints name the text."""

        def report(error: str) -> None:
            self.user_error(error, text)

        return scan(text, table, report).tokens

    def user_error(self, error: str, address: str) -> None:
        self.observer.message(user_message(self.program, error, address))

    # Rulesets

    def _run(self, tokens: Tokens, number: int, depth: int, room: int) -> int:
        ruleset = self.program.rulesets[number]
        observer = self.observer
        self._work += CALL_COSTS
        observer.enter(ruleset, tokens)
        if depth > MAX_DEPTH:
            self.complain(
                f"rewrite: excessive recursion (max {MAX_DEPTH}), ruleset {ruleset.title}",
                enhanced="5.0.0",
            )
            return EX_CONFIG
        status = EX_OK
        details = observer.details
        rules = ruleset.rules
        index = rewrites = 0
        folded = [fold(token) for token in tokens]
        try:
            while index < len(rules):
                if tokens and tokens[0][0] == MAILER:
                    break
                rule = rules[index]
                self._work += 1
                if self._work > MAX_WORK:
                    self.complain(
                        f"rewrite: more than {MAX_WORK} rules tried, ruleset {ruleset.title}"
                    )
                    raise _TooMuchWorkError
                if details:
                    observer.trying(rule)
                if rewrites >= MAX_REWRITES:
                    self.complain(f"Infinite loop in ruleset {ruleset.title}, rule {index + 1}")
                    observer.looped(tokens)
                    break
                taken = self._matcher.match(rule.pattern, tokens, folded)
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
        except _RulesetError as stop:
            return stop.status
        observer.leave(ruleset, tokens)
        return status

    def _apply(
        self,
        rule: Rule,
        tokens: Tokens,
        taken: list[Span],
        title: str,
        status: int,
        limits: tuple[int, int],
    ) -> int:
        """Replace the workspace. limits: depth of calls, tokens. Returns the ruleset's status."""
        depth, room = limits
        new = self._built(rule, tokens, taken, title, room)
        if not _LOOKUPS.isdisjoint(new):
            status = self._look_up(new, status, room)
        if not _CALLS.isdisjoint(new):
            called = self._call(new, depth)
            if status == EX_OK or called == EX_TEMPFAIL:
                status = called
        tokens[:] = new
        if self.observer.details:
            self.observer.rewritten(tokens)
        return status

    def _built(
        self, rule: Rule, tokens: Tokens, taken: list[Span], title: str, room: int
    ) -> Tokens:
        new: Tokens = []
        for text, mark in rule.replacement.items:
            if not mark:
                new.append(text)
            elif mark == REFERENCE:
                which = ord(text) - ord("1") if text else -1
                if not 0 <= which < len(taken):
                    self.complain(f"rewrite: ruleset {title}: replacement ${text} out of bounds")
                    raise _RulesetError(EX_CONFIG)
                start, end = taken[which]
                new += tokens[start:end]
            else:
                value = self._runtime_right(text)
                new += value
                if value and len(new) == room:
                    raise self._too_long()
            if len(new) > room:
                raise self._too_long()
        return new

    def _too_long(self) -> _RulesetError:
        self.complain("rewrite: expansion too long", enhanced="5.3.0")
        return _RulesetError(EX_DATAERR)

    def _runtime_left(self, code: str) -> str | None:
        value = self.definitions.value(code)
        if self.observer.details:
            self.observer.runtime_macro("LHS", self.program.names.name(code), value)
        return value

    def _runtime_right(self, code: str) -> Tokens:
        value = self.definitions.value(code)
        if self.observer.details:
            self.observer.runtime_macro("RHS", self.program.names.name(code), value)
        if not value:
            return []
        tokens = self.scanned(value, self.program.tables.addresses)
        if tokens is None:
            raise _RulesetError(EX_DATAERR)
        return tokens

    # Lookups

    def _look_up(self, tokens: Tokens, status: int, room: int) -> int:
        """Replace the lookups among the tokens. Returns the new status of the ruleset."""
        at = 0
        while at < len(tokens):
            if tokens[at] not in _LOOKUPS:
                at += 1
                continue
            start = at
            name, end_mark = "host", HOST_LOOKUP_END
            if tokens[at] == LOOKUP:
                at += 1
                if at == len(tokens):
                    self.complain("rewrite: missing mapname", enhanced="5.3.0")
                    raise _RulesetError(EX_CONFIG)
                name, end_mark = tokens[at], LOOKUP_END
            at += 1
            end = at
            while end < len(tokens) and tokens[end] != end_mark:
                end += 1
            parts = _parts(tokens[at:end])
            replacement, failed = self._looked_up(name, *parts)
            if failed:
                status = EX_TEMPFAIL
            rest = tokens[end + 1 :]
            tokens[start:] = replacement
            if (replacement or rest) and len(tokens) + len(rest) >= room:
                raise self._too_long()
            at = len(tokens)
            tokens += rest
        return status

    def _looked_up(
        self, name: str, key: Tokens, given: list[Tokens], default: Tokens | None
    ) -> tuple[Tokens, bool]:
        """The tokens that replace a lookup, and whether it failed temporarily."""
        tables = self.program.tables
        map = self.maps.find(name)
        failed, value = False, None
        if map is None:
            self.complain(f"rewrite: map {name} not found", enhanced="5.3.0")
        else:
            text = self.program.names.without_marks(tables.join(key, map.space, MAX_KEY))
            if map.strips_quotes:
                text = without_quotes(text)
            room, arguments = MAX_VALUE, []
            for one in given[: MAX_ARGUMENTS - 1]:
                argument = tables.join(one, None, room) if room > 0 else ""
                room -= len(argument) + 1
                arguments.append(self.program.names.without_marks(argument))
            value, failed = self._asked(name, map, text, arguments)
        table = tables.addresses
        if value is None:
            if default is None:
                return key, failed
            value, table = tables.join(default, None, MAX_KEY), tables.internal
        if not value:
            return [], failed
        tokens = self.scanned(value, table)
        if tokens is None:
            raise _RulesetError(EX_DATAERR)
        return tokens, failed

    def _asked(
        self, name: str, map: Map, key: str, arguments: Sequence[str]
    ) -> tuple[str | None, bool]:
        answer = map.lookup(key, arguments) if map.is_open else MapAnswer()
        self.tell(answer)
        # The class regex puts this mark between its values.
        value = answer.value and answer.value.replace("\udc9b", ELSE)
        temporary = answer.status == EX_TEMPFAIL
        if temporary and map.failure_suffix is not None:
            value = key + map.failure_suffix
        self.observer.looked_up(Lookup(name, key, tuple(arguments), answer, value))
        return value, temporary and map.defers

    def tell(self, answer: MapAnswer) -> None:
        """Say what a map complains of."""
        for line in answer.complaint.split("\n") if answer.complaint else ():
            self.observer.message(
                Message(
                    "451" if answer.trouble == EX_OSERR else "554",
                    "",
                    self.program.names.stripped(octets(line)),
                    system=answer.trouble != EX_OK,
                    trouble=answer.trouble,
                )
            )

    # Calls

    def _call(self, tokens: Tokens, depth: int) -> int:
        """Carry out the calls among the tokens, the last one first."""
        calls: list[tuple[int, int]] = []
        at = 0
        while at < len(tokens) - 1:
            if tokens[at] != CALL:
                at += 1
                continue
            name = tokens[at + 1] = without_quotes(tokens[at + 1])
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


def _parts(tokens: Tokens) -> tuple[Tokens, list[Tokens], Tokens | None]:
    """The key, arguments and default of a lookup: `key $@ argument … $: default`."""
    key: Tokens = []
    arguments: list[Tokens] = []
    default: Tokens | None = None
    current = key
    for token in tokens:
        if token == HOST:
            current = []
            arguments.append(current)
        elif token == USER:
            current = default = []
        else:
            current.append(token)
    return key, arguments, default


def without_quotes(text: str) -> str:
    """The text without its quotes; a backslash keeps the next character and goes."""
    if '"' not in text and "\\" not in text:
        return text
    out: list[str] = []
    rest = iter(text)
    for one in rest:
        if one == "\\":
            out.append(next(rest, ""))
        elif one != '"':
            out.append(one)
    return "".join(out)


_WITH_ADDRESS = frozenset(("050", "250", "252", "450", "550", "553"))
"""Codes of messages that begin with the address."""


def user_message(program: Program, error: str, address: str) -> Message:
    """A message about an address. error: `553 5.1.1 text`, or without the enhanced code."""
    code, _, text = error.partition(" ")
    enhanced, _, rest = text.partition(" ")
    if not is_enhanced(enhanced):
        enhanced, rest = f"{code[0]}.0.0", text
    shown = shortened(address) if code in _WITH_ADDRESS else ""
    names = program.names
    return Message(code, enhanced, names.stripped(rest), names.stripped(shown))


def is_enhanced(text: str) -> bool:
    """Whether a text is an enhanced status code: `5.1.1`, digits 2, 4 or 5, then up to 3 each."""
    parts = text.split(".")
    return (
        len(parts) == 3
        and parts[0] in ("2", "4", "5")
        and all(part.isdecimal() and part.isascii() and len(part) <= 3 for part in parts[1:])
    )


MAX_SHOWN = 203
"""Octets of an address in a message, MAXSHORTSTR."""


def shortened(text: str, limit: int = MAX_SHOWN) -> str:
    """A text of fewer octets than the limit, or with dots for its middle."""
    if len(text) < limit:
        return text
    half = (min(limit, MAX_SHOWN) - 3) // 2
    return f"{text[:half]}...{text[-half:]}"
