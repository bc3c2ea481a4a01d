"""Whom SPF is asked about, as domains that the DNS can hold (RFC 7208 §2.3, §2.4, §4.3)."""

from __future__ import annotations

import re

from filterd.message.address import canonical_domain

DOMAIN_LIMIT = 253
"""Characters of a name in the DNS, without the root (RFC 1035 §2.3.4)."""

# The last label is not a number: that would be an address.
_DOMAIN = re.compile(r"(?:[a-z0-9_-]{1,63}\.)++(?![0-9]++\Z)[a-z0-9-]{1,63}")
_ROUTE = re.compile(r"@[^:]*+:")


def parts_of(sender: str) -> tuple[str, str]:
    """Local part and domain of a reverse-path; without source route (RFC 5321 appendix C)."""
    address = sender.strip()
    if address.startswith("<") and address.endswith(">"):
        address = address[1:-1]
    if address.startswith("@"):
        address = address[route.end() :] if (route := _ROUTE.match(address)) else address
    local, _, domain = address.rpartition("@")
    return local, domain


def domain_of(text: str) -> str:
    """In A-labels; "" for what is not a domain of several labels, an address literal say (§4.3)."""
    domain = canonical_domain(text)
    if len(domain) > DOMAIN_LIMIT or not _DOMAIN.fullmatch(domain):
        return ""
    return domain
