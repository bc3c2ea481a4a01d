"""The DNS as filters see it: name servers, lists, and what others find under this host's name.

Nothing of this is asked unless the settings let filters ask: lists in `[filters.dnslists]`, or name
servers in `[resolver]`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Sequence
from socket import getfqdn

from filterd.config.load import Settings
from filterd.doctor.findings import Finding, Level
from filterd.filters.auth.settings import AuthSettings
from filterd.filters.dnslists.codes import is_error, packed
from filterd.filters.dnslists.health import LISTED_ADDRESS, LISTED_NAME, TEST_ADDRESS, TEST_NAME
from filterd.filters.dnslists.known import ADDRESSES
from filterd.filters.dnslists.settings import DnsList, DnsListsSettings
from filterd.message.address import canonical_domain
from filterd.message.matching import is_public
from filterd.resolver.answer import DnsAnswer, DnsStatus, RecordType
from filterd.resolver.names import pointer_name, reversed_address
from filterd.resolver.resolver import Pending, Resolver

SECONDS = 5.0
"""For which an answer is waited for; a message has no longer either."""

_LIST_ADVICE = (
    "ask through a resolver of your own (resolver.nameservers), see the list's terms of use, or "
    "take it out of filters.dnslists.lists"
)


def dns(settings: Settings) -> Iterator[Finding]:
    """Name servers, lists, and this host's own name."""
    lists = [one for own in settings.in_chain(DnsListsSettings).values() for one in own.lists]
    checks = settings.in_chain(AuthSettings)
    if not lists and not checks and not settings.resolver.nameservers:
        return
    with contextlib.closing(Resolver(settings.resolver)) as resolver:
        if not settings.resolver.enabled:
            yield Finding(
                Level.WARN,
                "resolver",
                "resolver.enabled is false: no list is asked, and nobody's sender is checked",
                f"set it to true, or take {' and '.join(_asking(settings))} out of the chain",
            )
            return
        if not resolver.servers:
            yield Finding(
                Level.FAIL,
                "resolver",
                "no name server: /etc/resolv.conf names none, and resolver.nameservers is empty",
                "run a caching resolver on this host, and set resolver.nameservers",
            )
            return
        found = list(_servers(settings, [str(one) for one in resolver.servers]))
        yield from found
        if all(one.level is Level.FAIL for one in found):
            return
        yield from _lists(resolver, lists)
        yield from _own_name(resolver, settings.labels.hostname or getfqdn())


def _asking(settings: Settings) -> list[str]:
    """The filters that do nothing without the DNS."""
    found = [*settings.in_chain(DnsListsSettings), *settings.in_chain(AuthSettings)]
    return found or ["the name servers"]


def _servers(settings: Settings, servers: Sequence[str]) -> Iterator[Finding]:
    """Whether each name server answers, and says "no" where that is the answer."""
    for server in servers:
        own = dataclasses.replace(settings.resolver, nameservers=(server,), timeout=SECONDS)
        started = time.monotonic()
        with contextlib.closing(Resolver(own)) as resolver:
            answer = resolver.ask(f"filterd-doctor.{TEST_NAME}", RecordType.A).answer(SECONDS)
        took = (time.monotonic() - started) * 1000
        if answer.status in (DnsStatus.TIMEOUT, DnsStatus.UNREACHABLE):
            yield Finding(
                Level.FAIL,
                "resolver",
                answer.detail or f"{server}: {answer.status}",
                "start it, or change resolver.nameservers",
            )
        elif answer.failed:
            yield Finding(
                Level.WARN,
                "resolver",
                f"{server} answers {answer.status} to a question about a name that does not exist",
                "it has to resolve names for this host",
            )
        elif answer.status is DnsStatus.FOUND:
            yield Finding(
                Level.FAIL,
                "resolver",
                f"{server} answers {', '.join(answer.texts[:3])} for a name that does not exist",
                "use a resolver that says no: this one makes lists and senders useless",
            )
        else:
            yield Finding(Level.OK, "resolver", f"{server} answers ({took:.0f} ms)")


def _lists(resolver: Resolver, lists: list[DnsList]) -> Iterator[Finding]:
    """Whether each list knows its test points (RFC 5782 §5). All are asked at the same time."""
    asked: dict[tuple[str, str], tuple[Pending, Pending]] = {}
    for one in lists:
        addresses = not ADDRESSES.isdisjoint(one.asked)
        listed = reversed_address(LISTED_ADDRESS) if addresses else LISTED_NAME
        never = reversed_address(TEST_ADDRESS) if addresses else TEST_NAME
        asked[(one.zone, LISTED_ADDRESS if addresses else LISTED_NAME)] = (
            resolver.ask(f"{listed}.{one.zone}", RecordType.A),
            resolver.ask(f"{never}.{one.zone}", RecordType.A),
        )
    end = time.monotonic() + SECONDS
    for (zone, point), pending in asked.items():
        listed_answer, never_answer = (one.answer(end - time.monotonic()) for one in pending)
        yield _list(zone, point, listed_answer, never_answer)


def _list(zone: str, point: str, listed: DnsAnswer, never: DnsAnswer) -> Finding:
    for answer in (listed, never):
        if answer.failed:
            return Finding(
                Level.FAIL, "dnslists", f"{zone}: {answer.detail or answer.status}", _LIST_ADVICE
            )
        codes = [found for found in map(packed, answer.records) if found is not None]
        if any(map(is_error, codes)):
            shown = ", ".join(answer.texts[:3])
            return Finding(
                Level.FAIL,
                "dnslists",
                f"{zone} answers {shown}, which is an error of the list",
                _LIST_ADVICE,
            )
    if never.status is DnsStatus.FOUND:
        return Finding(Level.FAIL, "dnslists", f"{zone} lists everything", _LIST_ADVICE)
    if listed.status is not DnsStatus.FOUND:
        return Finding(
            Level.WARN,
            "dnslists",
            f"{zone} does not list its test entry {point}",
            "see whether it still works, and whether its name needs a key",
        )
    return Finding(Level.OK, "dnslists", f"{zone} answers, and lists its test entry")


def _own_name(resolver: Resolver, host: str) -> Iterator[Finding]:
    """Whether this host's name and the names of its addresses are each other's, as receivers of its
    mail want it (RFC 1912 §2.1)."""
    name = canonical_domain(host)
    if "." not in name:
        yield Finding(
            Level.WARN,
            "own name",
            f"{name or 'empty'} is not a full host name",
            "set labels.hostname to the name that the MTA says in HELO",
        )
        return
    forward = {kind: resolver.ask(name, kind) for kind in (RecordType.A, RecordType.AAAA)}
    answers = [pending.answer(SECONDS) for pending in forward.values()]
    addresses = [text for answer in answers for text in answer.texts if is_public(text)]
    if not addresses:
        why = next((answer.detail for answer in answers if answer.failed), "")
        yield Finding(
            Level.WARN,
            "own name",
            f"{name} has no public address in the DNS{f' ({why})' if why else ''}",
            "receivers refuse mail from such a HELO name; if this host sends mail, give it one",
        )
        return
    pointers = {one: resolver.ask(pointer_name(one), RecordType.PTR) for one in addresses}
    for address, pending in pointers.items():
        answer = pending.answer(SECONDS)
        if name in answer.texts:
            yield Finding(Level.OK, "own name", f"{name} is {address}, and {address} is {name}")
            continue
        found = ", ".join(answer.texts[:3]) or answer.detail or str(answer.status)
        yield Finding(
            Level.WARN,
            "own name",
            f"{name} is {address}, whose PTR record says {found}",
            f"have the owner of the network set the PTR record of {address} to {name}",
        )
