"""Where a report goes: the addresses of `rua=`, and whether somebody else's domain wants it.

A record may name any address. Whoever is not of the same organization has to say in the DNS that
they take reports about that domain, else a forger could have reports sent to anybody.
Source: RFC 9990 §3.5 and §4. The size behind an address (`!10m`) is of RFC 7489 §6.2; it is obeyed
where it still stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from filterd.auth.dmarc.record import DmarcRecord, ReportUri
from filterd.auth.dmarc.walk import organizational_domain
from filterd.auth.questions import DnsQuestions
from filterd.dmarc.collecting import Collected
from filterd.message.address import canonical_domain
from filterd.quarantine.settings import ADDRESS
from filterd.resolver.answer import RecordType

DESTINATIONS_LIMIT = 5
"""Addresses of one domain that get its report; RFC 7489 §6.2 asked for two at least."""

NAME_LIMIT = 253
"""Characters of a name in the DNS (RFC 1035 §2.3.4)."""


@dataclass(frozen=True, slots=True)
class Destination:
    """One address. limit: octets of a report, packed, None without a limit. trouble: why it gets
    none, in words. temporary: it may get one later."""

    address: str
    limit: int | None = None
    trouble: str = ""
    temporary: bool = False


def destinations(collected: Collected, questions: DnsQuestions) -> list[Destination]:
    """The addresses that the record of a domain names, in its order, and whether they may get the
    report; raises nothing."""
    named = [
        Destination(uri.address, uri.limit)
        for uri in collected.record.rua
        if ADDRESS.fullmatch(uri.address)
    ]
    # The same address, however its domain is written, gets one.
    kept: dict[tuple[str, str], Destination] = {}
    for one in named:
        local, _, host = one.address.rpartition("@")
        kept.setdefault((local, canonical_domain(host)), one)
    first = list(kept.values())[:DESTINATIONS_LIMIT]
    organizational = collected.organizational or collected.domain
    found: list[Destination] = []
    for one in first:
        found += _permitted(collected.domain, organizational, one, questions)
    return found


def _permitted(
    domain: str, organizational: str, wanted: Destination, questions: DnsQuestions
) -> Iterable[Destination]:
    host = canonical_domain(wanted.address.rpartition("@")[2])
    if host in (domain, organizational) or organizational_domain(host, questions) == organizational:
        return [wanted]
    name = f"{domain}._report._dmarc.{host}"
    if len(name) > NAME_LIMIT:
        return [_refused(wanted, f"{host} cannot say that it takes reports: the name is too long")]
    answer = questions.answer(name, RecordType.TXT)
    if answer.failed:
        why = answer.detail or answer.status.value
        return [_refused(wanted, f"no answer about {name}: {why}", temporary=True)]
    texts = (one for one in answer.records if isinstance(one, bytes))
    records = [one for one in map(DmarcRecord.parse, texts) if one is not None]
    if not records:
        return [_refused(wanted, f"{host} does not say that it takes reports ({name})")]
    instead = next((record.rua for record in records if record.rua), ())
    if not instead:
        return [wanted]
    return [_instead(wanted, host, uri) for uri in instead[:DESTINATIONS_LIMIT]]


def _instead(wanted: Destination, host: str, uri: ReportUri) -> Destination:
    """The address that the receiver of reports has named in place of the one in the record."""
    address = uri.address
    if not ADDRESS.fullmatch(address) or canonical_domain(address.rpartition("@")[2]) != host:
        return _refused(wanted, f"{host} names an address elsewhere in its place")
    return Destination(address, uri.limit if uri.limit is not None else wanted.limit)


def _refused(wanted: Destination, why: str, *, temporary: bool = False) -> Destination:
    return Destination(wanted.address, wanted.limit, why, temporary)
