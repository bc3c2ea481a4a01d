"""DKIM2-Signature and Message-Instance as values. Sections are those of the draft."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim.signature import KEY_TYPES, dns_domain
from filterd.auth.dkim.tags import FOLDING, TagList
from filterd.auth.dkim2.limits import (
    INSTANCE_SIZE_LIMIT,
    INSTANCES_LIMIT,
    KEYS,
    SETS_LIMIT,
    SIGNATURES_LIMIT,
)
from filterd.auth.dkim2.recipe import Recipe
from filterd.message.address import canonical_domain

SIGNATURE = "DKIM2-Signature"
INSTANCE = "Message-Instance"

DIGEST_SIZES = {"sha256": 32, "sha512": 64}
"""Hashes of content by name (3.1): octets."""

NONCE_LIMIT = 64
"""Characters of n= (8.3)."""

SAME_ALGORITHM_LIMIT = 2
"""Signatures by one algorithm in one field (8.9)."""

_PRINTABLE = re.compile(r"[!-~]*+")
_TEXTSTRING = re.compile(r"[A-Za-z0-9_-]++")


class Dkim2Path(NamedTuple):
    """An address of the envelope, to be compared: the local part as it is, the domain in lower case
    and A-labels. Both are "" for the null reverse-path."""

    local: str
    domain: str

    @classmethod
    def of(cls, address: str) -> Dkim2Path:
        """That of an address without angle brackets."""
        local, at, domain = address.rpartition("@")
        return cls(local, canonical_domain(domain)) if at else cls(address, "")

    @classmethod
    def parse(cls, octets: bytes, tag: str) -> Dkim2Path:
        """That of a path in angle brackets (8.5, 8.6). Raises DkimError."""
        if len(octets) < 2 or octets[:1] != b"<" or octets[-1:] != b">":
            raise DkimError(f"{tag}= has a path without angle brackets")
        return cls.of(octets[1:-1].decode("utf-8", "surrogateescape"))


class SignatureSet(NamedTuple):
    """One signature of a field, by an algorithm that is known (8.9)."""

    selector: str
    algorithm: str
    signature: bytes


class HashSet(NamedTuple):
    """Hashes of the message, by an algorithm that is known (7.3)."""

    algorithm: str
    header: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Dkim2Signature:
    """What one DKIM2-Signature field says (8).

    sequence, instance: i= and m=. signed_at: t=, seconds since 1970. sender, recipients: mf= and
    rt=, base64 decoded, as they stand; sender is None where next_domain (nd=) takes their place.
    sets: s=, those whose algorithm is known. whole, unsigned: the field as it is signed by later
    hosts, and by its own, without its signatures (9.6).
    """

    sequence: int
    instance: int
    signed_at: int
    domain: str
    sender: bytes | None
    recipients: tuple[bytes, ...]
    next_domain: str
    sets: tuple[SignatureSet, ...]
    whole: bytes
    unsigned: bytes

    @classmethod
    def parse(cls, value: bytes) -> Dkim2Signature:
        """That of a field's raw value. Raises DkimError."""
        tags = _tags(SIGNATURE, value)
        sequence = _ordinal(tags, "i", SIGNATURES_LIMIT, SIGNATURE)
        try:
            return cls._of(sequence, tags)
        except DkimError as error:
            raise DkimError(f"{SIGNATURE} i={sequence}: {error.reason}") from None

    @classmethod
    def _of(cls, sequence: int, tags: TagList) -> Dkim2Signature:
        instance = _ordinal(tags, "m", INSTANCES_LIMIT)
        signed_at = tags.number("t")
        if signed_at is None:
            raise DkimError("no t=")
        nonce = tags.text("n") or ""
        if len(nonce) > NONCE_LIMIT or not _PRINTABLE.fullmatch(nonce):
            raise DkimError(
                f"n= has more than {NONCE_LIMIT} characters, or one that is not printable"
            )
        sender, recipients, next_domain = _route(tags)
        sets, blanked = _signatures(tags)
        return cls(
            sequence,
            instance,
            signed_at,
            _domain(tags, "d"),
            sender,
            recipients,
            next_domain,
            sets,
            signed_form(SIGNATURE, tags.octets),
            signed_form(SIGNATURE, blanked),
        )


@dataclass(frozen=True, slots=True)
class MessageInstance:
    """What one Message-Instance field says (7).

    number: m=. hashes: h=, those whose algorithm is known. recipe: r=, None without one. whole: the
    field as it is signed (9.6).
    """

    number: int
    hashes: tuple[HashSet, ...]
    recipe: Recipe | None
    whole: bytes

    @classmethod
    def parse(cls, value: bytes) -> MessageInstance:
        """That of a field's raw value. Raises DkimError."""
        tags = _tags(INSTANCE, value, INSTANCE_SIZE_LIMIT)
        number = _ordinal(tags, "m", INSTANCES_LIMIT, INSTANCE)
        try:
            hashes = _hashes(tags)
            recipe = Recipe.parse(_decoded(tags.required("r"), "r")) if "r" in tags else None
        except DkimError as error:
            raise DkimError(f"{INSTANCE} m={number}: {error.reason}") from None
        return cls(number, hashes, recipe, signed_form(INSTANCE, tags.octets))


