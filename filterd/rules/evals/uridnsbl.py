"""URIDNSBL: DNS lists of the domains, addresses and name servers behind a message's links.

Source: Mail::SpamAssassin::Plugin::URIDNSBL(3); RFC 5782.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from filterd.resolver.answer import RecordType
from filterd.rules.conf.dns_answer import WantedNumbers, wanted_numbers
from filterd.rules.conf.lines import LineError
from filterd.rules.conf.rule import EvalTest, Option, Rule
from filterd.rules.evals.address_lists import of_options
from filterd.rules.evals.askdns import ipv4_number
from filterd.rules.evals.dns_questions import (
    Question,
    RuleDnsQuestions,
    asks,
    questions_of,
    skipped_domains,
)
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.ip_text import is_private, reverse
from filterd.rules.view.view import View

_BY_NAME = ("urirhsbl", "urirhssub")
_BY_ADDRESS = ("uridnsbl", "uridnssub")
_BY_SERVERS_DOMAIN = ("urinsrhsbl", "urinsrhssub")
_BY_SERVER = ("urifullnsrhsbl", "urifullnsrhssub")
_LISTS = (*_BY_NAME, *_BY_ADDRESS, *_BY_SERVERS_DOMAIN, *_BY_SERVER)

PLUGIN = Plugin(
    "Mail::SpamAssassin::Plugin::URIDNSBL",
    *_LISTS,
    *("uridnsbl_max_domains", "uridnsbl_skip_domain", "skip_uribl_checks"),
)

DOMAINS = 20
"""Hosts that are asked about, if `uridnsbl_max_domains` does not say."""

SERVERS = 4
"""Name servers of a domain, and addresses of each name, that are asked about."""


@dataclass(frozen=True, slots=True)
class _UriList:
    """One line: `urirhssub NAME zone A 127.0.1.2`. what: the name of the option, which says what
    the list is asked about."""

    what: str
    zone: str
    kind: RecordType
    wanted: WantedNumbers | None

    def has(self, record: str) -> bool:
        """Whether an answer is one that the line wants."""
        if self.wanted is not None:
            return ipv4_number(record) in self.wanted
        # Addresses outside 127.0.0.0/8 are never a list's (RFC 5782 §2.1).
        return self.kind is RecordType.TXT or record.startswith("127.")


def _lists(options: tuple[Option, ...]) -> dict[str, _UriList]:
    found = {}
    for option in options:
        words = option.words()
        if len(words) < 3 or words[2].upper() not in ("A", "TXT"):
            continue
        try:
            wanted = wanted_numbers(words[3].encode("latin-1", "replace")) if words[3:] else None
        except LineError:
            continue
        zone = words[1].strip(".")
        found[words[0]] = _UriList(option.name, zone, RecordType(words[2].upper()), wanted)
    return found


def _list(view: View, name: str) -> _UriList | None:
    for option in _LISTS:
        found = of_options(view, option, _lists).get(name)
        if found is not None:
            return found
    return None


def _last(view: View, option: str) -> str:
    lines = view.options.get(option, ())
    return lines[-1].value.strip() if lines else ""


def _hosts(view: View) -> dict[str, str]:
    """The hosts of links, each with its domain; an address has itself."""
    if _last(view, "skip_uribl_checks") == "1":
        return {}
    skipped = skipped_domains(view)
    limit = _last(view, "uridnsbl_max_domains")
    most = int(limit) if limit.isdigit() else DOMAINS
    hosts: dict[str, str] = {}
    for detail in view.uri_detail.values():
        for octets, domain in detail.hosts.items():
            host, name = octets.decode("latin-1"), domain.decode("latin-1")
            is_asked = host not in skipped and name not in skipped
            if is_asked and len(hosts) < most and not is_private(host):
                hosts.setdefault(host, name)
    return hosts


def _targets(view: View, flags: Mapping[str, str]) -> list[str]:
    """The domains of links, or their hosts with `tflags notrim`; addresses stay."""
    hosts = _hosts(view)
    targets = list(dict.fromkeys(hosts if "notrim" in flags else hosts.values()))
    if "ips_only" in flags:
        return [one for one in targets if reverse(one)]
    if "domains_only" in flags:
        return [one for one in targets if not reverse(one)]
    return targets


def _domains(view: View) -> list[str]:
    return [one for one in dict.fromkeys(_hosts(view).values()) if not reverse(one)]


def _at(one: _UriList, targets: Iterable[str]) -> list[str]:
    """What the list is asked for these names and addresses."""
    return [f"{reverse(target) or target}.{one.zone}" for target in targets]


@asks("check_uridnsbl")
def first_questions(view: View, rule: Rule) -> Iterator[Question]:
    """What can be asked before any answer is known."""
    assert isinstance(rule.test, EvalTest)
    name = next(iter(rule.test.arguments), "")
    one = _list(view, name)
    if one is None:
        return
    if one.what in _BY_NAME:
        yield from ((question, one.kind) for question in _at(one, _targets(view, rule.flags)))
        return
    by_host = one.what in _BY_ADDRESS and "a" in rule.flags
    if not by_host or "ns" in rule.flags:
        yield from ((domain, RecordType.NS) for domain in _domains(view))
    if by_host:
        yield from ((host, RecordType.A) for host in _hosts(view) if not reverse(host))


@PLUGIN.test("check_uridnsbl")
def check_uridnsbl(view: View, name: str) -> bool:
    """A domain of some link is in the list that is configured for the rule of that name."""
    questions, one = questions_of(view), _list(view, name)
    if questions is None or one is None:
        return False
    flags = questions.flags.get(name, {})
    if one.what in _BY_NAME:
        targets: Iterable[str] = _targets(view, flags)
    elif one.what in _BY_ADDRESS:
        targets = _addresses(view, questions, flags)
    else:
        targets = _servers(view, questions)
        if one.what in _BY_SERVERS_DOMAIN:
            targets = dict.fromkeys(map(view.domains.registered, targets))
    asked = _at(one, targets)
    questions.lookups.start_all((question, one.kind) for question in asked)
    return any(one.has(record) for record in questions.answers(asked, one.kind))


def _servers(view: View, questions: RuleDnsQuestions) -> list[str]:
    """The name servers of the domains of links."""
    found: dict[str, None] = {}
    for domain in _domains(view):
        servers = list(questions.answers([domain], RecordType.NS))[:SERVERS]
        found.update(dict.fromkeys(servers))
    return list(found)


def _addresses(view: View, questions: RuleDnsQuestions, flags: Mapping[str, str]) -> list[str]:
    """The addresses of the name servers of all domains; with `tflags a` those of the hosts."""
    names: list[str] = []
    if "a" not in flags or "ns" in flags:
        names += _servers(view, questions)
    if "a" in flags:
        names += [host for host in _hosts(view) if not reverse(host)]
    questions.lookups.start_all((name, RecordType.A) for name in names)
    found: dict[str, None] = {}
    for name in names:
        found.update(dict.fromkeys(list(questions.answers([name], RecordType.A))[:SERVERS]))
    return list(found)
