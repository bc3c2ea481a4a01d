"""The site as a sender: are its domains' records what Gmail, Yahoo and Microsoft ask of senders,
and what do others find who send to it.

Sources: support.google.com/a/answer/81126, senders.yahooinc.com/best-practices, Microsoft's
"Strengthening Email Ecosystem: Outlook's New Requirements for High-Volume Senders"; the RFCs that
the modules name. Nothing is asked unless domains are named. All questions go through the site's
resolver, within `doctor.seconds` for each domain.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from socket import getfqdn

from filterd.auth.questions import Questions
from filterd.config.load import Settings
from filterd.doctor.findings import Finding, Level
from filterd.doctor.senders.dkim import dkim
from filterd.doctor.senders.dmarc import dmarc
from filterd.doctor.senders.outgoing import Outgoing, outgoing, outgoing_of
from filterd.doctor.senders.spf import spf
from filterd.doctor.senders.transport import Fetch, over_https, transport
from filterd.message.address import canonical_domain
from filterd.resolver.lookups import DnsLookups
from filterd.resolver.resolver import Resolver

QUESTIONS = 1000
"""Of one domain; SPF alone may ask for 100 names, for each address."""

POLICY_SHARE = 0.5
"""Of a domain's seconds that its MTA-STS policy may take."""


def senders(
    settings: Settings,
    domains: Sequence[str] = (),
    selectors: Sequence[str] = (),
    get: Fetch = over_https,
) -> Iterator[Finding]:
    """What is found about these domains, by default those of the settings. selectors: of DKIM,
    besides those of the settings. get: gets the MTA-STS policy."""
    wanted = [canonical_domain(one) for one in domains] or own_domains(settings)
    if not wanted:
        return
    with contextlib.closing(Resolver(settings.resolver)) as resolver:
        if not resolver.servers:
            yield Finding(
                Level.WARN,
                "resolver",
                "no name server can be asked about the domains of senders",
                "set resolver.nameservers, and resolver.enabled to true",
            )
            return
        seconds = settings.doctor.seconds
        questions = DnsLookups(resolver, limit=QUESTIONS, seconds=seconds)
        host = outgoing_of(settings, getfqdn(), questions)
        yield from outgoing(host, questions)
        for domain in wanted:
            own = [*selectors, *selectors_of(settings, domain)]
            questions = DnsLookups(resolver, limit=QUESTIONS, seconds=seconds)
            yield from of_domain(domain, host, list(dict.fromkeys(own)), questions)
            yield from transport(domain, questions, seconds * POLICY_SHARE, get)
    yield _bulk()


def of_domain(
    domain: str, host: Outgoing, selectors: Sequence[str], questions: Questions
) -> Iterator[Finding]:
    """What receivers find about one domain."""
    yield from spf(domain, host, questions)
    yield from dkim(domain, selectors, questions)
    yield from dmarc(domain, questions)


def own_domains(settings: Settings) -> list[str]:
    """The domains of the settings, in A-labels."""
    return list(dict.fromkeys(map(canonical_domain, settings.doctor.domains)))


def selectors_of(settings: Settings, _domain: str) -> list[str]:
    """The DKIM selectors that the settings name for a domain."""
    return list(settings.doctor.selectors)


def _bulk() -> Finding:
    """What no record shows."""
    return Finding(
        Level.OK,
        "bulk mail",
        "newsletters need one-click unsubscription as well: List-Unsubscribe with an https URI and "
        "`List-Unsubscribe-Post: List-Unsubscribe=One-Click` (RFC 8058), both signed by DKIM; and "
        "less than 0.3% of the recipients may call them spam",
    )