def signed_form(name: str, value: bytes) -> bytes:
    """A field as it is signed (9.6): its name in lower case, no white space, CRLF."""
    return name.lower().encode("ascii") + b":" + value.translate(None, FOLDING) + b"\r\n"


def _tags(name: str, value: bytes, limit: int | None = None) -> TagList:
    try:
        if limit is None:
            return TagList(value, any_case=True)
        return TagList(value, limit, any_case=True)
    except DkimError as error:
        raise DkimError(f"{name}: {error.reason}") from None


def _ordinal(tags: TagList, tag: str, limit: int, name: str = "") -> int:
    """A number that counts from 1."""
    try:
        number = tags.number(tag)
        if number is None:
            raise DkimError(f"no {tag}=")
        if not 1 <= number <= limit:
            raise DkimError(f"{tag}= is not a number from 1 to {limit}")
    except DkimError as error:
        raise DkimError(f"{name}: {error.reason}" if name else error.reason) from None
    return number


def _domain(tags: TagList, tag: str) -> str:
    domain = dns_domain(tags.required(tag))
    if "." not in domain:
        raise DkimError(f"{tag}= is not a domain")
    return domain


def _decoded(text: str, tag: str) -> bytes:
    """Base64 with the padding that it must have (2.14), white space apart."""
    letters = text.encode("utf-8", "surrogateescape").translate(None, FOLDING)
    try:
        octets = base64.b64decode(letters, validate=True)
    except (binascii.Error, ValueError):
        raise DkimError(f"{tag}= is not base64") from None
    if not octets or base64.b64encode(octets) != letters:
        raise DkimError(f"{tag}= is not base64, padded with zero bits")
    return octets


def _route(tags: TagList) -> tuple[bytes | None, tuple[bytes, ...], str]:
    """mf= and rt=, or nd= in their place (8.5 to 8.7)."""
    if "nd" in tags:
        if "mf" in tags or "rt" in tags:
            raise DkimError("nd= was unexpected beside mf= or rt=")
        return None, (), _domain(tags, "nd")
    sender = _decoded(tags.required("mf"), "mf")
    recipients = tuple(_decoded(one, "rt") for one in tags.required("rt").split(","))
    return sender, recipients, ""


def _signatures(tags: TagList) -> tuple[tuple[SignatureSet, ...], bytes]:
    """s=, and the whole list of tags without the signatures in it."""
    text = tags.required("s")
    parts = [one.split(":") for one in text.split(",", SETS_LIMIT)]
    if len(parts) > SETS_LIMIT:
        raise DkimError(f"s= has more than {SETS_LIMIT} signatures")
    if any(len(part) != 3 for part in parts):
        raise DkimError("s= is not selector, algorithm and signature")
    blanked = ",".join(f"{selector}:{algorithm}:" for selector, algorithm, _ in parts)
    found, selectors = [], Counter[str]()
    for part in parts:
        selector, algorithm = dns_domain(part[0].strip(" \t\r\n")), part[1].strip(" \t\r\n")
        if not selector or not _TEXTSTRING.fullmatch(algorithm):
            raise DkimError("s= has no selector, or no algorithm")
        signature = _decoded(part[2], "s")
        selectors[selector] += 1
        if algorithm in KEY_TYPES:
            if len(signature) > KEYS.most_bits // 8:
                raise DkimError("s= has a signature larger than those of any key that is accepted")
            found.append(SignatureSet(selector, algorithm, signature))
    if max(selectors.values()) > 1:
        raise DkimError("a duplicate selector")
    if any(n > SAME_ALGORITHM_LIMIT for n in Counter(one.algorithm for one in found).values()):
        raise DkimError("more selectors than allowed")
    return tuple(found), tags.replaced("s", blanked.encode("utf-8", "surrogateescape"))


def _hashes(tags: TagList) -> tuple[HashSet, ...]:
    parts = [one.split(":") for one in tags.required("h").split(",", SETS_LIMIT)]
    if len(parts) > SETS_LIMIT:
        raise DkimError(f"h= has more than {SETS_LIMIT} hashes")
    found, names = [], set[str]()
    for part in parts:
        name = part[0].strip(" \t\r\n")
        if len(part) != 3 or not _TEXTSTRING.fullmatch(name):
            raise DkimError("h= is not a name and two hashes")
        if name in names:
            raise DkimError("a duplicate hash algorithm")
        names.add(name)
        header, body = _decoded(part[1], "h"), _decoded(part[2], "h")
        size = DIGEST_SIZES.get(name)
        if size is None:
            continue
        if len(header) != size or len(body) != size:
            raise DkimError(f"h= has a hash that is not of {size} octets")
        found.append(HashSet(name, header, body))
    return tuple(found)
