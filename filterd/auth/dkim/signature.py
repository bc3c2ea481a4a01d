"""A DKIM-Signature field as a value.

Source: RFC 6376 §3.5, §6.1.1; RFC 8301 (no SHA-1); RFC 8616 (letters beyond ASCII).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim.header import Canonicalization
from filterd.auth.dkim.limits import DEFAULT, NAMES_LIMIT, DkimLimits
from filterd.auth.dkim.tags import TagList
from filterd.message.address import DOMAIN_LIMIT, canonical_domain

KEY_TYPES = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
"""By a=: the k= of the key that it needs."""

DIGEST_SIZE = 32
"""Octets of a SHA-256."""

SHOWN_SIGNATURE = 8
"""Characters of b= that tell signatures apart (RFC 6008 §4)."""

# RFC 5321 §4.1.2 has no underscores in domains of mail, but names in the DNS have them.
_LABELS = re.compile(r"[a-z0-9_][a-z0-9_-]*+(?:\.[a-z0-9_][a-z0-9_-]*+)*+")
_BASE64 = re.compile(r"[A-Za-z0-9+/=]*+")
_FIELD_NAME = re.compile(r"[!-9;-~]++")
_QUOTED = re.compile(r"=([0-9A-F]{2})")


@dataclass(frozen=True, slots=True)
class Signature:
    """What one signature says. Domains in lower case and A-labels.

    names: h=, in lower case. length: l=. signed_at, expires: t= and x=, seconds since 1970. value:
    the field's value with an empty b=, as it is signed. shown: the first characters of b=.
    """

    algorithm: str
    domain: str
    selector: str
    auid: str
    auid_domain: str
    header: Canonicalization
    body: Canonicalization
    names: tuple[str, ...]
    body_hash: bytes
    signature: bytes
    length: int | None
    signed_at: int | None
    expires: int | None
    value: bytes
    shown: str

    @classmethod
    def parse(cls, value: bytes, now: float, limits: DkimLimits = DEFAULT) -> Signature:
        """The signature in a field's raw value, checked without the message. Raises DkimError."""
        tags = TagList(value)
        if tags.required("v") != "1":
            raise DkimError("v= is not 1")
        algorithm = algorithm_of(tags)
        domain, selector = signer_of(tags)
        header, body = canonicalizations_of(tags)
        auid, auid_domain = _auid(tags, domain)
        if "dns/txt" not in (tags.words("q") or ("dns/txt",)):
            raise DkimError("q= is not dns/txt")
        signed_at, expires = times_of(tags, now, limits.clock)
        return cls(
            algorithm,
            domain,
            selector,
            auid,
            auid_domain,
            header,
            body,
            names_of(tags),
            digest_of(tags),
            signature_of(tags, limits),
            tags.number("l"),
            signed_at,
            expires,
            tags.without("b"),
            beginning_of(tags),
        )


def algorithm_of(tags: TagList) -> str:
    """The algorithm a=. Raises DkimError, also for SHA-1 (RFC 8301 §3.1)."""
    algorithm = tags.required("a").lower()
    if algorithm == "rsa-sha1":
        raise DkimError("rsa-sha1 is not accepted any more")
    if algorithm not in KEY_TYPES:
        raise DkimError("an unknown algorithm (a=)")
    return algorithm


def signer_of(tags: TagList) -> tuple[str, str]:
    """The domain d= and the selector s=, in A-labels. Raises DkimError."""
    domain = dns_domain(tags.required("d"))
    if "." not in domain:
        raise DkimError("d= is not a domain")
    selector = dns_domain(tags.required("s"))
    if not selector:
        raise DkimError("s= is not a selector")
    return domain, selector


def dns_domain(text: str) -> str:
    """A domain or selector in A-labels; "" for what no name in the DNS could be."""
    # What is not UTF-8 is not printable, either.
    is_text = len(text) <= DOMAIN_LIMIT and text.isprintable()
    domain = canonical_domain(text) if is_text else ""
    return domain if len(domain) <= DOMAIN_LIMIT and _LABELS.fullmatch(domain) else ""


@lru_cache(64)
def _canonicalizations(text: str) -> tuple[Canonicalization, Canonicalization] | None:
    header, _, body = text.lower().partition("/")
    try:
        return Canonicalization(header), Canonicalization(body or "simple")
    except ValueError:
        return None


def canonicalizations_of(tags: TagList) -> tuple[Canonicalization, Canonicalization]:
    """Those of header and body, c=. Raises DkimError."""
    found = _canonicalizations((tags.text("c") or "simple")[:40])
    if found is None:
        raise DkimError("an unknown canonicalization (c=)")
    return found


def names_of(tags: TagList) -> tuple[str, ...]:
    """The names of the signed fields, h=, in lower case; From is among them. Raises DkimError."""
    text = tags.required("h")
    if text.count(":") >= NAMES_LIMIT:
        raise DkimError(f"h= has more than {NAMES_LIMIT} names")
    names = tuple(name.strip(" \t\r\n").lower() for name in text.split(":"))
    if not all(map(_FIELD_NAME.fullmatch, names)):
        raise DkimError("h= has a name that no field can have")
    if "from" not in names:
        raise DkimError("From is not signed")
    return names


def digest_of(tags: TagList) -> bytes:
    """The hash of the body, bh=. Raises DkimError unless it has the length of a SHA-256."""
    digest = tags.binary("bh")
    if len(digest) != DIGEST_SIZE:
        raise DkimError(f"bh= has {len(digest)} octets; SHA-256 has {DIGEST_SIZE}")
    return digest


def signature_of(tags: TagList, limits: DkimLimits = DEFAULT) -> bytes:
    """The signature b=. Raises DkimError."""
    signature = tags.binary("b")
    if not signature:
        raise DkimError("an empty b=")
    if len(signature) > limits.most_bits // 8:
        raise DkimError(f"b= has {len(signature)} octets, more than any accepted key makes")
    return signature


def beginning_of(tags: TagList) -> str:
    """The first characters of b= (RFC 6008 §4), "" if it is not base64."""
    letters = "".join((tags.text("b") or "").split())[:SHOWN_SIGNATURE]
    return letters if _BASE64.fullmatch(letters) else ""


def _auid(tags: TagList, domain: str) -> tuple[str, str]:
    """The identity i= as it is to be shown, and its domain."""
    text = tags.text("i")
    if text is None:
        return "", domain
    text = _QUOTED.sub(lambda found: chr(int(found[1], 16)), "".join(text.split()))
    local, at, below = text.rpartition("@")
    auid_domain = dns_domain(below)
    if not at or not (auid_domain == domain or auid_domain.endswith("." + domain)):
        raise DkimError("the domain of i= is not d= and not below it")
    shown = local if local.isascii() and local.isprintable() and len(local) <= 64 else ""
    return f"{shown}@{auid_domain}", auid_domain


def times_of(tags: TagList, now: float, clock: float) -> tuple[int | None, int | None]:
    """When it was made, t=, and until when it counts, x=; None without. Raises DkimError.

    now: seconds since 1970. clock: seconds by which clocks may differ.
    """
    signed_at, expires = tags.number("t"), tags.number("x")
    if signed_at is not None and signed_at > now + clock:
        raise DkimError("signed in the future (t=)")
    if expires is not None:
        if signed_at is not None and expires < signed_at:
            raise DkimError("it expires before it was signed (x=)")
        if expires < now - clock:
            raise DkimError("it has expired (x=)")
    return signed_at, expires
