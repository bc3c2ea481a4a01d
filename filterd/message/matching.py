"""Who a rule is for: addresses and domains of recipients, networks of clients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from filterd.message.envelope import Client

LOCAL = "local"
"""Among networks: this host itself."""

Network = IPv4Network | IPv6Network


def address_matches(address: str, patterns: Iterable[str]) -> bool:
    """True if one of the patterns, in lower case, is the address, its domain, or with a dot before
    it a domain that it lies in or below."""
    address = address.lower()
    domain = address.rpartition("@")[2]
    for pattern in patterns:
        if "@" in pattern:
            if address == pattern:
                return True
        elif pattern.startswith("."):
            if domain == pattern[1:] or domain.endswith(pattern):
                return True
        elif domain == pattern:
            return True
    return False


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks that are written there, `LOCAL` left out. Raises ValueError for what is none."""
    found = []
    for text in texts:
        if text == LOCAL:
            continue
        try:
            found.append(ip_network(text, strict=False))
        except ValueError as error:
            raise ValueError(
                f'{text!r} is no network; right would be "192.0.2.0/24" or "{LOCAL}"'
            ) from error
    return tuple(found)


def is_in_networks(client: Client, known: Sequence[Network]) -> bool:
    """True if the client's address lies in one of the networks."""
    if not known:
        return False
    try:
        parsed = ip_address(client.address)
    except ValueError:
        return False
    return any(parsed in network for network in known)
