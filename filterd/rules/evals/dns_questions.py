"""What tests of DNS lists ask, all at once and before any answer is waited for.

`begin` starts the questions of all such rules of a rule set for one message; the tests then take
the answers. Without it nothing is asked, and no such test hits. What a list that does not answer
would have said is not known: that is not a hit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Protocol

from filterd.resolver.answer import DnsAnswer, RecordType
from filterd.rules.conf.rule import EvalTest, Option, Rule
from filterd.rules.evals.address_lists import of_options
from filterd.rules.evals.arguments import pattern
from filterd.rules.view.view import View

_KEY = "dns"

_BITS = re.compile(r"\d{1,10}", re.A)
_IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+", re.A)


class Lookups(Protocol):
    """The questions of one message: `filterd.resolver.lookups.DnsLookups`."""

    def start_all(self, questions: Iterable[tuple[str, RecordType]]) -> None:
        """Ask these."""

    def answer(self, name: str, kind: RecordType) -> DnsAnswer:
        """What was answered; asks where that was not done before."""


Question = tuple[str, RecordType]
Asking = Callable[[View, Rule], Iterable[Question]]

_ASKING: dict[str, Asking] = {}
"""What an eval test asks, by its name."""


def asks(function: str) -> Callable[[Asking], Asking]:
    """Decorates what says which questions a rule with that eval test has for a message, as far as
    they are known before any answer is."""

    def register(asking: Asking) -> Asking:
        _ASKING[function] = asking
        return asking

    return register


@dataclass(slots=True)
class RuleDnsQuestions:
    """The questions of one message. sets: zone and type by the name of the set, for
    `check_rbl_sub`. flags: of rules by their names. rest: rules that may ask more once others have
    set their tags. is_begun: what can be asked at the beginning is under way."""

    lookups: Lookups
    sets: dict[str, tuple[str, RecordType]] = field(default_factory=dict)
    flags: dict[str, Mapping[str, str]] = field(default_factory=dict)
    rest: list[Rule] = field(default_factory=list)
    is_begun: bool = False

    def start_rest(self, view: View) -> None:
        """Ask what could not be asked before tags were set, for all rules at once."""
        if self.rest:
            rules, self.rest = self.rest, []
            self.lookups.start_all(one for rule in rules for one in _asked(view, rule))

    def answers(self, names: Iterable[str], kind: RecordType) -> Iterator[str]:
        """The records of all these names, TXT as Latin-1."""
        for name in names:
            for record in self.lookups.answer(name, kind).records:
                if isinstance(record, bytes):
                    yield record.decode("latin-1")
                elif isinstance(record, str):
                    yield record


def questions_of(view: View) -> RuleDnsQuestions | None:
    """The questions that were begun for a message; None if none may be asked."""
    found = view.notes.get(_KEY)
    return found if isinstance(found, RuleDnsQuestions) else None


def asking(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Those of a rule set that may ask the DNS."""
    return tuple(
        rule
        for rule in rules
        if isinstance(rule.test, EvalTest)
        and rule.test.function in _ASKING
        and (rule.is_part or any(rule.scores))
    )


def begin(view: View, rules: Iterable[Rule], lookups: Lookups) -> None:
    """Start what the rules, those of `asking`, will want to know of a message."""
    found = RuleDnsQuestions(lookups)
    view.notes[_KEY] = found
    wanted: list[Question] = []
    for rule in rules:
        found.flags[rule.name] = rule.flags
        questions = _asked(view, rule)
        wanted += questions
        if not questions:
            found.rest.append(rule)
    lookups.start_all(wanted)
    found.is_begun = True


def _asked(view: View, rule: Rule) -> list[Question]:
    assert isinstance(rule.test, EvalTest)
    asking = _ASKING.get(rule.test.function)
    return [] if asking is None else list(asking(view, rule))


def _words(options: tuple[Option, ...]) -> frozenset[str]:
    return frozenset(word.lower() for option in options for word in option.words())


def skipped_domains(view: View) -> frozenset[str]:
    """Domains and hosts that no list is asked about (`uridnsbl_skip_domain`)."""
    return of_options(view, "uridnsbl_skip_domain", _words)


def is_meant(record: str, subtest: str | None, kind: RecordType) -> bool:
    """Whether a record is one that the test wants: any, an address, bits of one, or a pattern.
    Addresses outside 127.0.0.0/8 are never a list's (RFC 5782 §2.1)."""
    if kind is RecordType.A and not record.startswith("127."):
        return False
    if subtest is None:
        return True
    if _IPV4.fullmatch(subtest):
        return record == subtest
    if _BITS.fullmatch(subtest):
        return _IPV4.fullmatch(record) is not None and bool(int(IPv4Address(record)) & int(subtest))
    return pattern(subtest).search(record.encode("latin-1", "replace")) is not None
