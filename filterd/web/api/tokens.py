"""Tokens of the REST interface: who may use it, and for whose mail.

One JSON file, mode 0600, beside the accounts. A token is 256 random bits, so its SHA-256 says
nothing about it and needs no salt and no slow hash; whoever reads the file cannot use it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filterd.config.load import Settings
from filterd.review.reviewer import Reviewer, Role
from filterd.system.bounded import json_value, open_regular
from filterd.system.durable import locked, write_atomically
from filterd.web.accounts import AccountError, accounts_path, limits_of

FORMAT = 1
PREFIX = "filterd_"
"""Begins every token, so that people and secret scanners know one when they see it."""

SIZE_LIMIT = 4 << 20
"""Octets of the file that are read; thousands of tokens."""

TOKEN_LIMIT = 200
"""Characters of a token that are looked at."""

NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")


@dataclass(frozen=True, slots=True)
class Token:
    """One token without its secret. made: ISO 8601, UTC. domains, recipients: of a reviewer."""

    name: str
    role: Role
    digest: str
    made: str
    domains: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()

    @property
    def reviewer(self) -> Reviewer:
        """Who acts when this token is shown."""
        return Reviewer(self.name, self.role, frozenset(self.domains), frozenset(self.recipients))


def tokens_path(settings: Settings) -> Path:
    """Where the tokens are."""
    return accounts_path(settings).with_name("tokens.json")


class Tokens:
    """The tokens of one file; what other processes change counts with the next request."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> tuple[Token, ...]:
        """Every token, by name. Raises AccountError for a file that cannot be read."""
        return tuple(sorted(self._read(), key=lambda token: token.name))

    def find(self, secret: str) -> Token | None:
        """The token of that secret. Raises AccountError."""
        digest = _digest(secret[:TOKEN_LIMIT])
        found = None
        for token in self._read():
            # All are compared, each in the same time.
            if secrets.compare_digest(token.digest, digest):
                found = token
        return found

    def add(
        self, name: str, role: Role, domains: Iterable[str] = (), recipients: Iterable[str] = ()
    ) -> str:
        """Make a token and return its secret, which nobody can see again. Raises AccountError."""
        if not NAME.fullmatch(name):
            raise AccountError(
                f"{name!r} is no name of a token; expected up to 64 letters, digits, . _ - @"
            )
        limits, addresses = limits_of(domains, recipients)
        if (role == "admin") == bool(limits or addresses):
            raise AccountError(
                "a reviewer's token needs a domain or a recipient, an admin's has no limits"
            )
        secret = PREFIX + secrets.token_urlsafe(32)
        made = datetime.now(UTC).isoformat(timespec="seconds")
        with self._changing() as known:
            if any(token.name == name for token in known):
                raise AccountError(f"there is a token {name!r} already")
            known.append(Token(name, role, _digest(secret), made, limits, addresses))
        return secret

    def remove(self, name: str) -> None:
        """Take a token away, at once. Raises AccountError."""
        with self._changing() as known:
            kept = [token for token in known if token.name != name]
            if len(kept) == len(known):
                raise AccountError(f"there is no token {name!r}")
            known[:] = kept

    def _read(self) -> list[Token]:
        try:
            with open_regular(self.path) as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise AccountError(
                        f"{self.path}: others may read or write it; expected mode 0600: chmod 600"
                    )
                value = json_value(file.read(SIZE_LIMIT))
            if value["format"] > FORMAT:
                raise AccountError(
                    f"{self.path}: format {value['format']}, this version reads {FORMAT}"
                )
            return [_decoded(one) for one in value["tokens"]]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise AccountError(f"{self.path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise AccountError(f"{self.path}: is damaged ({type(error).__name__})") from None

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[Token]]:
        try:
            with locked(self.path):
                known = self._read()
                yield known
                value = {"format": FORMAT, "tokens": [asdict(token) for token in known]}
                write_atomically(self.path, [json.dumps(value, indent=1).encode(), b"\n"])
        except OSError as error:
            raise AccountError(f"{self.path}: {error.strerror}") from None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _decoded(value: Mapping[str, Any]) -> Token:
    if value["role"] not in ("admin", "reviewer"):
        raise ValueError(f"role {value['role']!r}")
    return Token(
        str(value["name"]),
        value["role"],
        str(value["digest"]),
        str(value["made"]),
        tuple(map(str, value["domains"])),
        tuple(map(str, value["recipients"])),
    )
