"""The second factor of a login: codes of an authenticator app (TOTP, RFC 6238).

The secret is in the file of accounts, which is as secret as the hashes of passwords beside it.
"""

from __future__ import annotations

import hmac
import threading

import pyotp

STEP = 30
"""Seconds for which a code holds (RFC 6238 §4.1)."""

DRIFT = 1
"""Steps by which the clock of a phone may differ (§5.2)."""

CODE_LENGTH = 6
"""Digits."""


def new_secret() -> str:
    """160 random bits as base32, as RFC 4226 §4 recommends."""
    return pyotp.random_base32(32)


def uri(secret: str, name: str, issuer: str) -> str:
    """What an app reads from a QR code: otpauth://totp/..."""
    return pyotp.TOTP(secret, interval=STEP).provisioning_uri(name=name, issuer_name=issuer)


def step_of(secret: str, code: str, now: float) -> int | None:
    """The step whose code that is, None if it is not one of the present ones. Blanks between digits
    do not count. now: seconds since 1970."""
    typed = "".join(code.split())
    totp = pyotp.TOTP(secret, digits=CODE_LENGTH, interval=STEP)
    present = int(now) // STEP
    found = None
    for step in range(present - DRIFT, present + DRIFT + 1):
        expected = totp.at(step * STEP)
        if hmac.compare_digest(expected.encode(), typed.encode("utf-8", "replace")):
            found = step
    return found


class UsedCodes:
    """The newest step of each account with which somebody has logged in: no code counts twice
    (RFC 6238 §5.2). It is kept in memory, so each process of the pages knows its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: dict[str, int] = {}

    def take(self, name: str, step: int) -> bool:
        """True if neither this code nor a later one was used before; then it is used now."""
        with self._lock:
            if step <= self._newest.get(name, -1):
                return False
            self._newest[name] = step
            return True
