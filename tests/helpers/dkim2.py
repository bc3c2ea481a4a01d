"""DKIM2 for tests: what hosts on the way add to a message. A signer, in a few lines."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.header import Canonicalization, canonical_field
from filterd.auth.dkim.signing import SigningKey
from filterd.auth.dkim2.fields import INSTANCE, SIGNATURE, signed_form
from filterd.auth.dkim2.unsigned import is_hashed
from filterd.message import Envelope, Message, Recipient
from tests.helpers.dkim import mail, signing_key

NOW = 1_790_000_000.0
"""When everything is signed and checked."""

ANN, LIST, BOB = "ann@bank.example", "talk@list1.example", "bob@mx.example"
BOUNCES = "bounces@list1.example"

FOOTER = b"-- \r\nto leave this list: ...\r\n"

UNDO: dict[str, Any] = {"b": [{"c": [1, 3]}], "h": {"subject": [{"d": ["Your account and more"]}]}}
"""How the list's change of a message is taken back."""


def b64(octets: bytes | str) -> str:
    """In base64."""
    return base64.b64encode(octets.encode() if isinstance(octets, str) else octets).decode()


def header_hash(data: bytes, algorithm: str = "sha256") -> bytes:
    """The hash of the header, made another way than the package makes it."""
    fields = []
    for place, field in enumerate(reversed(Message(data).header_fields)):
        name = field.name.lower()
        if is_hashed(name):
            made = canonical_field(name, field.raw_value, Canonicalization.RELAXED)
            fields.append((name, place, made))
    text = b"".join(made + b"\r\n" for _name, _place, made in sorted(fields))
    return hashlib.new(algorithm, text).digest()


def body_hash(data: bytes, algorithm: str = "sha256") -> bytes:
    """The hash of the body."""
    body = CanonicalBody(data, Message(data).body_start, algorithm=algorithm)
    return body.hashed(Canonicalization.SIMPLE).digest


def instance(
    data: bytes,
    number: int = 1,
    recipe: object = None,
    algorithms: Sequence[str] = ("sha256",),
    more: str = "",
) -> bytes:
    """The message with a Message-Instance of it on top. recipe: bytes as they are, else as JSON."""
    hashes = ",\r\n ".join(
        f"{one}:{b64(header_hash(data, one))}:{b64(body_hash(data, one))}" for one in algorithms
    )
    if recipe is not None:
        text = recipe if isinstance(recipe, bytes) else json.dumps(recipe).encode()
        more += f" r={b64(text)};"
    value = f" m={number}; h={hashes};{more}"
    return f"{INSTANCE}:{value}\r\n".encode() + data


def sign2(
    data: bytes,
    key: SigningKey,
    number: int = 1,
    *,
    sender: str = ANN,
    recipients: Sequence[str] = (LIST,),
    of: int = 1,
    tags: str = "",
    route: str | None = None,
    more_keys: Sequence[SigningKey] = (),
    sets: str = "",
    at: float = NOW,
) -> bytes:
    """The message with a DKIM2-Signature on top, of the instance `of`.

    route: in place of mf= and rt=. tags: more of them. sets: more signatures in s=, as they are.
    """
    if route is None:
        to = ",".join(b64(f"<{one}>") for one in recipients)
        route = f"mf={b64(f'<{sender}>')}; rt={to};"
    keys = (key, *more_keys)
    start = f" i={number}; m={of}; t={int(at)}; d={key.domain};\r\n {route} {tags} s="
    blank = ",".join(f"{one.selector}:{one.algorithm}:" for one in keys) + _blanked(sets)
    own = signed_form(SIGNATURE, f"{start}{blank};".encode())
    digest = hashlib.sha256(b"".join([*_before(data, INSTANCE), *_before(data, SIGNATURE), own]))
    made = ",\r\n ".join(
        f"{one.selector}:{one.algorithm}:{b64(one.sign(digest.digest()))}" for one in keys
    )
    return f"{SIGNATURE}:{start}{made}{sets};\r\n".encode() + data


def _blanked(sets: str) -> str:
    return ",".join(one.rpartition(":")[0] + ":" if one else "" for one in sets.split(","))


def _before(data: bytes, name: str) -> list[bytes]:
    """The fields that are there, as they are signed; the oldest is the lowest."""
    fields = [one for one in Message(data).header_fields if one.name.lower() == name.lower()]
    return [signed_form(name, one.raw_value) for one in reversed(fields)]


def key(number: int = 0, algorithm: str = "ed25519-sha256", selector: str = "d2") -> SigningKey:
    """That of bank.example, or of the host of that number on the way."""
    domain = f"list{number}.example" if number else "bank.example"
    return signing_key(algorithm, domain, selector)


def first(data: bytes | None = None, **options: Any) -> bytes:
    """A message as its author's host sends it to the list."""
    return sign2(instance(mail() if data is None else data), key(), **options)


def changed(data: bytes) -> bytes:
    """What the list does to a message: a tag and a footer."""
    return data.replace(b"Subject: Your", b"Subject: [talk] Your") + FOOTER


def listed(data: bytes | None = None, recipe: object = None, **options: Any) -> bytes:
    """The same as the list sends it on, changed."""
    left = changed(first() if data is None else data)
    undo = UNDO if recipe is None else recipe
    options = {"sender": BOUNCES, "recipients": (BOB,), "of": 2, **options}
    return sign2(instance(left, 2, undo), key(1), 2, **options)


def came(data: bytes, sender: str = ANN, *recipients: str) -> Message:
    """As it comes here."""
    return Message(data, Envelope(sender, tuple(map(Recipient, recipients or (LIST,)))))
