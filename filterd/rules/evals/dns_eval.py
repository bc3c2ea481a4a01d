"""DNSEval: DNS lists of the relays that a message came through, and of its senders' domains.

Source: Mail::SpamAssassin::Conf(3), `check_rbl`; RFC 5782.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from filterd.resolver.answer import DnsStatus, RecordType
from filterd.rules.conf.rule import EvalTest, Rule
from filterd.rules.evals.dns_questions import Question, asks, is_meant, questions_of
from filterd.rules.evals.people import from_addresses
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.domains import is_host_name
from filterd.rules.view.ip_text import IP, is_private, reverse
from filterd.rules.view.relays import Trust
from filterd.rules.view.view import View

PLUGIN = Plugin(
    "Mail::SpamAssassin::Plugin::DNSEval",
    *("skip_rbl_checks", "num_check_received", "rbl_headers"),
)

CHECKED = 9
"""Addresses that are asked about, if `num_check_received` does not say."""

_ADDRESS = re.compile(IP, re.ASCII)
_SUBSET = re.compile(r"-(notfirsthop|lastexternal|firsttrusted|untrusted)\Z")
_DOTS = re.compile(r"\.\.+")


def _public(addresses: Iterable[str]) -> list[str]:
    return [one for one in dict.fromkeys(addresses) if one and not is_private(one)]


def addresses(view: View, name: str) -> list[str]:
    """The addresses that a set is asked about, by the ending of its name: all that are not trusted,
    the last first; without the first sender; only the last that is not internal; or the first that
    is not trusted."""
    trust = Trust.of(view.options)
    untrusted = [relay.ip for relay in view.relays.untrusted]
    named = [
        match[0]
        for field in trust.originating
        for match in _ADDRESS.finditer(view.value(field).decode("latin-1"))
        if match[0] not in trust.trusted
    ]
    if not _public(untrusted) and not named:
        return []
    subset = _SUBSET.search(name)
    match subset[1] if subset is not None else "":
        case "lastexternal":
            found = _external(view)[:1]
        case "notfirsthop":
            found = _external(view)
            found = found[:-1] if len(found) > 1 else found
        case "firsttrusted":
            return _public([*untrusted, *named])[:1]
        case "untrusted":
            found = _public([*untrusted, *named])[1:]
        case _:
            found = _public([*untrusted, *named])[::-1]
    options = view.options.get("num_check_received", ())
    text = options[-1].value.strip() if options else ""
    found = found[: int(text) if text.isdigit() else CHECKED]
    while found and found[0] in trust.trusted:
        del found[0]
    return found


def _external(view: View) -> list[str]:
    trusted = [relay.ip for relay in view.relays.trusted if not relay.internal]
    return _public([*trusted, *(relay.ip for relay in view.relays.untrusted)])


def names(view: View, name: str, zone: str) -> list[str]:
    """What is asked for a set at a list."""
    if is_off(view):
        return []
    return [f"{reverse(one)}.{zone}" for one in addresses(view, name) if reverse(one)]


def is_off(view: View) -> bool:
    """True where the options forbid lists."""
    options = view.options.get("skip_rbl_checks", ())
    return bool(options) and options[-1].value.strip() == "1"


def _is_listed(view: View, asked: list[str], kind: RecordType, subtest: str | None) -> bool:
    questions = questions_of(view)
    if questions is None or is_off(view):
        return False
    return any(is_meant(record, subtest, kind) for record in questions.answers(asked, kind))


@asks("check_rbl")
def _first_questions(view: View, rule: Rule) -> Iterator[Question]:
    assert isinstance(rule.test, EvalTest)
    questions = questions_of(view)
    if questions is None or len(rule.test.arguments) < 2:
        return
    kind = RecordType.TXT if rule.test.function == "check_rbl_txt" else RecordType.A
    name, zone = rule.test.arguments[0], rule.test.arguments[1].rstrip(".")
    questions.sets.setdefault(name, (zone, kind))
    for one in names(view, name, zone):
        yield one, kind


asks("check_rbl_txt")(_first_questions)


@PLUGIN.test("check_rbl")
def check_rbl(view: View, name: str, zone: str, subtest: str | None = None) -> bool:
    """A relay is in a list of addresses."""
    return _is_listed(view, names(view, name, zone.rstrip(".")), RecordType.A, subtest)


@PLUGIN.test("check_rbl_txt")
def check_rbl_txt(view: View, name: str, zone: str, subtest: str | None = None) -> bool:
    """The same, by the text that the list has."""
    return _is_listed(view, names(view, name, zone.rstrip(".")), RecordType.TXT, subtest)


@PLUGIN.test("check_rbl_sub")
def check_rbl_sub(view: View, name: str, subtest: str) -> bool:
    """What another test asked for this set has a certain answer."""
    questions = questions_of(view)
    if questions is None or name not in questions.sets:
        return False
    zone, kind = questions.sets[name]
    return _is_listed(view, names(view, name, zone), kind, subtest)


def _hosts(view: View, found: Iterable[bytes]) -> list[str]:
    hosts = []
    for address in found:
        host = _DOTS.sub(".", address.rpartition(b"@")[2].decode("latin-1").lower()).strip(".")
        if is_host_name(host) and view.domains.is_valid(host):
            hosts.append(host)
    return list(dict.fromkeys(hosts))


@PLUGIN.test("check_rbl_envfrom")
def check_rbl_envfrom(view: View, _name: str, zone: str, subtest: str | None = None) -> bool:
    """The envelope sender's host is in a list of domains."""
    hosts = _hosts(view, view.values("EnvelopeFrom", "addr")[:1])
    return _is_listed(view, [f"{one}.{zone.rstrip('.')}" for one in hosts], RecordType.A, subtest)


@PLUGIN.test("check_rbl_from_host")
def check_rbl_from_host(view: View, _name: str, zone: str, subtest: str | None = None) -> bool:
    """A sender's host is in a list of domains."""
    hosts = _hosts(view, from_addresses(view))
    return _is_listed(view, [f"{one}.{zone.rstrip('.')}" for one in hosts], RecordType.A, subtest)


@PLUGIN.test("check_rbl_from_domain")
def check_rbl_from_domain(view: View, _name: str, zone: str, subtest: str | None = None) -> bool:
    """A sender's registered domain is in a list of domains."""
    hosts = {view.domains.registered(one): None for one in _hosts(view, from_addresses(view))}
    return _is_listed(view, [f"{one}.{zone.rstrip('.')}" for one in hosts], RecordType.A, subtest)


@PLUGIN.test("check_dns_sender")
def check_dns_sender(view: View) -> bool:
    """The envelope sender's host does not exist: the DNS has neither an address nor an MX."""
    questions = questions_of(view)
    hosts = _hosts(view, view.values("EnvelopeFrom", "addr"))[:1]
    if questions is None or not hosts or is_off(view):
        return False
    found = [questions.lookups.answer(hosts[0], kind) for kind in (RecordType.A, RecordType.MX)]
    return all(one.status is DnsStatus.NXDOMAIN for one in found)
