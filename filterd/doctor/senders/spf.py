"""SPF of an own domain (RFC 7208): is there one record, can it be used, does it let this host send,
and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from filterd.auth.questions import DnsQuestions
from filterd.auth.spf.check import check_spf
from filterd.auth.spf.evaluation import TERMS_LIMIT
from filterd.auth.spf.record import is_record
from filterd.doctor.findings import Finding, Level
from filterd.doctor.senders.mta_sts import shown
from filterd.doctor.senders.outgoing import OutgoingHost, unanswered
from filterd.message.authentication import AuthResult, SpfCheck
from filterd.resolver.answer import RecordType

ABOUT = "spf"

FULL = 9
"""Look-ups from which one more service makes the record unusable."""

_NOBODY = (IPv4Address("198.18.0.1"), IPv6Address("2001:2::1"))
"""Addresses from which no mail comes: of networks for measurements (RFC 2544, RFC 5180)."""


def spf(domain: str, host: OutgoingHost, questions: DnsQuestions) -> Iterator[Finding]:
    """What receivers make of the domain's record."""
    answer = questions.answer(domain, RecordType.TXT)
    if answer.failed:
        yield unanswered(ABOUT, f"the SPF record of {domain}", answer)
        return
    records = [one for one in answer.records if isinstance(one, bytes) and is_record(one)]
    terms = [f"ip{one.version}:{one}" for one in host.addresses] or ["mx"]
    if not records:
        yield Finding(
            Level.FAIL,
            ABOUT,
            f"{domain} has no SPF record, which Gmail, Yahoo and Microsoft ask of senders",
            f'publish a TXT record at {domain}: "v=spf1 {" ".join(terms)} -all"',
        )
        return
    if len(records) > 1:
        yield Finding(
            Level.FAIL,
            ABOUT,
            f"{domain} has {len(records)} SPF records; receivers use none of them",
            "merge them into one",
        )
        return
    # Names without an address of the kind count as missing: an error only for clients of that kind.
    kinds = {one.version for one in host.addresses} or {4}
    nobody = [one for one in _NOBODY if one.version in kinds]
    strangers = [_checked(domain, one, host, questions) for one in nobody]
    broken = [one for one in strangers if one.result in _ERRORS]
    if broken:
        yield _error(domain, broken[0])
        return
    for address in host.addresses:
        yield _of_address(domain, address, _checked(domain, address, host, questions))
    yield from _of_strangers(domain, strangers)


_ERRORS = (AuthResult.PERMERROR, AuthResult.TEMPERROR)


def _checked(
    domain: str, address: IPv4Address | IPv6Address, host: OutgoingHost, questions: DnsQuestions
) -> SpfCheck:
    sender = f"postmaster@{domain}"
    return check_spf(questions, address, host.helo, sender, host=host.helo or domain)[0]


def _error(domain: str, check: SpfCheck) -> Finding:
    if check.result is AuthResult.TEMPERROR:
        return Finding(
            Level.WARN,
            ABOUT,
            f"the SPF record of {domain} could not be evaluated: {shown(check.reason, 200)}",
            "see whether the name servers of all names in it answer, and run this again",
        )
    return Finding(
        Level.FAIL,
        ABOUT,
        f"the SPF record of {domain} cannot be used: {shown(check.reason, 200)}",
        f"correct it; at most {TERMS_LIMIT} of its terms, with those of included records, may ask "
        "the DNS",
    )


def _of_address(domain: str, address: object, check: SpfCheck) -> Finding:
    if check.result is AuthResult.PASS:
        return Finding(Level.OK, ABOUT, f"{domain} lets {address} send ({shown(check.mechanism)})")
    if check.result in _ERRORS:
        return _error(domain, check)
    kind = "ip6" if ":" in str(address) else "ip4"
    return Finding(
        Level.FAIL,
        ABOUT,
        f"{domain} does not let {address} send: the result is {check.result}",
        f"put {kind}:{address} into its SPF record, or send its mail from elsewhere",
    )


def _of_strangers(domain: str, checks: list[SpfCheck]) -> Iterator[Finding]:
    lookups = max(check.lookups for check in checks)
    if any(check.result is AuthResult.PASS for check in checks):
        yield Finding(
            Level.FAIL,
            ABOUT,
            f"{domain} lets everybody send: an address of nobody passes",
            "take +all, or the network that is too large, out of its SPF record",
        )
    elif any(check.result in (AuthResult.NEUTRAL, AuthResult.NONE) for check in checks):
        yield Finding(
            Level.WARN,
            ABOUT,
            f"{domain} says nothing about who else may send (neutral)",
            "end its SPF record with -all, or with ~all where forwarded mail must not suffer",
        )
    if lookups >= FULL:
        yield Finding(
            Level.WARN,
            ABOUT,
            f"the SPF record of {domain} asks the DNS {lookups} times, of {TERMS_LIMIT} that count",
            "take includes of services out that send no mail for you: one more makes it unusable",
        )
    else:
        yield Finding(
            Level.OK,
            ABOUT,
            f"the SPF record of {domain} asks the DNS {lookups} times, of {TERMS_LIMIT}",
        )
