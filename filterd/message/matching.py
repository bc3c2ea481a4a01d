"""Who a rule is for: mailboxes of recipients, networks of clients."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from filterd.message.address import Mailbox, canonical_domain
from filterd.message.envelope import Client, Envelope, Recipient, ip

LOCAL = "local"
"""Among networks: this host itself."""

Network = IPv4Network | IPv6Network

_REMEMBERED = 4096
"""Addresses of which answers are kept: filters ask the same of one several times a message."""

MAPPED_BITS = 96
"""Bits of an IPv4-mapped IPv6 address before the IPv4 address, RFC 4291 §2.5.5.2."""


def recipient_keys(recipient: Recipient, envelope: Envelope) -> frozenset[str]:
    """Keys of all patterns (`filterd.message.address`) that cover a recipient: as the client
    spelled it, and as the MTA resolved it."""
    return frozenset(
        key for mailbox in _mailboxes(recipient, envelope) for key in mailbox.covered_by()
    )


def _mailboxes(recipient: Recipient, envelope: Envelope) -> Iterator[Mailbox]:
    spelled = Mailbox.parse(recipient.address)
    yield spelled
    host = canonical_domain(envelope.macros.get("j", ""))
    if not spelled.domain and spelled.local and host:
        # RFC 5321 §4.1.1.3: a bare <postmaster> is this host's.
        yield Mailbox(spelled.local, host)
    if not recipient.resolved:
        return
    resolved = Mailbox.parse(recipient.resolved)
    if resolved.domain:
        yield resolved
    elif resolved.local:
        # sendmail's `{rcpt_addr}` of a local recipient is the name of the user alone.
        yield Mailbox(resolved.local, spelled.domain or host)


def networks(texts: Iterable[str], *, local: bool = True) -> tuple[Network, ...]:
    """The networks that are written there, one of IPv4-mapped addresses as the IPv4 network that it
    is. local: `LOCAL` may be among them, and is left out. Raises ValueError."""
    found = []
    for text in texts:
        if local and text == LOCAL:
            continue
        try:
            found.append(_unmapped(ip_network(text, strict=False)))
        except ValueError as error:
            examples = ['"192.0.2.0/24"', '"2001:db8::/32"', *([f'"{LOCAL}"'] if local else ())]
            expected = f"{', '.join(examples[:-1])} or {examples[-1]}"
            raise ValueError(f"{text!r} is not a network; expected {expected}") from error
    return tuple(found)


def _unmapped(network: Network) -> Network:
    """RFC 4291 §2.5.5.2."""
    if isinstance(network, IPv6Network) and network.prefixlen >= MAPPED_BITS:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - MAPPED_BITS))
    return network


def mapped(network: IPv4Network) -> IPv6Network:
    """The same network in IPv4-mapped addresses, for those who compare such as they stand."""
    address = IPv6Address(f"::ffff:{network.network_address}")
    return IPv6Network((address, network.prefixlen + MAPPED_BITS))


def client_matches(client: Client, texts: Collection[str], known: Sequence[Network]) -> bool:
    """True for a client in one of the networks, or on this host where `texts` has `LOCAL`."""
    return (LOCAL in texts and client.is_local) or is_in_networks(client.address, known)


PRIVATE = networks(
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16 "
    "224.0.0.0/3 ::/128 ::1/128 fc00::/7 fe80::/10 ff00::/8".split(),
    local=False,
)
"""Addresses that mean something only within a site or a host: RFC 1918, RFC 6598, RFC 4193, RFC
4291, RFC 6890. None of the Internet's."""


@lru_cache(_REMEMBERED)
def _is_outside_private(address: str) -> bool:
    return not is_in_networks(address, PRIVATE)


def is_public(address: str) -> bool:
    """True for an address that means the same host everywhere; False for other texts."""
    return ip(address) is not None and _is_outside_private(address)


def is_in_networks(address: str, known: Sequence[Network]) -> bool:
    """True if the address lies in one of the networks."""
    if not known:
        return False
    parsed = ip(address)
    return parsed is not None and any(parsed in network for network in known)


def network_of(address: str, ipv4: int, ipv6: int) -> str:
    """The network of an address, as `192.0.2.0/24`; what is not an address stays as it is. ipv4,
    ipv6: bits of it that count."""
    found = ip(address)
    if found is None:
        return address
    return _network_of(found, ipv4 if found.version == 4 else ipv6)


@lru_cache(_REMEMBERED)
def _network_of(address: IPv4Address | IPv6Address, bits: int) -> str:
    return str(ip_network((address, bits), strict=False))
