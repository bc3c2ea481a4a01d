"""Tokens: principals without a password, for programs that use the REST interface.

A token is 256 random bits, so its SHA-256 says nothing about it and needs no salt and no slow hash;
reading the file does not help to use it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from pathlib import Path

from filterd.review.principals import Principal, PrincipalError, PrincipalFile, new_principal
from filterd.review.reviewer import Role

PREFIX = "filterd_"
"""Begins every token, so that people and secret scanners know one when they see it."""

TOKEN_LIMIT = 200
"""Characters of a token that are looked at."""


class TokenFile:
    """The tokens of one file; what other processes change counts with the next request."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = PrincipalFile(path, "token")

    def all(self) -> tuple[Principal, ...]:
        """Every token, by name. Raises PrincipalError for a file that cannot be used."""
        return tuple(sorted(self._file.read().values(), key=lambda one: one.name))

    def find(self, secret: str) -> Principal | None:
        """The token of that secret. Raises PrincipalError."""
        digest = _digest(secret[:TOKEN_LIMIT])
        found = None
        for token in self._file.read().values():
            # All are compared, each in the same time.
            if secrets.compare_digest(token.secret, digest):
                found = token
        return found

    def add(
        self, name: str, role: Role, domains: Iterable[str] = (), recipients: Iterable[str] = ()
    ) -> str:
        """Make a token and return its secret, which nobody can see again. Raises PrincipalError."""
        if role == "user":
            raise PrincipalError(
                "users have pages, and no tokens; expected admin, reviewer, helpdesk or auditor"
            )
        secret = PREFIX + secrets.token_urlsafe(32)
        self._file.add(new_principal(name, role, _digest(secret), domains, recipients))
        return secret

    def remove(self, name: str) -> None:
        """Take a token away, at once. Raises PrincipalError."""
        self._file.remove(name)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
