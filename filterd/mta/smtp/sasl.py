"""AUTH: the mechanisms PLAIN (RFC 4616) and LOGIN, and the file of passwords.

The file has a line for each user, `name:scrypt$N$r$p$salt$key` (salt and key in base64), or
`name:{PLAIN}password` for tests. Both mechanisms send the password in the clear, so they are
offered under TLS only (RFC 4954 §4).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from filterd.system.bounded import read_regular
from filterd.system.durable import locked, write_atomically

MECHANISMS = ("PLAIN", "LOGIN")

# As OWASP advised in 2024 for interactive logins: 32 MiB of memory, about 50 ms.
COST, BLOCK, PARALLEL = 1 << 15, 8, 1
MEMORY = 64 << 20
SALT_OCTETS, KEY_OCTETS = 16, 32

SIZE_LIMIT = 16 << 20
"""Bytes of a file of passwords; a user takes about 100."""

PROMPTS = (b"Username:", b"Password:")


class SaslError(Exception):
    """The client's response is not valid in this mechanism."""


@dataclass(slots=True)
class Dialogue:
    """One AUTH exchange. `step` takes the decoded response of the client, None at the beginning."""

    mechanism: str
    _responses: list[bytes] = field(default_factory=list)

    def step(self, answer: bytes | None) -> bytes | tuple[str, str]:
        """The next challenge, or user and password. Raises SaslError."""
        if self.mechanism == "PLAIN":
            return b"" if answer is None else _plain(answer)
        if answer is not None:
            self._responses.append(answer)
        if len(self._responses) < len(PROMPTS):
            return PROMPTS[len(self._responses)]
        return _text(self._responses[0]), _text(self._responses[1])


def _plain(answer: bytes) -> tuple[str, str]:
    """`authorization \\0 authentication \\0 password`; both identities must be the same."""
    parts = answer.split(b"\0")
    if len(parts) != 3 or not parts[1] or parts[0] not in (b"", parts[1]):
        raise SaslError("not a PLAIN message")
    return _text(parts[1]), _text(parts[2])


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslError("not UTF-8") from None


def decode(line: bytes) -> bytes:
    """Base64 of one line; `=` is the empty response. Raises SaslError."""
    if line.strip() == b"=":
        return b""
    try:
        return base64.b64decode(line.strip(), validate=True)
    except binascii.Error:
        raise SaslError("not base64") from None


def hash_password(password: str) -> str:
    """The password as it is stored in the file."""
    salt = secrets.token_bytes(SALT_OCTETS)
    key = _key(password, salt, COST, BLOCK, PARALLEL)
    encoded = (base64.b64encode(part).decode() for part in (salt, key))
    return f"scrypt${COST}${BLOCK}${PARALLEL}${'$'.join(encoded)}"


def _key(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=r, p=p, maxmem=MEMORY, dklen=KEY_OCTETS
    )


def set_password(file: Path, user: str, password: str) -> None:
    """Set a user's password in a file, which is made (0600) where there is none; other lines stay.

    Raises ValueError for a name that the file cannot hold, OSError.
    """
    if not user or set(user) & set(":\n\0"):
        raise ValueError(f"{user!r}: a user name may not be empty or contain a colon or a line end")
    with locked(file):
        old = read_regular(file, SIZE_LIMIT) if file.exists() else b""
        try:
            lines = old.decode("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise ValueError(f"{file}: not a file of passwords: not UTF-8") from None
        kept = [line for line in lines if line.partition(":")[0] != user]
        text = "\n".join([*kept, f"{user}:{hash_password(password)}"]) + "\n"
        write_atomically(file, [text.encode()])


class Passwords:
    """The users of one file. It is read for each login, so changes count at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self, user: str, password: str) -> bool:
        """Whether the password is the user's. Takes as long for a user who does not exist.

        Raises OSError if the file cannot be read.
        """
        table = dict(
            line.split(":", 1)
            for line in read_regular(self._path, SIZE_LIMIT).decode("utf-8-sig").splitlines()
            if ":" in line and not line.startswith("#")
        )
        stored = table.get(user)
        if stored is None:
            _key(password, b"nobody", COST, BLOCK, PARALLEL)
            return False
        if stored.startswith("{PLAIN}"):
            return hmac.compare_digest(stored.removeprefix("{PLAIN}").encode(), password.encode())
        try:
            scheme, n, r, p, salt, key = stored.split("$")
            computed = _key(password, base64.b64decode(salt), int(n), int(r), int(p))
            return scheme == "scrypt" and hmac.compare_digest(computed, base64.b64decode(key))
        except ValueError:
            return False
