"""Names as the DNS has them, made from what stands in messages and settings."""

from __future__ import annotations

import ipaddress

import dns.exception
import dns.name

from filterd.message.address import canonical_domain
from filterd.message.envelope import ip


def query_name(text: str) -> dns.name.Name:
    """The name of a question: A-labels, lower case, absolute.

    Every octet of a label is itself: a backslash in a message's domain is not an escape.
    Raises ValueError for what the DNS cannot hold: empty labels, labels of over 63 octets, names of
    over 255 (RFC 1035 §2.3.4).
    """
    domain = canonical_domain(text)
    if not domain:
        raise ValueError("empty name")
    try:
        labels = [label.encode("ascii", "surrogateescape") for label in domain.split(".")]
        return dns.name.Name([*labels, b""])
    except UnicodeEncodeError:
        raise ValueError("letters that have no A-label") from None
    except dns.exception.DNSException as error:
        raise ValueError(str(error)) from None


def written(name: dns.name.Name) -> str:
    """A name of an answer as text, as `Answer` has it; the root is empty."""
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


def reversed_address(address: str) -> str:
    """The labels of an IP address in reverse, as DNS lists and PTR records are asked for: octets of
    IPv4, nibbles of IPv6 (RFC 5782 §2.1, §2.4; RFC 3596 §2.5). An IPv4 address in IPv6 counts as
    IPv4. Raises ValueError."""
    found = ip(address)
    if found is None:
        raise ValueError(f"{address!r} is not an IP address")
    if isinstance(found, ipaddress.IPv4Address):
        return ".".join(reversed(str(found).split(".")))
    return ".".join(reversed(found.exploded.replace(":", "")))


def pointer_name(address: str) -> str:
    """The name whose PTR records name an address. Raises ValueError."""
    labels = reversed_address(address)
    return f"{labels}.in-addr.arpa" if labels.count(".") == 3 else f"{labels}.ip6.arpa"
