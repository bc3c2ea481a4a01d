"""Signatures of webhooks, as the specification Standard Webhooks has them, version 1.0.

What is signed is `ID.TIMESTAMP.BODY`, by HMAC-SHA-256; the header field `webhook-signature` has
`v1,` and the signature in base64, and one more behind a blank for each secret that counts.
Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from filterd.system.bounded import open_regular

PREFIX = "whsec_"
"""May stand before a secret, so that people and secret scanners know one when they see it."""

SMALLEST, LARGEST = 24, 64
"""Octets of a secret, by the specification."""

SECRETS_LIMIT = 3
"""Secrets in a file: the one in use, and former ones until all receivers know it."""

_FILE_LIMIT = 4096


class SecretError(ValueError):
    """A file of secrets that cannot be used; the text names it."""


def read_secrets(path: Path) -> tuple[bytes, ...]:
    """The secrets of a file, a line each, the one in use first. Raises SecretError."""
    try:
        with open_regular(path) as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_FILE_LIMIT + 1)
    except OSError as error:
        raise SecretError(f"{path}: cannot be read ({error.strerror})") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SecretError(
            f"{path}: others may read or write it (mode {stat.S_IMODE(mode):04o}); expected 0600"
        )
    lines = content.decode("ascii", "replace").split()
    if not 0 < len(lines) <= SECRETS_LIMIT or len(content) > _FILE_LIMIT:
        raise SecretError(f"{path}: expected a secret in base64, up to {SECRETS_LIMIT} lines")
    return tuple(_secret(path, number, line) for number, line in enumerate(lines, 1))


def _secret(path: Path, number: int, line: str) -> bytes:
    try:
        secret = base64.b64decode(line.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not SMALLEST <= len(secret) <= LARGEST:
        # Never the line itself: it may be the secret, in another form.
        raise SecretError(
            f"{path}:{number}: expected {SMALLEST} to {LARGEST} bytes in base64; "
            "`openssl rand -base64 32` makes one"
        )
    return secret


def signatures(secrets: Sequence[bytes], id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`. timestamp: seconds since 1970."""
    signed = f"{id}.{timestamp}.".encode("ascii") + body
    made = (hmac.new(secret, signed, "sha256").digest() for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(one).decode('ascii')}" for one in made)
