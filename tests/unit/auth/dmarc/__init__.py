"""DMARC, in zones that are a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from filterd.resolver.answer import DnsStatus, Record

Zone = dict[str, Mapping[str, Sequence[Record] | DnsStatus]]


def published(records: Mapping[str, str]) -> Zone:
    """The zone in which these domains publish these records, `v=DMARC1` left out."""
    return {
        f"_dmarc.{domain}": {"TXT": [f"v=DMARC1; {tags}".encode()]}
        for domain, tags in records.items()
    }
