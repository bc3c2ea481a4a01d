"""The site as a sender: are its domains' records what Gmail, Yahoo and Microsoft ask of senders,
and what do others find who send to it.

Sources: support.google.com/a/answer/81126, senders.yahooinc.com/best-practices, Microsoft's
"Strengthening Email Ecosystem: Outlook's New Requirements for High-Volume Senders"; the RFCs that
the modules name. Nothing is asked unless domains are named. All questions go through the site's
resolver, within `doctor.seconds` for each domain; several domains are looked at side by side, since
the name servers of some may be silent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from socket import getfqdn

from filterd.auth.questions import DnsQuestions
from filterd.config.load import Settings
from filterd.doctor.findings import Finding, Level
from filterd.doctor.senders.dkim import dkim
from filterd.doctor.senders.dmarc import dmarc
from filterd.doctor.senders.outgoing import OutgoingHost, outgoing, outgoing_of
from filterd.doctor.senders.spf import spf
from filterd.doctor.senders.transport import Fetch, over_https, transport
from filterd.filters.sign.settings import SignSettings
from filterd.message.address import canonical_domain
from filterd.resolver.lookups import DnsLookups
from filterd.resolver.resolver import Resolver

QUESTIONS = 1000
"""Of one domain; SPF alone may ask for 100 names, for each address."""

DOMAINS_LIMIT = 100
"""Domains of the settings that are looked at; a host of many sites has thousands."""

DOMAINS_AT_ONCE = 25
"""Domains that are looked at side by side: four rounds for as many as there may be."""

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
    if not domains and len(wanted) > DOMAINS_LIMIT:
        yield Finding(
            Level.WARN,
            "senders",
            f"only the first {DOMAINS_LIMIT} of {len(wanted)} domains are looked at",
            "look at others with --domain",
        )
        del wanted[DOMAINS_LIMIT:]
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

        def look(domain: str) -> list[Finding]:
            keys = keys_of(settings, domain, selectors)
            questions = DnsLookups(resolver, limit=QUESTIONS, seconds=seconds)
            found = list(of_domain(domain, host, keys, questions))
            return [*found, *transport(domain, questions, seconds * POLICY_SHARE, get)]

        with ThreadPoolExecutor(DOMAINS_AT_ONCE) as pool:
            for found in pool.map(look, wanted):
                yield from found
    yield _bulk()


def of_domain(
    domain: str, host: OutgoingHost, keys: Sequence[tuple[str, str]], questions: DnsQuestions
) -> Iterator[Finding]:
    """What receivers find about one domain. keys: see `keys_of`."""
    yield from spf(domain, host, questions)
    yield from dkim(domain, keys, questions)
    yield from dmarc(domain, [signer for signer, _ in keys], questions)


def own_domains(settings: Settings) -> list[str]:
    """The domains of the settings, and those that have keys to sign with, in A-labels."""
    keys = [key.domain for own in settings.in_chain(SignSettings).values() for key in own.keys]
    return list(dict.fromkeys(map(canonical_domain, [*settings.doctor.domains, *keys])))


def keys_of(settings: Settings, domain: str, selectors: Sequence[str]) -> list[tuple[str, str]]:
    """Domain and selector of the keys that sign for a domain, or will. selectors: others of it."""
    found = [(domain, one) for one in (*selectors, *settings.doctor.selectors)]
    today = datetime.now(UTC).date()
    for own in settings.in_chain(SignSettings).values():
        for key in own.keys:
            signer = canonical_domain(key.domain)
            is_meant = domain == signer or (key.subdomains and domain.endswith(f".{signer}"))
            if is_meant and (key.until is None or key.until >= today):
                found.append((signer, key.selector))
    return list(dict.fromkeys(found))


def _bulk() -> Finding:
    """What no record shows."""
    return Finding(
        Level.OK,
        "bulk mail",
        "newsletters need one-click unsubscription as well: List-Unsubscribe with an https URI and "
        "`List-Unsubscribe-Post: List-Unsubscribe=One-Click` (RFC 8058), both signed by DKIM; and "
        "less than 0.3% of the recipients may call them spam",
    )
