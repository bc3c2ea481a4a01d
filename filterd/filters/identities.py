"""Under which name clients and mailboxes are counted, remembered and asked for."""

from __future__ import annotations

from ipaddress import ip_network

from filterd.message.address import Mailbox
from filterd.message.envelope import ip


def client_of(address: str) -> str:
    """A client's address, an IPv4-mapped one as IPv4; what is not an address stays as it is."""
    found = ip(address)
    return address if found is None else str(found)


def network_of(address: str, ipv4: int, ipv6: int) -> str:
    """The network of an address, as `192.0.2.0/24`; what is not an address stays as it is. ipv4,
    ipv6: bits of it that count."""
    found = ip(address)
    if found is None:
        return address
    bits = ipv4 if found.version == 4 else ipv6
    return str(ip_network((found, bits), strict=False))


def mailbox_of(address: str) -> str:
    """An address in its canonical form, without detail; `""` for the null reverse-path."""
    mailbox = Mailbox.parse(address)
    return str(Mailbox(mailbox.base, mailbox.domain))
