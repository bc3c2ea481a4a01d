"""Registered domains, by the Public Suffix List (https://publicsuffix.org), private part included.

The list is the one that the package `publicsuffixlist` brings along; nothing is fetched.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from filterd.message.address import DOMAIN_LIMIT, canonical_domain

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

CACHED = 4096
"""Domains whose answer is remembered."""

LABELS = 12
"""Labels of a domain, from its end, that are looked at; no suffix has more than five."""


@lru_cache(1)
def _suffixes() -> PublicSuffixList:
    # Half a megabyte is read and parsed: only who asks for a registered domain pays for it.
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415

    return PublicSuffixList()


@lru_cache(CACHED)
def registered_domain(name: str) -> str:
    """The domain that somebody registered, of a host or domain in any spelling: `example.co.uk` of
    `www.example.co.uk`; `""` where the name is a public suffix itself, has one label, or is no
    domain. A top-level domain that the list does not know counts as a suffix."""
    domain = canonical_domain(name)
    if not 0 < len(domain) <= DOMAIN_LIMIT or domain.startswith("["):
        return ""
    labels = domain.split(".")
    if not all(labels) or labels[-1].isdigit():
        return ""
    return _suffixes().privatesuffix(".".join(labels[-LABELS:])) or ""


@lru_cache(CACHED)
def is_top_level(label: str) -> bool:
    """True for a top-level domain of the list, as an A-label or a U-label."""
    name = canonical_domain(label)
    return (
        0 < len(name) <= DOMAIN_LIMIT
        and "." not in name
        and _suffixes().publicsuffix(f"example.{name}", accept_unknown=False) is not None
    )


def prepare() -> None:
    """Read the list now, to share it with processes that are forked later."""
    _suffixes()
