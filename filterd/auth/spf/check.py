"""SPF for both identities of an SMTP session (RFC 7208 §2.3, §2.4)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from filterd.auth.questions import DnsQuestions
from filterd.auth.spf.evaluation import Evaluation
from filterd.auth.spf.identities import domain_of, parts_of
from filterd.auth.spf.macros import SpfSession
from filterd.auth.spf.record import ClientAddress
from filterd.message.authentication import AuthResult, SpfCheck, SpfIdentity
from filterd.resolver.answer import RecordType

Ip = IPv4Address | IPv6Address


def begin_spf(questions: DnsQuestions, helo: str, sender: str) -> None:
    """Start the questions that `check_spf` will ask first."""
    for domain in dict.fromkeys((domain_of(parts_of(sender)[1]), domain_of(helo))):
        if domain:
            questions.start(domain, RecordType.TXT)


def check_spf(
    questions: DnsQuestions, client: Ip, helo: str, sender: str, *, host: str
) -> tuple[SpfCheck, SpfCheck]:
    """The results for MAIL FROM and for HELO (§2.3, §2.4). Never raises.

    client: who delivers; an IPv4 address in IPv6 counts as IPv4. helo: as the client said it.
    sender: the reverse-path, without angle brackets; empty is postmaster@HELO. host: the name of
    this host, macro `r`.
    """
    begin_spf(questions, helo, sender)
    client = ClientAddress.of(client).address
    named = domain_of(helo)
    # As a macro has it: in A-labels if it is a domain, else as the client said it.
    helo = named or helo
    local, domain = parts_of(sender)
    about_sender = None
    if sender.strip("<> "):
        # First: the client chooses its HELO, whose questions must not use up the time of the
        # sender's, or a fail becomes a temperror, for DMARC as well.
        identity = (local or "postmaster", domain_of(domain))
        about_sender = _check(questions, client, identity, helo, host, SpfIdentity.MAIL_FROM)
    about_helo = _check(questions, client, ("postmaster", named), helo, host, SpfIdentity.HELO)
    return about_sender or replace(about_helo, identity=SpfIdentity.MAIL_FROM), about_helo


def _check(
    questions: DnsQuestions,
    client: Ip,
    sender: tuple[str, str],
    helo: str,
    host: str,
    identity: SpfIdentity,
) -> SpfCheck:
    local, domain = sender
    if not domain:
        return SpfCheck(AuthResult.NONE, "", identity, reason="no domain that the DNS could hold")
    session = SpfSession(client, local, domain, helo, host)
    evaluation = Evaluation(questions, session)
    found = evaluation.check_host(domain)
    explanation = ""
    if found.result is AuthResult.FAIL and found.explanation is not None:
        explanation = evaluation.explanation(found.explanation)
    return SpfCheck(
        found.result,
        domain,
        identity,
        evaluation.lookups,
        evaluation.void,
        found.mechanism,
        explanation,
        found.reason,
    )
