"""URIDNSBL: DNS lists of the domains, addresses and name servers behind a message's links.

Source: Mail::SpamAssassin::Plugin::URIDNSBL(3); RFC 5782.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from filterd.resolver.answer import RecordType
from filterd.rules.conf.rule import Option
from filterd.rules.evals.address_lists import of_options
from filterd.rules.evals.dns_questions import is_meant, questions_of
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.ip_text import reverse
from filterd.rules.view.view import View

_BY_NAME = ("urirhsbl", "urirhssub")
_BY_ADDRESS = ("uridnsbl", "uridnssub")

PLUGIN = Plugin(
    "Mail::SpamAssassin::Plugin::URIDNSBL",
    *_BY_NAME,
    *_BY_ADDRESS,
    *("uridnsbl_max_domains", "uridnsbl_skip_domain", "skip_uribl_checks"),
)

DOMAINS = 20
"""Domains that are asked about, if `uridnsbl_max_domains` does not say."""

SERVERS = 4
"""Name servers of a domain, and addresses of each name, that are asked about."""


@dataclass(frozen=True, slots=True)
class _UriList:
    """One line: `urirhssub NAME zone A 127.0.1.2`."""

    zone: str
    kind: RecordType
    subtest: str | None
    by_address: bool


def _lists(options: tuple[Option, ...]) -> dict[str, _UriList]:
    found = {}
    for option in options:
        words = option.value.split()
        if len(words) < 3 or words[2].upper() not in ("A", "TXT"):
            continue
        subtest = words[3] if len(words) > 3 else None
        by_address = option.name in _BY_ADDRESS
        zone = words[1].strip(".")
        found[words[0]] = _UriList(zone, RecordType(words[2].upper()), subtest, by_address)
    return found


def _list(view: View, name: str) -> _UriList | None:
    for option in (*_BY_NAME, *_BY_ADDRESS):
        found = of_options(view, option, _lists).get(name)
        if found is not None:
            return found
    return None


def _skipped(options: tuple[Option, ...]) -> frozenset[str]:
    return frozenset(word.lower() for option in options for word in option.value.split())


def _last(view: View, option: str) -> str:
    lines = view.options.get(option, ())
    return lines[-1].value.strip() if lines else ""


def _targets(view: View, flags: Mapping[str, str]) -> list[str]:
    """The domains of links, or their hosts with `tflags notrim`; addresses stay."""
    if _last(view, "skip_uribl_checks") == "1":
        return []
    skipped = of_options(view, "uridnsbl_skip_domain", _skipped)
    limit = _last(view, "uridnsbl_max_domains")
    hosts: dict[str, str] = {}
    for detail in view.uri_detail.values():
        for host, domain in detail.hosts.items():
            name = domain.decode("latin-1")
            if name not in skipped:
                hosts.setdefault(host.decode("latin-1"), name)
    found = dict.fromkeys(hosts if "notrim" in flags else hosts.values())
    targets = list(found)[: int(limit) if limit.isdigit() else DOMAINS]
    if "ips_only" in flags:
        return [one for one in targets if reverse(one)]
    if "domains_only" in flags:
        return [one for one in targets if not reverse(one)]
    return targets


def first_questions(
    view: View, name: str, flags: Mapping[str, str]
) -> list[tuple[str, RecordType]]:
    """What can be asked before any answer is known."""
    one = _list(view, name)
    if one is None:
        return []
    targets = _targets(view, flags)
    if not one.by_address:
        return [(f"{reverse(target) or target}.{one.zone}", one.kind) for target in targets]
    kinds = (RecordType.A,) if "a" in flags else (RecordType.NS,)
    names = [target for target in targets if not reverse(target)]
    return [(target, kind) for target in names for kind in kinds]


@PLUGIN.test("check_uridnsbl")
def check_uridnsbl(view: View, name: str) -> bool:
    """A domain of some link is in the list that is configured for the rule of that name."""
    questions, one = questions_of(view), _list(view, name)
    if questions is None or one is None:
        return False
    flags = questions.flags.get(name, {})
    if one.by_address:
        asked = [f"{reverse(address)}.{one.zone}" for address in _addresses(view, flags)]
        questions.lookups.start_all((text, one.kind) for text in asked)
    else:
        asked = [text for text, _ in first_questions(view, name, flags)]
    return any(
        is_meant(record, one.subtest, one.kind) for record in questions.answers(asked, one.kind)
    )


def _addresses(view: View, flags: Mapping[str, str]) -> list[str]:
    """The addresses of the name servers of all domains; with `tflags a` of the domains."""
    questions = questions_of(view)
    assert questions is not None
    targets = _targets(view, flags)
    found = [target for target in targets if reverse(target)]
    names = [target for target in targets if not reverse(target)]
    if "a" not in flags or "ns" in flags:
        servers: dict[str, None] = {}
        for name in names:
            servers.update(dict.fromkeys(list(questions.answers([name], RecordType.NS))[:SERVERS]))
        names = list(servers) + (names if "a" in flags else [])
    questions.lookups.start_all((name, RecordType.A) for name in names)
    for name in names:
        found += list(questions.answers([name], RecordType.A))[:SERVERS]
    return list(dict.fromkeys(found))
