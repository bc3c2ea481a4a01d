"""Signatures as they are written: names, folding, keys."""

from __future__ import annotations

import re

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from filterd.auth.dkim.header import CanonicalHeader
from filterd.auth.dkim.record import KeyRecord, public_key
from filterd.auth.dkim.signing import SigningKey, base64_folded, sign, signed_names, written
from filterd.auth.dkim.tags import TagList
from tests.helpers.dkim import signing_key

pytestmark = pytest.mark.slow

FIELDS = [
    ("From", b" ann@bank.example"),
    ("To", b" bob@mx.example"),
    ("Received", b" from x"),
    ("X-Spam-Score", b" 1"),
    ("List-Unsubscribe", b" <https://bank.example/u>"),
    ("List-Unsubscribe-Post", b" List-Unsubscribe=One-Click"),
    ("Subject", b" one"),
    ("Subject", b" two"),
]


def test_the_names() -> None:
    names = signed_names(CanonicalHeader(FIELDS))
    assert names.count("from") == 2
    assert names.count("to") == 2
    assert names.count("subject") == 3
    assert names.count("date") == 1  # there is none, and none may be added
    assert {"list-unsubscribe", "list-unsubscribe-post"} <= set(names)
    assert not {"received", "x-spam-score", "cc"} & set(names)


def test_a_signature() -> None:
    key = signing_key("rsa-sha256", "müller.example", "mail")
    value = sign(FIELDS, b"Hi\r\n", key, now=1_800_000_000.5, lifetime=604_800)
    tags = TagList(value)
    assert tags.text("v") == "1"
    assert (tags.text("d"), tags.text("s")) == ("xn--mller-kva.example", "mail")
    assert (tags.number("t"), tags.number("x")) == (1_800_000_000, 1_800_604_800)
    assert tags.text("c") == "relaxed/relaxed"
    assert len(tags.binary("b")) == 256
    assert "i" not in tags and "l" not in tags
    lines = (b"DKIM-Signature: " + value).split(b"\r\n")
    assert all(line.startswith(b"\t") for line in lines[1:])
    assert max(len(line) + 7 * line.startswith(b"\t") for line in lines) <= 78


def test_nothing_but_letters_may_be_folded() -> None:
    value = written([("v", "1"), ("d", "a" * 100 + ".example"), ("h", "x" * 90 + ":from")], 16)
    tags = TagList(value)
    assert tags.text("d") == "a" * 100 + ".example"
    assert tags.words("h") == ("x" * 90, "from")
    assert tags.text("b") == ""
    assert tags.without("b") == value


def test_long_signatures_are_folded() -> None:
    folded = base64_folded(bytes(range(256)))
    assert max(map(len, folded.split(b"\r\n"))) <= 70
    assert TagList(b"b=" + folded).binary("b") == bytes(range(256))


@pytest.mark.parametrize("algorithm", ["rsa-sha256", "ed25519-sha256"])
def test_a_key_is_written_and_read(algorithm: str) -> None:
    key = signing_key(algorithm)
    again = SigningKey.from_pem(key.pem, "Bank.Example.", "Mail")
    assert (again.domain, again.selector) == ("bank.example", "mail")
    assert again.record == key.record
    public = public_key(KeyRecord.parse(key.record.encode()))
    assert public.bits == key.bits
    digest = bytes(32)
    assert public.verifies(again.sign(digest), digest)
    assert not public.verifies(again.sign(digest), bytes(31) + b"\1")
    assert not public.verifies(b"", digest)
    assert re.fullmatch(r"v=DKIM1; k=(rsa|ed25519); p=[A-Za-z0-9+/]+=*", key.record)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def test_keys_that_cannot_sign() -> None:
    expected = "expected an RSA or Ed25519 private key in PEM, without a password"
    good = rsa.generate_private_key(65537, 2048)
    for wrong in (
        b"",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"v=DKIM1; p=",
        pem(good, b"secret"),
        pem(ec.generate_private_key(ec.SECP256R1())),
    ):
        with pytest.raises(ValueError, match=f"^{expected}$"):
            SigningKey.from_pem(wrong, "bank.example", "mail")


def test_pkcs_1_is_read() -> None:
    key = rsa.generate_private_key(65537, 1024)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert SigningKey.from_pem(text, "bank.example", "mail").bits == 1024


def test_a_key_that_nobody_accepts_does_not_sign() -> None:
    large = rsa.generate_private_key(65537, 4104)
    with pytest.raises(ValueError, match="an RSA key of 4104 bits; expected 1024 to 4096"):
        SigningKey.from_pem(pem(large), "bank.example", "mail")


def test_a_key_is_not_shown() -> None:
    key = signing_key()
    assert "PRIVATE" not in repr(key)
    assert key.pem.split(b"\n")[1].decode() not in repr(key)
