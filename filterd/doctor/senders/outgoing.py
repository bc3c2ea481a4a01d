"""The hosts from which mail goes out: their addresses, PTR records and HELO name.

What the large receivers ask of them: forward and reverse DNS that fit together (RFC 1912 §2.1), and
a HELO name that is the host's (RFC 5321 §4.1.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from filterd.auth.questions import DnsQuestions
from filterd.config.load import Settings
from filterd.doctor.findings import Finding, Level
from filterd.doctor.senders.mta_sts import shown
from filterd.message.address import canonical_domain
from filterd.message.envelope import ip
from filterd.message.matching import is_public
from filterd.resolver.answer import DnsAnswer, RecordType
from filterd.resolver.names import pointer_name

ABOUT = "outgoing"

NAMES_LIMIT = 10
"""Names of one address that are looked at, as receivers do (RFC 7208 §4.6.4)."""

ADDRESSES_LIMIT = 16
"""Addresses of this host that are looked at."""

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class OutgoingHost:
    """helo: the name that the MTA says, "" if it is not known. addresses: from which mail goes
    out."""

    helo: str
    addresses: tuple[Address, ...]


def outgoing_of(settings: Settings, host: str, questions: DnsQuestions) -> OutgoingHost:
    """What the settings say; the addresses of this host's name where they name none. host: its
    name, if the settings have none."""
    helo = canonical_domain(settings.labels.hostname or host)
    texts: Sequence[str] = settings.doctor.addresses
    if not texts and "." in helo:
        answers = both(questions, helo)
        texts = [text for one in answers for text in one.texts if is_public(text)]
    found = [address for text in texts[:ADDRESSES_LIMIT] if (address := ip(text)) is not None]
    return OutgoingHost(helo if "." in helo else "", tuple(dict.fromkeys(found)))


def outgoing(host: OutgoingHost, questions: DnsQuestions) -> Iterator[Finding]:
    """What receivers see of the host."""
    if not host.helo:
        yield Finding(
            Level.WARN,
            ABOUT,
            "the name that this host says in HELO is not a full host name",
            "set labels.hostname to the name that the MTA says",
        )
    if not host.addresses:
        yield Finding(
            Level.WARN,
            ABOUT,
            "the address from which mail goes out is not known",
            "name it in doctor.addresses; behind NAT it is the one that others see",
        )
        return
    for address in host.addresses:
        questions.start(pointer_name(str(address)), RecordType.PTR)
    for address in host.addresses:
        if not is_public(str(address)):
            yield Finding(
                Level.WARN,
                ABOUT,
                f"{address} is not a public address",
                "name in doctor.addresses the one that others see",
            )
            continue
        yield _pointer(address, questions)
        if host.helo:
            yield from _helo(host.helo, address, questions)


def _pointer(address: Address, questions: DnsQuestions) -> Finding:
    answer = questions.answer(pointer_name(str(address)), RecordType.PTR)
    if answer.failed:
        return unanswered(ABOUT, f"the PTR record of {address}", answer)
    names = answer.texts[:NAMES_LIMIT]
    owner = f"have the owner of the network set the PTR record of {address} to the host's name"
    if not names:
        return Finding(
            Level.FAIL,
            ABOUT,
            f"{address} has no PTR record; Gmail, Yahoo and Microsoft refuse mail from there",
            owner,
        )
    silent: Finding | None = None
    for name in names:
        answers = both(questions, name)
        if any(str(address) in one.texts for one in answers):
            return Finding(
                Level.OK, ABOUT, f"{address} is {shown(name)}, and {shown(name)} is {address}"
            )
        if failed := [one for one in answers if one.failed]:
            silent = silent or unanswered(ABOUT, f"the address of {shown(name)}", failed[0])
    if silent is not None:
        return silent
    return Finding(
        Level.FAIL,
        ABOUT,
        f"the PTR record of {address} says {shown(', '.join(names))}, which does not have that "
        "address",
        f"give that name the address {address}, or {owner}",
    )


def _helo(helo: str, address: Address, questions: DnsQuestions) -> Iterator[Finding]:
    answers = both(questions, helo)
    failed = next((one for one in answers if one.failed), None)
    if any(str(address) in one.texts for one in answers):
        yield Finding(Level.OK, ABOUT, f"the HELO name {helo} has the address {address}")
    elif failed is not None:
        yield unanswered(ABOUT, f"the address of {helo}", failed)
    else:
        yield Finding(
            Level.WARN,
            ABOUT,
            f"the HELO name {helo} does not have the address {address}",
            "give it that address in the DNS, or have the MTA say the name that has it",
        )


def both(questions: DnsQuestions, name: str) -> tuple[DnsAnswer, DnsAnswer]:
    """The addresses of a name, of IPv4 and of IPv6."""
    for kind in (RecordType.A, RecordType.AAAA):
        questions.start(name, kind)
    return questions.answer(name, RecordType.A), questions.answer(name, RecordType.AAAA)


def unanswered(about: str, what: str, answer: DnsAnswer) -> Finding:
    """That the DNS does not say. what: was asked for."""
    return Finding(
        Level.WARN,
        about,
        f"the DNS does not answer about {what}: {shown(answer.detail or answer.status)}",
        "see whether the name servers answer, and run this again",
    )
