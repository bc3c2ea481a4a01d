"""Private keys, and the signatures that they make.

Source: RFC 6376 §3.5, §5; RFC 8301 §3 (SHA-256, 2048 bits); RFC 8463.
"""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.fields import OVERSIGNED_FIELDS, SIGNED_FIELDS
from filterd.auth.dkim.header import CanonicalHeader, Canonicalization, canonical_field
from filterd.auth.dkim.limits import DEFAULT, NAMES_LIMIT
from filterd.message.address import canonical_domain

FIELD = "DKIM-Signature"

WIDTH = 76
"""Columns of a line, if it can be broken (RFC 5322 §2.1.1 asks for 78 at most)."""

_FOLD = "\r\n\t"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key under the domain and selector for which it signs, in A-labels."""

    domain: str
    selector: str
    _key: RSAPrivateKey | Ed25519PrivateKey

    @classmethod
    def from_pem(cls, pem: bytes, domain: str, selector: str) -> SigningKey:
        """A key in PEM (PKCS #8, or PKCS #1 for RSA), without a password.

        Raises ValueError, which says what was expected, without anything of the key.
        """
        expected = "expected an RSA or Ed25519 private key in PEM, without a password"
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError(expected) from None
        if isinstance(key, RSAPrivateKey):
            if not DEFAULT.least_bits <= key.key_size <= DEFAULT.most_bits:
                bits = f"{DEFAULT.least_bits} to {DEFAULT.most_bits}"
                raise ValueError(f"an RSA key of {key.key_size} bits; expected {bits}")
        elif not isinstance(key, Ed25519PrivateKey):
            raise ValueError(expected)
        return cls(canonical_domain(domain), canonical_domain(selector), key)

    @classmethod
    def generate(
        cls, domain: str, selector: str, algorithm: str = "rsa-sha256", bits: int = 2048
    ) -> SigningKey:
        """A new key. bits: of RSA."""
        key = (
            Ed25519PrivateKey.generate()
            if algorithm == "ed25519-sha256"
            else generate_private_key(65537, bits)
        )
        return cls(canonical_domain(domain), canonical_domain(selector), key)

    @property
    def algorithm(self) -> str:
        """As a= has it: "rsa-sha256" or "ed25519-sha256"."""
        return "rsa-sha256" if isinstance(self._key, RSAPrivateKey) else "ed25519-sha256"

    @property
    def bits(self) -> int:
        """The size of the key, 256 for Ed25519."""
        return self._key.key_size if isinstance(self._key, RSAPrivateKey) else 256

    @property
    def pem(self) -> bytes:
        """The key as PKCS #8, without a password."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def record(self) -> str:
        """The text of the TXT record to publish (RFC 6376 §3.6.1, RFC 8463 §4.1)."""
        key = self._key
        if isinstance(key, RSAPrivateKey):
            public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(public).decode()}"

    def sign(self, digest: bytes) -> bytes:
        """The signature of a SHA-256."""
        if isinstance(self._key, RSAPrivateKey):
            return self._key.sign(digest, PKCS1v15(), Prehashed(SHA256()))
        return self._key.sign(digest)


def sign(
    fields: Iterable[tuple[str, bytes]] | CanonicalHeader,
    body: bytes | CanonicalBody,
    key: SigningKey,
    *,
    names: Sequence[str] | None = None,
    header: Canonicalization = Canonicalization.RELAXED,
    canonical_body: Canonicalization = Canonicalization.RELAXED,
    auid: str = "",
    now: float | None = None,
    lifetime: int | None = None,
) -> bytes:
    """The value of a DKIM-Signature field, without the blank after the colon and the line end,
    folded with CRLF and a tab; " " is to stand between colon and value.

    fields: name and raw value (after the colon, without line end) of each, top first, as the
    message leaves. body: as it leaves; a `CanonicalHeader` and a `CanonicalBody` serve several
    signatures. names: of the fields to sign, each once for each field; None for `signed_names`.
    auid: i=, only if not empty. now: seconds since 1970. lifetime: seconds until x=; None for no
    end.
    """
    signed = fields if isinstance(fields, CanonicalHeader) else CanonicalHeader(fields)
    content = body if isinstance(body, CanonicalBody) else CanonicalBody(body)
    chosen = signed_names(signed) if names is None else [name.lower() for name in names]
    moment = int(time.time() if now is None else now)
    tags = [
        ("v", "1"),
        ("a", key.algorithm),
        ("c", f"{header}/{canonical_body}"),
        ("d", key.domain),
        ("s", key.selector),
        *([("i", auid)] if auid else []),
        ("t", str(moment)),
        *([("x", str(moment + lifetime))] if lifetime is not None else []),
        ("h", ":".join(chosen)),
        ("bh", base64.b64encode(content.hashed(canonical_body).digest).decode()),
    ]
    unsigned = written(tags, len(FIELD) + 2)
    own = canonical_field(FIELD, b" " + unsigned, header)
    return unsigned + base64_folded(key.sign(signed.digest(chosen, header, own)))


def signed_names(
    header: CanonicalHeader,
    signed: Iterable[str] = SIGNED_FIELDS,
    oversigned: Iterable[str] = OVERSIGNED_FIELDS,
) -> list[str]:
    """The names for h=: each as often as there are fields of it, and the over-signed once more."""
    more = Counter(name.lower() for name in oversigned)
    names: list[str] = []
    for name in dict.fromkeys([*map(str.lower, signed), *more]):
        names += [name] * (len(header.places(name)) + more[name])
    return names[:NAMES_LIMIT]


def written(tags: Iterable[tuple[str, str]], column: int) -> bytes:
    """The value of a field that is a list of tags, with an empty b= at its end, folded.

    column: where the value begins, after name, colon and blank. Long lists with colons are folded
    after a colon.
    """
    lines = [""]
    used = column
    for name, value in tags:
        words = value.split(":") if name == "h" else [value]
        for index, word in enumerate(words):
            piece = f"{name}={word}" if not index else word
            piece += ":" if index + 1 < len(words) else ";"
            blank = "" if index or not lines[-1] else " "
            if lines[-1] and used + len(blank) + len(piece) > WIDTH:
                lines.append("")
                used, blank = 8, ""
            lines[-1] += blank + piece
            used += len(blank) + len(piece)
    return _FOLD.join([*lines, "b="]).encode("ascii")


def base64_folded(octets: bytes) -> bytes:
    """Base64 in lines, the first of which begins after "b="."""
    letters = base64.b64encode(octets).decode()
    first = WIDTH - 10
    lines = [letters[:first]]
    lines += [letters[at : at + WIDTH - 8] for at in range(first, len(letters), WIDTH - 8)]
    return _FOLD.join(lines).encode("ascii")
