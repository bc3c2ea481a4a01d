"""AskDNS: questions to the DNS put together from tags of the message.

`askdns NAME _DKIMDOMAIN_.list.example. TXT /good/`: each value of the tag makes a question. Source:
Mail::SpamAssassin::Plugin::AskDNS(3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address
from itertools import islice, product

from filterd.message.address import canonical_domain
from filterd.resolver.answer import MX, DnsAnswer, DnsStatus, Record, RecordType
from filterd.rules.conf.dns_answer import WantedAnswer, wanted_answer
from filterd.rules.conf.rule import EvalTest, Rule
from filterd.rules.evals.dns_questions import asks, questions_of, skipped_domains
from filterd.rules.evals.registry import Plugin
from filterd.rules.evals.tags import tag_values
from filterd.rules.patterns import compile_pattern
from filterd.rules.view.domains import is_host_name
from filterd.rules.view.view import View

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::AskDNS")

QUESTIONS = 20
"""Names that one rule asks for in a message."""

_TAG = re.compile(r"_([A-Z][A-Z0-9]{0,63}(?:_[A-Z0-9]{1,63}){0,8}(?:\([\w.:-]{0,80}\))?)_", re.A)

_CODES = {
    DnsStatus.FOUND: 0,
    DnsStatus.NODATA: 0,
    DnsStatus.SERVFAIL: 2,
    DnsStatus.NXDOMAIN: 3,
    DnsStatus.REFUSED: 5,
}
"""Status codes that a name server gave; where there was no answer, nothing is known."""


@lru_cache(1024)
def _tags(template: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_TAG.findall(template)))


@lru_cache(1024)
def kinds_of(written: str) -> tuple[RecordType, ...]:
    """The types of records that are asked for: those that the line names and the resolver knows,
    all of these for `ANY`. A question for ANY itself may be answered with a part (RFC 8482)."""
    words = written.split(",")
    return tuple(kind for kind in RecordType if kind in words or "ANY" in words)


def names(view: View, template: str) -> list[str]:
    """The names that a template stands for in a message; none where a tag is not set."""
    tags = _tags(template)
    skipped = skipped_domains(view)
    choices: list[list[str]] = []
    for tag in tags:
        texts = [value.decode("utf-8", "replace") for value in tag_values(view, tag)]
        choices.append(
            [
                text
                for text in texts
                if text.lower() not in skipped and view.domains.registered(text) not in skipped
            ]
        )
    found: dict[str, None] = {}
    for values in islice(product(*choices), QUESTIONS):
        one = template
        for tag, value in zip(tags, values, strict=True):
            one = one.replace(f"_{tag}_", value)
        name = canonical_domain(one)
        if is_host_name(name):
            found[name] = None
    return list(found)


@asks("askdns")
def _questions(view: View, rule: Rule) -> Iterator[tuple[str, RecordType]]:
    assert isinstance(rule.test, EvalTest)
    template, kinds = rule.test.arguments[:2]
    return iter([(name, kind) for name in names(view, template) for kind in kinds_of(kinds)])


@PLUGIN.test("askdns")
def askdns(view: View, template: str, kinds: str, wanted: str | None = None) -> bool:
    """An answer to one of the questions is as the line wants it; without a wish any record is."""
    questions = questions_of(view)
    if questions is None:
        return False
    questions.start_rest(view)
    test = None if wanted is None else wanted_answer(wanted.encode("latin-1", "replace"))
    return any(
        _is_wanted(questions.lookups.answer(name, kind), kind, test)
        for name in names(view, template)
        for kind in kinds_of(kinds)
    )


def _is_wanted(answer: DnsAnswer, kind: RecordType, test: WantedAnswer | None) -> bool:
    if test is not None and test.codes:
        return _CODES.get(answer.status) in test.codes
    return any(test is None or _is_as(record, kind, test) for record in answer.records)


def _is_as(record: Record, kind: RecordType, test: WantedAnswer) -> bool:
    text = _text(record, kind)
    if test.pattern is not None:
        return compile_pattern(test.pattern).search(text.encode("latin-1", "replace")) is not None
    if test.text is not None:
        return text == test.text
    return test.numbers is not None and ipv4_number(text) in test.numbers


def ipv4_number(text: str) -> int | None:
    """The number that an address of IPv4 is; None for other text."""
    try:
        return int(IPv4Address(text))
    except AddressValueError:
        return None


def _text(record: Record, kind: RecordType) -> str:
    """A record as in a zone file (RFC 1035 §5.1); TXT as its octets."""
    if isinstance(record, bytes):
        return record.decode("latin-1")
    if isinstance(record, MX):
        return f"{record.preference} {record.exchange}."
    return record if kind in (RecordType.A, RecordType.AAAA) else f"{record}."
