"""What tests of DNS lists ask, all at once and before any answer is waited for.

`begin` starts the questions of all such rules of a rule set for one message; the tests then take
the answers. Without it nothing is asked, and no such test hits. What a list that does not answer
would have said is not known: that is not a hit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Protocol

from filterd.resolver.answer import DnsAnswer, RecordType
from filterd.rules.conf.rule import EvalTest, Rule
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


@dataclass(slots=True)
class RuleDnsQuestions:
    """The questions of one message. sets: zone and type by the name of the set, for
    `check_rbl_sub`. flags: of rules by their names."""

    lookups: Lookups
    sets: dict[str, tuple[str, RecordType]] = field(default_factory=dict)
    flags: dict[str, Mapping[str, str]] = field(default_factory=dict)

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


def begin(view: View, rules: Iterable[Rule], lookups: Lookups) -> None:
    """Start what the rules will want to know of a message."""
    # They need the questions, so they cannot be imported above.
    from filterd.rules.evals import dns_eval, uridnsbl  # noqa: PLC0415

    found = RuleDnsQuestions(lookups)
    view.notes[_KEY] = found
    wanted: list[tuple[str, RecordType]] = []
    for rule in rules:
        test = rule.test
        if not isinstance(test, EvalTest) or not (rule.is_part or any(rule.scores)):
            continue
        found.flags[rule.name] = rule.flags
        if test.function in ("check_rbl", "check_rbl_txt") and len(test.arguments) > 1:
            kind = RecordType.TXT if test.function == "check_rbl_txt" else RecordType.A
            name, zone = test.arguments[0], test.arguments[1].rstrip(".")
            found.sets.setdefault(name, (zone, kind))
            wanted += [(one, kind) for one in dns_eval.names(view, name, zone)]
        elif test.function == "check_uridnsbl" and test.arguments:
            wanted += uridnsbl.first_questions(view, test.arguments[0], rule.flags)
    lookups.start_all(wanted)


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
