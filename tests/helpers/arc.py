"""Chains for tests: what hosts on the way add to a message, and faults put into it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from filterd.auth.arc.sealing import seal_arc
from filterd.auth.arc.verify import verify_arc
from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.header import CanonicalHeader, Canonicalization, canonical_field
from filterd.auth.dkim.signing import SigningKey, base64_folded, written
from filterd.auth.results import parse
from filterd.message import Message
from filterd.message.authentication import ArcCheck
from tests.helpers.dkim import mail, published, signing_key

NOW = 1_600_000_000.0
"""When everything is signed and checked."""

RESULTS = (
    "mx.list.example; spf=pass smtp.mailfrom=bank.example; dmarc=pass header.from=bank.example"
)


def hop(
    data: bytes,
    *keys: SigningKey,
    check: ArcCheck | None = None,
    results: str = RESULTS,
    change: Callable[[bytes], bytes] = lambda data: data,
) -> bytes:
    """The message as the next host gets it: checked as it came, changed, and sealed by the last of
    the keys; the others are those of the hosts before. check: the result, if not what is found."""
    if check is None:
        check = verify_arc(Message(data), published(*keys), now=NOW)
    left = change(data)
    message = Message(left)
    pairs = [(field.name, field.raw_value) for field in message.header_fields]
    body = left[message.body_start :]
    added = seal_arc(pairs, body, check, parse(results), keys[-1], now=NOW)
    top = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in added)
    return top + left


def list_key(number: int = 1, algorithm: str = "ed25519-sha256") -> SigningKey:
    """The key of the host of that number on the way."""
    return signing_key(algorithm, f"list{number}.example", "arc")


def chain(sets: int, data: bytes | None = None) -> bytes:
    """A message that came over so many hosts, each with a key of its own."""
    data = mail() if data is None else data
    keys = []
    for number in range(1, sets + 1):
        keys.append(list_key(number))
        data = hop(data, *keys)
    return data


def by_hand(data: bytes, key: SigningKey, **tags: str) -> bytes:
    """The message with a first set whose message signature has other tags than ours would have:
    l=, x=, c= and h= are kept to."""
    message = Message(data)
    chosen = {"c": "relaxed/relaxed", "h": "from:subject", **tags}
    header, body = map(Canonicalization, chosen["c"].split("/"))
    length = int(chosen["l"]) if "l" in chosen else None
    digest = CanonicalBody.of(message).hashed(body, length).digest
    signer = {"i": "1", "a": key.algorithm, "d": key.domain, "s": key.selector}
    chosen = signer | chosen | {"bh": base64.b64encode(digest).decode()}
    results = "ARC-Authentication-Results", b" i=1; mx.list.example; none"
    covered = CanonicalHeader(
        [results, *((one.name, one.raw_value) for one in message.header_fields)]
    )
    unsigned = b" " + written(chosen.items(), 25)
    own = canonical_field("ARC-Message-Signature", unsigned, header)
    names = [name.lower() for name in chosen["h"].split(":")]
    signature = unsigned + base64_folded(key.sign(covered.digest(names, header, own)))
    unsigned = b" " + written([*signer.items(), ("cv", "none")], 10)
    parts = results, ("ARC-Message-Signature", signature), ("ARC-Seal", unsigned)
    sealed = b"\r\n".join(canonical_field(*part, Canonicalization.RELAXED) for part in parts)
    seal = unsigned + base64_folded(key.sign(hashlib.sha256(sealed).digest()))
    fields = ("ARC-Seal", seal), ("ARC-Message-Signature", signature), results
    return b"".join(name.encode() + b":" + value + b"\r\n" for name, value in fields) + data
