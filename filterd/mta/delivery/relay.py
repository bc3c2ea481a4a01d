"""Delivery to other hosts by SMTP: to a smart host, or where the DNS says.

The hosts of a domain are its MX records by priority, else its address (RFC 5321 §5.1). They are
tried in turn until one accepts the message or refuses it permanently.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from filterd.mta.delivery.client import connected, transact
from filterd.mta.delivery.lines import limited
from filterd.mta.delivery.router import DeliveryError
from filterd.mta.mail.entry import QueueEntry, Target
from filterd.mta.mail.header import take_return_path
from filterd.resolver.answer import MX, DnsStatus, RecordType
from filterd.resolver.resolver import system_resolver
from filterd.smtp.client import SmtpError

PORT = 25
CONNECT_TIMEOUT = 60.0
"""Seconds for a connection and its greeting, RFC 5321 §4.5.3.2.1 allows 300."""

SEND_TIMEOUT = 600.0
"""Seconds for one message, the wait after the final dot (RFC 5321 §4.5.3.2.6) included."""

DNS_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class SmtpMailer:
    """Sends one recipient's copy to a host. host: a domain, or `[host]` or `[address]` for that
    host itself, without MX records; a port may follow after a colon. line_limit: octets of a line
    that it takes, 0 for no limit."""

    host: str
    helo: str
    line_limit: int = 0

    def deliver(self, entry: QueueEntry, target: Target, message: bytes) -> str:
        """Send. Raises DeliveryError."""
        _, message = take_return_path(message)
        message = limited(message, self.line_limit)
        trouble = DeliveryError("no host to send to", temporary=True, code="4.4.0")
        for name, port in self._hosts():
            try:
                return self._send(name, port, entry, target, message)
            except DeliveryError as error:
                trouble = error
                if not error.temporary:
                    break
        raise trouble

    def _hosts(self) -> list[tuple[str, int]]:
        name, _, port_text = self.host.partition(":")
        port = int(port_text) if port_text.isdecimal() else PORT
        if name.startswith("["):
            return [(name.strip("[]"), port)]
        return [(host, port) for host in mail_exchangers(name)]

    def _send(self, host: str, port: int, entry: QueueEntry, target: Target, message: bytes) -> str:
        try:
            client = connected(host, port, self.helo, CONNECT_TIMEOUT)
        except SmtpError as error:
            raise DeliveryError(str(error), temporary=True, code="4.4.1") from None
        try:
            with client.within(SEND_TIMEOUT):
                result = transact(client, entry.id, message, entry.sender, [target.address])
        except SmtpError as error:
            raise DeliveryError(f"{host}: {error}", temporary=True, code="4.4.2") from None
        finally:
            client.quit()
        if not result.accepted:
            permanent = result.code >= 500
            code = "5.0.0" if permanent else "4.0.0"
            raise DeliveryError(
                f"{host} replied: {result.reply}", temporary=not permanent, code=code
            )
        return f"{host} ({result.reply})"


def mail_exchangers(domain: str) -> list[str]:
    """The hosts that take mail for a domain, best first. Raises DeliveryError.

    A null MX (RFC 7505) and a domain that does not exist are permanent.
    """
    answer = system_resolver().ask(domain, RecordType.MX).answer(DNS_TIMEOUT)
    if answer.status in (DnsStatus.NXDOMAIN, DnsStatus.INVALID):
        raise DeliveryError(f"Host unknown ({domain})", temporary=False, code="5.1.2")
    if answer.failed:
        raise DeliveryError(f"name server: {domain}: {answer.status}", temporary=True, code="4.4.3")
    records = [record for record in answer.records if isinstance(record, MX)]
    if any(not record.exchange for record in records):
        raise DeliveryError(f"{domain} accepts no mail (null MX)", temporary=False, code="5.1.10")
    # Hosts of one priority share the load.
    random.shuffle(records)
    hosts = [record.exchange for record in sorted(records, key=lambda one: one.preference)]
    return hosts or [domain]
