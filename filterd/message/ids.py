"""filterd's own name of a message: the same in the SMTP reply, the log, the header, the store."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no letter that reads like a digit, and the order of ASCII."""

_TIME_DIGITS, _RANDOM_DIGITS = 9, 7
"""45 bits of milliseconds last until the year 3084; 35 random bits keep hosts apart."""


def new_id() -> str:
    """A new id: 16 characters `[0-9a-z]`, sorts by time, unique across processes and hosts."""
    value = time.time_ns() // 1_000_000
    value = value << (5 * _RANDOM_DIGITS) | int.from_bytes(os.urandom(5)) >> 5
    digits = []
    for _ in range(_TIME_DIGITS + _RANDOM_DIGITS):
        digits.append(_ALPHABET[value & 31])
        value >>= 5
    return "".join(reversed(digits))
