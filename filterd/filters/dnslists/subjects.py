"""What lists are asked about: the addresses and names that a message comes with."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from filterd.filters.dnslists.known import About
from filterd.message import Message
from filterd.message.address import DOMAIN_LIMIT, Mailbox, canonical_domain
from filterd.message.envelope import ip
from filterd.message.matching import is_public
from filterd.message.received import Hop
from filterd.message.suffixes import registered_domain
from filterd.message.urls import Place
from filterd.resolver.names import reversed_address

SIGNATURES_LIMIT = 5
"""DKIM signatures of one message that are looked at."""

SIGNATURE_LIMIT = 4096
"""Octets of one that are read."""

REMEMBERED = 4096
"""Subjects that are kept; most mail names some of the same hosts."""

RESERVED = frozenset("localhost local localdomain internal invalid onion arpa".split())
"""Top-level domains that no list has (RFC 6761, RFC 6762, RFC 7686, RFC 9476)."""

_random = random.SystemRandom()

_SIGNING_DOMAIN = re.compile(r"(?:\A|;)\s*+d\s*+=\s*+([^;\s]++)")


def of_client(about: About, client: Hop, sender: str) -> Sequence[str]:
    """What is known without the message: the client, its names, the reverse-path."""
    match about:
        case "client":
            return _addresses([client.address])
        case "rdns":
            return [client.name] if client.name else []
        case "helo":
            return [client.helo] if client.helo else []
        case "sender":
            domain = Mailbox.parse(sender).domain
            return [domain] if domain else []
        case _:
            return []


def of_received(beyond: Iterable[Hop], limit: int) -> Sequence[str]:
    """The public addresses in Received fields beyond the boundary, the nearest first."""
    return _addresses(hop.address for hop in beyond)[:limit]


def of_content(about: About, message: Message) -> Sequence[str]:
    """Names and addresses that stand in the message."""
    match about:
        case "dkim":
            return list(dict.fromkeys(_signing_domains(message)))
        case "url":
            places = [url for url in message.urls.found if url.place is not Place.EMAIL]
            return list(dict.fromkeys(url.host for url in places))
        case "email":
            places = [url for url in message.urls.found if url.place is Place.EMAIL]
            return list(dict.fromkeys(url.host for url in places))
        case _:
            return []


def _signing_domains(message: Message) -> Iterator[str]:
    """`d=` of the signatures (RFC 6376 §3.5). Nobody verified them here: they can only make a
    message worse."""
    for number, field in enumerate(message.fields("DKIM-Signature")):
        if number == SIGNATURES_LIMIT:
            return
        found = _SIGNING_DOMAIN.search(field.text[:SIGNATURE_LIMIT])
        if found is not None:
            yield canonical_domain(found[1])


def _addresses(texts: Iterable[str]) -> list[str]:
    """The public ones, in their canonical form, each once."""
    found = (ip(text) for text in texts if is_public(text))
    return list(dict.fromkeys(str(address) for address in found))


class Subject(NamedTuple):
    """What lists are asked about. shown: as people read it. labels: what stands before the zone in
    a question: of an address its reverse, of a name its registered domain. whole: the same, of a
    name all of it. version: of the address, 0 for a name."""

    shown: str
    labels: str
    whole: str
    version: int = 0


def subject_of(value: str, exempt: frozenset[str]) -> Subject | None:
    """The subject that an address or a name is; None where nothing is asked: for private addresses,
    and names that have a meaning only within a site or nobody is asked about."""
    # What is longer is not a name, and would fill the memory.
    return _remembered(value, exempt) if len(value) <= DOMAIN_LIMIT else _subject(value, exempt)


def _subject(value: str, exempt: frozenset[str]) -> Subject | None:
    # A name never has a colon, and its last label is not a number.
    if value[-1:].isdigit() or ":" in value or value.startswith("["):
        address = ip(value.strip("[]").lower().removeprefix("ipv6:"))
        if address is not None:
            text = str(address)
            if not is_public(text):
                return None
            labels = reversed_address(text)
            return Subject(text, labels, labels, address.version)
    name = canonical_domain(value)
    registered = registered_domain(name)
    if not registered or registered.rpartition(".")[2] in RESERVED or _is_below(name, exempt):
        return None
    return Subject(registered, registered, name)


_remembered = lru_cache(REMEMBERED)(_subject)


def _is_below(name: str, domains: frozenset[str]) -> bool:
    while name:
        if name in domains:
            return True
        name = name.partition(".")[2]
    return False


def spread(values: Sequence[str], limit: int) -> Sequence[str]:
    """At most so many, from the whole length, which ones by chance: who hides a bad one behind many
    good ones should not know where."""
    if len(values) <= limit:
        return values
    ends = [place * len(values) // limit for place in range(limit + 1)]
    return [values[_random.randrange(*pair)] for pair in pairwise(ends)]
