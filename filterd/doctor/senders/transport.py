"""TLS for mail that comes to an own domain: MTA-STS (RFC 8461) and TLSRPT (RFC 8460)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from filterd.auth.questions import DnsQuestions
from filterd.doctor.findings import Finding, Level
from filterd.doctor.senders.https import FetchError, HttpsAnswer, fetch
from filterd.doctor.senders.mta_sts import (
    POLICY_LIMIT,
    SHORT_AGE,
    StsError,
    StsPolicy,
    record_of,
    report_uris,
    shown,
    sts_id,
)
from filterd.doctor.senders.outgoing import both, unanswered
from filterd.resolver.answer import MX, DnsAnswer, RecordType

STS, REPORTS = "mta-sts", "tlsrpt"

PATH = "/.well-known/mta-sts.txt"

ADDRESSES_TRIED = 4
"""Addresses of the policy's host, of both kinds together."""

HOSTS_SHOWN = 5

Fetch = Callable[[str, str, float], HttpsAnswer]
"""Gets the policy: host, address, seconds. Raises FetchError."""


def over_https(host: str, address: str, seconds: float) -> HttpsAnswer:
    """The policy file of a host. Raises FetchError."""
    return fetch(host, PATH, address, seconds=seconds, limit=POLICY_LIMIT)


def transport(
    domain: str, questions: DnsQuestions, seconds: float, get: Fetch = over_https
) -> Iterator[Finding]:
    """What senders find. seconds: for the policy file."""
    questions.start(f"_mta-sts.{domain}", RecordType.TXT)
    questions.start(f"_smtp._tls.{domain}", RecordType.TXT)
    questions.start(domain, RecordType.MX)
    yield from _sts(domain, questions, seconds, get)
    yield from _tls_reports(domain, questions)


def _sts(domain: str, questions: DnsQuestions, seconds: float, get: Fetch) -> Iterator[Finding]:
    name = f"_mta-sts.{domain}"
    answer = questions.answer(name, RecordType.TXT)
    if answer.failed:
        yield unanswered(STS, f"the record {name}", answer)
        return
    try:
        record = record_of(answer, "STSv1")
        if record is None:
            yield Finding(
                Level.OK,
                STS,
                f"{domain} has no MTA-STS policy (optional): anybody in between can make others "
                "send its mail without TLS. SMTP DANE (RFC 7672), which does the same with DNSSEC, "
                "is not looked at",
            )
            return
        sts_id(record)
    except StsError as error:
        yield Finding(
            Level.FAIL,
            STS,
            f"{name}: {error}",
            f'publish one TXT record at {name}: "v=STSv1; id=1"',
        )
        return
    host = f"mta-sts.{domain}"
    answers = both(questions, host)
    addresses = [text for one in answers for text in one.texts]
    failed = [one for one in answers if one.failed]
    if failed and not addresses:
        yield unanswered(STS, f"the address of {host}", failed[0])
        return
    try:
        policy = _policy(host, addresses, seconds, get)
    except (StsError, FetchError) as error:
        yield Finding(
            Level.FAIL,
            STS,
            f"https://{host}{PATH}: {error}",
            "senders see the record, and cannot have the policy: correct that, or take the record "
            "away",
        )
        return
    yield from _of_policy(domain, policy, questions.answer(domain, RecordType.MX))


def _policy(host: str, addresses: Sequence[str], seconds: float, get: Fetch) -> StsPolicy:
    """The policy of the domain's file. Raises StsError, FetchError."""
    if not addresses:
        raise FetchError(f"{host} has no address")
    page = _first(host, addresses[:ADDRESSES_TRIED], seconds, get)
    if page.status != 200:
        also = ", which is not followed" if page.status // 100 == 3 else ""
        raise FetchError(f"the answer is {page.status}{also}; expected 200")
    if page.kind != "text/plain":
        raise FetchError(f"its type is {shown(page.kind) or 'missing'}; expected text/plain")
    return StsPolicy.parse(page.content)


def _first(host: str, addresses: Sequence[str], seconds: float, get: Fetch) -> HttpsAnswer:
    """The answer of the first of these addresses that gives one. Raises FetchError."""
    end = time.monotonic() + seconds
    problem = FetchError("no time is left")
    for number, address in enumerate(addresses):
        left = end - time.monotonic()
        if left <= 0:
            break
        try:
            return get(host, address, left / (len(addresses) - number))
        except FetchError as error:
            problem = error
    raise problem


def _of_policy(domain: str, policy: StsPolicy, answer: DnsAnswer) -> Iterator[Finding]:
    if policy.mode == "none":
        yield Finding(
            Level.OK, STS, f"the policy of {domain} asks for nothing (mode none), as a retired one"
        )
        return
    if answer.failed:
        yield unanswered(STS, f"the MX records of {domain}", answer)
        return
    hosts = [one.exchange for one in answer.records if isinstance(one, MX) and one.exchange]
    uncovered = policy.uncovered(hosts or [domain])
    if uncovered:
        listed = shown(", ".join(uncovered[:HOSTS_SHOWN]), 300)
        yield Finding(
            Level.FAIL if policy.mode == "enforce" else Level.WARN,
            STS,
            f"the policy of {domain} (mode {policy.mode}) does not name {listed}, to which its "
            "mail goes",
            "add an mx line for each, and change the id of the record",
        )
    if policy.mode == "testing":
        yield Finding(
            Level.OK,
            STS,
            f"the policy of {domain} asks for reports only (mode testing): senders deliver without "
            "TLS as before",
        )
    elif not uncovered:
        yield Finding(
            Level.OK,
            STS,
            f"the policy of {domain} asks for TLS to its MX hosts (mode enforce)",
        )
    if policy.max_age < SHORT_AGE:
        yield Finding(
            Level.WARN,
            STS,
            f"the policy of {domain} is forgotten after {policy.max_age} s",
            "set max_age to some weeks, as 1209600: who has not seen it lately is not protected",
        )


def _has_policy(domain: str, questions: DnsQuestions) -> bool:
    answer = questions.answer(f"_mta-sts.{domain}", RecordType.TXT)
    try:
        return record_of(answer, "STSv1") is not None
    except StsError:
        return False


def _tls_reports(domain: str, questions: DnsQuestions) -> Iterator[Finding]:
    name = f"_smtp._tls.{domain}"
    answer = questions.answer(name, RecordType.TXT)
    if answer.failed:
        yield unanswered(REPORTS, f"the record {name}", answer)
        return
    wanted = f'publish one TXT record at {name}: "v=TLSRPTv1; rua=mailto:tls@{domain}"'
    try:
        record = record_of(answer, "TLSRPTv1")
        if record is not None:
            uris = shown(", ".join(report_uris(record)), 200)
            yield Finding(Level.OK, REPORTS, f"{name}: reports on failed TLS go to {uris}")
        elif _has_policy(domain, questions):
            yield Finding(
                Level.WARN,
                REPORTS,
                f"{domain} has an MTA-STS policy, and nobody tells you of mail that it stops",
                wanted,
            )
        else:
            yield Finding(
                Level.OK, REPORTS, f"{domain} asks for no reports on failed TLS (TLSRPT, optional)"
            )
    except StsError as error:
        yield Finding(Level.FAIL, REPORTS, f"{name}: {error}", wanted)
