"""How much work a message may ask for, and what counts as good enough."""

from __future__ import annotations

from dataclasses import dataclass

from filterd.message.authentication import AuthResult

SIGNATURE_SIZE_LIMIT = 16_384
"""Octets of one DKIM-Signature field; those of real mail have one or two thousand."""

TAGS_LIMIT = 64
"""Tags of one list; RFC 6376 has 14."""

NAMES_LIMIT = 512
"""Names in h=. A name may be there once for each field of that name, and once more."""

RECORD_SIZE_LIMIT = 4096
"""Octets of a key record; one of 4096 bits has about 750."""

RECORDS_LIMIT = 2
"""Key records of one name that are tried; there should be one (RFC 6376 §3.6.2.2)."""

EXPONENT_BITS_LIMIT = 64
"""Bits of the public exponent of an RSA key; 65537 has 17. Time to verify grows with it."""


@dataclass(frozen=True, slots=True)
class DkimLimits:
    """What is asked of signatures, and of how many of them.

    signatures: how many are verified, from the top; counted before anything else is done.
    least_bits, most_bits: of an RSA key (RFC 8301 §3.2: never below 1024; above 4096 at will).
    partly_signed: the result where l= leaves out octets of the body (POLICY or PASS): anybody can
    append to such a message (RFC 6376 §8.2). clock: seconds by which clocks may differ (t=, x=).
    """

    signatures: int = 8
    least_bits: int = 1024
    most_bits: int = 4096
    partly_signed: AuthResult = AuthResult.POLICY
    clock: float = 3600.0


DEFAULT = DkimLimits()
