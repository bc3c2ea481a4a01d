"""Signed mail for tests: keys, zones that publish them, and messages."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.header import CanonicalHeader, Canonicalization, canonical_field
from filterd.auth.dkim.record import key_name
from filterd.auth.dkim.signing import SigningKey, base64_folded, sign, written
from filterd.message import Message
from tests.helpers.zones import Zones

DOMAIN = "bank.example"


@cache
def signing_key(
    algorithm: str = "rsa-sha256", domain: str = DOMAIN, selector: str = "mail", bits: int = 2048
) -> SigningKey:
    """One key for all tests that ask for the same."""
    return SigningKey.generate(domain, selector, algorithm, bits)


def published(*keys: SigningKey, more: Sequence[tuple[str, object]] = ()) -> Zones:
    """A name server that has the records of these keys, and others by name."""
    zone = {key_name(key.domain, key.selector): {"TXT": [key.record.encode()]} for key in keys}
    zone |= {name: {"TXT": value} for name, value in more}  # type: ignore[dict-item]
    return Zones(zone)


def signed(data: bytes, *keys: SigningKey, **options: Any) -> bytes:
    """The message with a signature by each key on top, the last one topmost."""
    for key in keys:
        message = Message(data)
        value = sign(CanonicalHeader.of(message), CanonicalBody.of(message), key, **options)
        data = b"DKIM-Signature: " + value + b"\r\n" + data
    return data


def partly_signed(data: bytes, length: int, key: SigningKey) -> bytes:
    """The message with a signature on top that counts so many octets of the body (l=)."""
    relaxed = Canonicalization.RELAXED
    message = Message(data)
    digest = CanonicalBody.of(message).hashed(relaxed, length).digest
    tags = [
        ("v", "1"),
        ("a", key.algorithm),
        ("c", f"{relaxed}/{relaxed}"),
        ("d", key.domain),
        ("s", key.selector),
        ("l", str(length)),
        ("h", "from"),
        ("bh", base64.b64encode(digest).decode()),
    ]
    value = written(tags, 16)
    own = canonical_field("DKIM-Signature", value, relaxed)
    value += base64_folded(key.sign(CanonicalHeader.of(message).digest(["from"], relaxed, own)))
    return b"DKIM-Signature: " + value + b"\r\n" + data


def mail(body: bytes = b"Dear customer,\r\n\r\nnothing happened.\r\n", *more: bytes) -> bytes:
    """A small message; more: further header fields, without line ends."""
    fields: Iterable[bytes] = (
        b"From: Ann <ann@bank.example>",
        b"To: bob@mx.example",
        b"Subject: Your  account\r\n and more",
        b"Date: Sat, 28 Nov 2026 10:00:00 +0000",
        b"Message-ID: <1@bank.example>",
        *more,
    )
    return b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body
