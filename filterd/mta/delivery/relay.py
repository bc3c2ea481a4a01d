"""Delivery to other hosts by SMTP: to a smart host, or where the DNS says.

The hosts of a domain are its MX records by priority, else its address (RFC 5321 §5.1). They are
tried in turn until one has answered for every recipient.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from filterd.mta.delivery.client import EHLO, LHLO, connected, wire_form
from filterd.mta.delivery.lines import limited
from filterd.mta.delivery.router import DeliveryError
from filterd.mta.delivery.transaction import (
    CONNECT_TIMEOUT,
    OutgoingMail,
    Result,
    conversation,
)
from filterd.resolver.answer import MX, DnsStatus, RecordType
from filterd.resolver.resolver import system_resolver

PORT = 25
DNS_TIMEOUT = 10.0

_HOST = re.compile(r"\[[^\[\]]*+\]|[^:\[\]]++")


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """What holds for all connections to other hosts; sendmail's options of like names.

    fallback: hosts that come after those of each domain (FallbackMXhost). last_resort: hosts for
    mail that no other host takes now, or whose domain nobody knows (FallbackSmartHost). only_to:
    the one address that is connected to, for tests (ConnectOnlyTo). sources: addresses and ports of
    this end. naming: our name by the address of this end (the modifier `h`).
    """

    fallback: str = ""
    last_resort: str = ""
    only_to: str = ""
    sources: tuple[tuple[str, int], ...] = ()
    naming: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True)
class SmtpMailer:
    """Sends a message to a host. hosts: domains, or `[host]` or `[address]` for that host itself,
    without MX records; several are separated by colons.

    line_limit: octets of a line that it takes, 0 for no limit. is_own: names of this machine, which
    a domain's other hosts must not be behind. hello: how the hosts are greeted, EHLO, HELO or LHLO.
    """

    hosts: str
    helo: str
    line_limit: int = 0
    port: int = PORT
    is_own: Callable[[str], bool] = lambda name: False  # noqa: ARG005
    options: ClientOptions = ClientOptions()
    hello: str = EHLO

    def deliver(self, mail: OutgoingMail) -> list[Result]:
        """Send. What became of each recipient, in order."""
        error = DeliveryError("no host to send to", temporary=True, code="4.4.0")
        for hosts in (self.hosts, self.options.last_resort):
            try:
                for host, port in self._hosts(hosts):
                    try:
                        return self._send(host, port, mail)
                    except DeliveryError as refused:
                        error = refused
                        if not refused.temporary:
                            return [error] * len(mail.recipients)
            except DeliveryError as unknown:
                error = unknown
            if not self.options.last_resort:
                break
        return [error] * len(mail.recipients)

    def _hosts(self, text: str) -> list[tuple[str, int]]:
        """Raises DeliveryError."""
        found: list[tuple[str, int]] = []
        for name in host_names(text):
            if name.isdecimal() and found:
                # `[127.0.0.1]:2525`
                found[-1] = (found[-1][0], int(name))
            elif name.startswith("["):
                found.append((literal(name), self.port))
            else:
                found += [(host, self.port) for host in self._exchangers(name)]
        if self.options.only_to:
            return [(self.options.only_to, port) for _, port in found[:1]]
        return found

    def _exchangers(self, name: str) -> list[str]:
        """The hosts of a domain, and the fallback. Raises DeliveryError."""
        fallback = self.options.fallback
        if not fallback:
            return mail_exchangers(name, self.is_own)
        try:
            hosts = mail_exchangers(name, self.is_own)
        except DeliveryError as error:
            if not error.temporary:
                raise
            hosts = []
        more = [literal(fallback)] if fallback.startswith("[") else mail_exchangers(fallback)
        return hosts + [one for one in more if one not in hosts]

    def _wired(self, message: bytes) -> bytes:
        return wire_form(limited(message, self.line_limit))[0]

    def _send(self, host: str, port: int, mail: OutgoingMail) -> list[Result]:
        """Raises DeliveryError if another host may be tried for all recipients."""
        connect = partial(
            connected,
            host,
            port,
            self.helo,
            CONNECT_TIMEOUT,
            self.options.sources,
            naming=self.options.naming,
            hello=self.hello,
        )
        return conversation(connect, host, mail, self._wired, lmtp=self.hello == LHLO)


def host_names(text: str) -> list[str]:
    """The hosts of `[a.test]:b.test:[IPv6:::1]`, in order."""
    return [one.strip().rstrip(".") for one in _HOST.findall(text) if one.strip().rstrip(".")]


def literal(name: str) -> str:
    """The host or address in brackets."""
    inner = name.strip("[]")
    return inner[5:] if inner[:5].lower() == "ipv6:" else inner


def mail_exchangers(
    domain: str,
    is_own: Callable[[str], bool] = lambda name: False,  # noqa: ARG005
) -> list[str]:
    """The hosts that take mail for a domain, best first. Raises DeliveryError.

    A null MX (RFC 7505) and a domain that does not exist are permanent. is_own: this machine's
    names: hosts that come after it are left out (RFC 5321 §5.1).
    """
    answer = system_resolver().ask(domain, RecordType.MX).answer(DNS_TIMEOUT)
    if answer.status in (DnsStatus.NXDOMAIN, DnsStatus.INVALID):
        raise DeliveryError(f"Host unknown ({domain})", temporary=False, code="5.1.2")
    if answer.failed:
        raise DeliveryError(f"name server: {domain}: {answer.status}", temporary=True, code="4.4.3")
    records = [record for record in answer.records if isinstance(record, MX)]
    if any(not record.exchange for record in records):
        raise DeliveryError(f"{domain} accepts no mail (null MX)", temporary=False, code="5.1.10")
    own = min((one.preference for one in records if is_own(one.exchange)), default=None)
    if own is not None:
        records = [one for one in records if one.preference < own]
        if not records:
            text = f"{domain}. config error: mail loops back to me (MX problem?)"
            raise DeliveryError(text, temporary=False, code="5.3.5")
    # Hosts of one priority share the load.
    random.shuffle(records)
    return _by_preference(records) or [domain]


def _by_preference(records: Sequence[MX]) -> list[str]:
    return [record.exchange for record in sorted(records, key=lambda one: one.preference)]
