"""Key records, and what their keys verify.

Sources: RFC 6376 §3.6; sizes RFC 8301 §3.2; Ed25519 RFC 8463 §4.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim.limits import (
    DEFAULT,
    EXPONENT_BITS_LIMIT,
    RECORD_SIZE_LIMIT,
    RECORDS_LIMIT,
    DkimLimits,
)
from filterd.auth.dkim.tags import TagList
from filterd.message.authentication import AuthResult
from filterd.resolver.answer import DnsAnswer, DnsStatus

ED25519_KEY_SIZE = 32
"""Octets of a key, RFC 8032 §5.1.5."""

CACHED_KEYS = 512
"""Keys that are kept decoded."""

_SHA256 = Prehashed(SHA256())
_PADDING = PKCS1v15()


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What a domain publishes under a selector.

    key_type: k=, "rsa" or "ed25519". key: p= decoded; b"" means that the key was revoked. testing:
    t=y. strict: t=s, i= must have the domain d= itself.
    """

    key_type: str
    key: bytes
    testing: bool = False
    strict: bool = False

    @classmethod
    def parse(cls, octets: bytes, *, any_hash: bool = False) -> KeyRecord:
        """The record of one TXT. any_hash: what h= says does not count. Raises DkimError.

        v= may stand anywhere, although it should be first; g= of RFC 4871 says nothing any more.
        """
        try:
            return cls._of(TagList(octets, RECORD_SIZE_LIMIT), any_hash)
        except DkimError as error:
            raise DkimError(f"the key record: {error.reason}") from None

    @classmethod
    def _of(cls, tags: TagList, any_hash: bool) -> KeyRecord:
        if tags.text("v") not in (None, "DKIM1"):
            raise DkimError("another version than DKIM1 (v=)")
        hashes = tags.words("h")
        if hashes is not None and "sha256" not in hashes and not any_hash:
            raise DkimError("sha256 is not allowed (h=)")
        services = tags.words("s")
        if services is not None and not {"*", "email"}.intersection(services):
            raise DkimError("not for mail (s=)")
        key_type = tags.text("k") or "rsa"
        if key_type not in ("rsa", "ed25519"):
            raise DkimError("a key of an unknown type (k=)")
        flags = tags.words("t") or ()
        return cls(key_type, tags.binary("p"), testing="y" in flags, strict="s" in flags)


def key_name(domain: str, selector: str) -> str:
    """The name to ask for TXT records."""
    return f"{selector}._domainkey.{domain}"


def key_records(answer: DnsAnswer) -> tuple[KeyRecord, ...]:
    """The key records of an answer, at most RECORDS_LIMIT, without other TXT records.

    Raises DkimError: TEMPERROR where the DNS failed, PERMERROR where there is no usable record.
    """
    if answer.failed:
        raise DkimError(f"the DNS did not give the key: {answer.status}", AuthResult.TEMPERROR)
    if answer.status is DnsStatus.INVALID:
        raise DkimError("d= and s= make no name that the DNS could have")
    found: list[KeyRecord] = []
    problem = DkimError("there is no key record")
    texts = [record for record in answer.records if isinstance(record, bytes)]
    for text in texts[: 4 * RECORDS_LIMIT]:
        try:
            found.append(KeyRecord.parse(text))
        except DkimError as error:
            problem = error
    if not found:
        raise problem
    return tuple(found[:RECORDS_LIMIT])


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that can be used. bits: its size, 256 for Ed25519."""

    bits: int
    _key: RSAPublicKey | Ed25519PublicKey

    def verifies(self, signature: bytes, digest: bytes) -> bool:
        """Whether the signature is this key's, of that SHA-256."""
        try:
            if isinstance(self._key, Ed25519PublicKey):
                self._key.verify(signature, digest)
            else:
                self._key.verify(signature, digest, _PADDING, _SHA256)
        except InvalidSignature:
            return False
        return True


def public_key(record: KeyRecord, limits: DkimLimits = DEFAULT) -> PublicKey:
    """The key of a record, measured before it calculates anything.

    Raises DkimError: PERMERROR where it is revoked or cannot be read, POLICY for a size that is not
    accepted.
    """
    if not record.key:
        raise DkimError("the key was revoked")
    key = _decoded(record.key_type, record.key)
    if key is None:
        raise DkimError(f"p= is not a key of type {record.key_type}")
    if isinstance(key, RSAPublicKey):
        bits = key.key_size
        if not limits.least_bits <= bits <= limits.most_bits:
            accepted = f"accepted are {limits.least_bits} to {limits.most_bits}"
            raise DkimError(f"an RSA key of {bits} bits; {accepted}", AuthResult.POLICY)
        if key.public_numbers().e.bit_length() > EXPONENT_BITS_LIMIT:
            text = f"an RSA key whose exponent has more than {EXPONENT_BITS_LIMIT} bits"
            raise DkimError(text, AuthResult.POLICY)
        return PublicKey(bits, key)
    return PublicKey(8 * ED25519_KEY_SIZE, key)


@lru_cache(CACHED_KEYS)
def _decoded(key_type: str, octets: bytes) -> RSAPublicKey | Ed25519PublicKey | None:
    """The key; RSA as SubjectPublicKeyInfo, or as RSAPublicKey alone, as RFC 6376 writes it."""
    try:
        if key_type == "ed25519":
            return Ed25519PublicKey.from_public_bytes(octets)
        key = load_der_public_key(octets)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None
