"""The SMTP envelope of one mail transaction, as the milter callbacks delivered it.

Addresses are `str` decoded as UTF-8 with `surrogateescape`, so that every octet a client sent
survives a round trip, and an SMTPUTF8 address is text; they are without angle brackets, the null
reverse-path is `""`. How they compare: `filterd.message.address`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

LONGEST_IP = 100
"""Characters of an address: one with a scope has 39, a percent sign and the name of an
interface."""

IPS_REMEMBERED = 4096
"""Texts whose address is remembered."""


def ip(text: str) -> IPv4Address | IPv6Address | None:
    """An IP address as text, `::ffff:192.0.2.1` as the IPv4 address that it is; None for what is
    none."""
    # One message leads to a dozen looks at the same few; what is longer would fill the memory.
    return _remembered(text) if len(text) <= LONGEST_IP else None


@lru_cache(IPS_REMEMBERED)
def _remembered(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


@dataclass(frozen=True, slots=True)
class Client:
    """The SMTP client: name as the MTA resolved it, address as text, `""` for a local submission.

    name: host name, or `[192.0.2.1]` where the MTA could not resolve one.
    """

    name: str = "localhost"
    address: str = ""
    port: int = 0
    helo: str = ""

    @property
    def is_local(self) -> bool:
        """True for mail submitted on this host: no address at all, or a loopback one."""
        if not self.address:
            return True
        found = ip(self.address)
        return found is not None and found.is_loopback


@dataclass(frozen=True, slots=True)
class Recipient:
    """One forward-path with its ESMTP parameters (`NOTIFY=NEVER`, RFC 3461).

    address: as the client spelled it. resolved: as the MTA understood it (macro `{rcpt_addr}`),
    `""` where it does not say; sendmail names a local user without a domain.
    """

    address: str
    parameters: tuple[str, ...] = ()
    resolved: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Reverse-path, forward-paths, client and the MTA's macros of one mail transaction.

    macros: the MTA's values by name as sendmail spells it, one-letter names bare (`i`, `j`), long
    ones in braces (`{auth_authen}`).
    """

    sender: str = ""
    recipients: tuple[Recipient, ...] = ()
    client: Client = Client()
    sender_parameters: tuple[str, ...] = ()
    macros: Mapping[str, str] = field(default_factory=dict)

    @property
    def queue_id(self) -> str:
        """The MTA's name of the message in its log (macro `i`), `""` where it has none."""
        return self.macros.get("i", "")

    @property
    def authenticated(self) -> str:
        """The SMTP AUTH identity (macro `{auth_authen}`), `""` for a client that did not log in."""
        return self.macros.get("{auth_authen}", "")
