"""DMARC of an own domain (RFC 9989): is there a record, can it be used, who gets reports (RFC
9990)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from filterd.auth.dmarc.record import Alignment, DmarcRecord
from filterd.auth.dmarc.walk import PREFIX, organizational_domain, walk
from filterd.auth.questions import DnsQuestions
from filterd.doctor.findings import Finding, Level
from filterd.doctor.senders.mta_sts import shown
from filterd.message.address import canonical_domain
from filterd.message.authentication import DmarcPolicy
from filterd.resolver.answer import RecordType

ABOUT = "dmarc"

DESTINATIONS_LIMIT = 5
"""Addresses for reports that are looked at."""

_GONE = ("pct", "rf", "ri")
"""Tags of RFC 7489 that count no longer."""


def dmarc(domain: str, signers: Sequence[str], questions: DnsQuestions) -> Iterator[Finding]:
    """What receivers make of the record that applies to the domain. signers: the domains that sign
    its mail here."""
    found = walk(domain, questions)
    if found.failure and found.own is None:
        yield Finding(
            Level.WARN,
            ABOUT,
            shown(found.failure, 200),
            "see whether the name servers answer, and run this again",
        )
        return
    several = _records(domain, questions)
    if several > 1:
        yield Finding(
            Level.FAIL,
            ABOUT,
            f"{PREFIX}{domain} has {several} DMARC records, which count as none",
            "leave one",
        )
        return
    if found.applicable is None:
        yield Finding(
            Level.FAIL,
            ABOUT,
            f"{domain} has no DMARC record, which Gmail, Yahoo and Microsoft ask of bulk senders",
            f"publish a TXT record at {PREFIX}{domain}: "
            f'"v=DMARC1; p=none; rua=mailto:dmarc@{domain}"',
        )
        return
    place, record = found.applicable
    name = PREFIX + place
    yield _policy(domain, name, record, is_own=place == domain)
    yield from _tags(name, record)
    yield from _reports(place, name, record, questions)
    yield _alignment(domain, found.organizational, record)
    if signers and record.adkim is Alignment.STRICT and domain not in signers:
        yield Finding(
            Level.WARN,
            ABOUT,
            f"{name} has adkim=s, and mail from {domain} is signed by {', '.join(signers[:3])}: "
            "that does not count",
            f"sign with a key of {domain}, or take adkim=s out",
        )


def _records(domain: str, questions: DnsQuestions) -> int:
    answer = questions.answer(PREFIX + domain, RecordType.TXT)
    texts = [one for one in answer.records if isinstance(one, bytes)]
    return sum(DmarcRecord.parse(one) is not None for one in texts)


def _policy(domain: str, name: str, record: DmarcRecord, *, is_own: bool) -> Finding:
    policy = record.policy(subdomain=not is_own)
    if policy is None:
        return Finding(
            Level.FAIL,
            ABOUT,
            f"{name} cannot be used: it does not say what to do (p=)",
            'begin it with "v=DMARC1; p=none"',
        )
    trial = ", and t=y: receivers do one step less" if record.testing else ""
    if policy is DmarcPolicy.NONE:
        # A requirement is met, and forgeries are delivered all the same.
        trial += (
            "; forgeries are delivered. When reports show that all of your mail passes, ask for "
            "quarantine, then reject"
        )
    return Finding(Level.OK, ABOUT, f"{name} asks for {policy} on mail from {domain}{trial}")


def _tags(name: str, record: DmarcRecord) -> Iterator[Finding]:
    if record.damaged:
        yield Finding(
            Level.WARN,
            ABOUT,
            f"{name}: {', '.join(sorted(record.damaged))} cannot be read, and does not count",
            "correct it",
        )
    names = {part.partition("=")[0].strip().lower() for part in record.text.split(";")}
    gone = [one for one in _GONE if one in names]
    if gone:
        yield Finding(
            Level.WARN,
            ABOUT,
            f"{name}: {', '.join(gone)} counts no longer (RFC 9989)",
            "take it out; in place of a low pct there is t=y",
        )


def _reports(
    place: str, name: str, record: DmarcRecord, questions: DnsQuestions
) -> Iterator[Finding]:
    if not record.rua:
        yield Finding(
            Level.WARN,
            ABOUT,
            f"{name} has no rua: nobody tells you what was sent in your name",
            f"put rua=mailto:dmarc@{place} into it; filterd dmarc read shows what comes",
        )
        return
    own = organizational_domain(place, questions)
    for uri in record.rua[:DESTINATIONS_LIMIT]:
        host = canonical_domain(uri.host)
        if uri.scheme != "mailto" or not host:
            yield Finding(
                Level.WARN,
                ABOUT,
                f"{name}: reports are to go to {shown(uri.uri)}",
                "expected mailto: and an address",
            )
        elif organizational_domain(host, questions) != own:
            yield _external(place, host, questions)
    yield Finding(Level.OK, ABOUT, f"{name}: reports go to {shown(_listed(record))}")


def _listed(record: DmarcRecord) -> str:
    return ", ".join(uri.address or uri.uri for uri in record.rua[:DESTINATIONS_LIMIT])


def _external(place: str, host: str, questions: DnsQuestions) -> Finding:
    """Whether another domain wants to have the reports (RFC 9990 §4)."""
    wanted = f"{place}._report.{PREFIX}{host}"
    answer = questions.answer(wanted, RecordType.TXT)
    texts = [one for one in answer.records if isinstance(one, bytes)]
    if any(DmarcRecord.parse(one) is not None for one in texts):
        return Finding(Level.OK, ABOUT, f"{shown(host)} takes the reports about {place}")
    if answer.failed:
        return Finding(
            Level.WARN,
            ABOUT,
            f"the DNS does not say whether {shown(host)} takes reports about {place}",
            "run this again",
        )
    return Finding(
        Level.WARN,
        ABOUT,
        f"{shown(host)} does not say that it takes reports about {place}, so nobody sends them",
        f'there has to be a TXT record at {shown(wanted, 260)}: "v=DMARC1"',
    )


def _alignment(domain: str, organizational: str, record: DmarcRecord) -> Finding:
    """Whose SPF and DKIM count for mail from the domain."""
    relaxed = f"{organizational} or a domain below it"
    spf = domain if record.aspf is Alignment.STRICT else relaxed
    signature = domain if record.adkim is Alignment.STRICT else relaxed
    return Finding(
        Level.OK,
        ABOUT,
        f"mail from {domain} passes with an envelope sender of {spf} (SPF), or a signature of "
        f"{signature} (DKIM); have both",
    )
