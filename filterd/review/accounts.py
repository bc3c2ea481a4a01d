"""Accounts: principals with a password, for the review pages.

Passwords are kept as argon2id hashes (RFC 9106; the parameters are argon2-cffi's defaults). A
failed login tells nothing: an unknown name costs the same time as a wrong password.
"""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import argon2

from filterd.review.principals import Principal, PrincipalError, PrincipalFile, new_principal
from filterd.review.reviewer import Role

PASSWORD_MINIMUM = 10
"""Characters of a password that a person chooses; NIST SP 800-63B asks for at least 8."""

PASSWORD_LIMIT = 1024
"""Characters of a password that are looked at: hashing must not be made to take long."""

HASHERS = 2
"""Hashes at a time; each takes 64 MiB, and many logins at once must not take the memory."""

FIRST = "admin"
"""Name of the account that the first run makes."""


class Accounts:
    """The accounts of one file; what other processes change counts with the next request."""

    def __init__(self, path: Path, hasher: argon2.PasswordHasher | None = None) -> None:
        self.path = path
        self._file = PrincipalFile(path, "account")
        self._hasher = hasher or argon2.PasswordHasher()
        self._turn = threading.Semaphore(HASHERS)

    def all(self) -> tuple[Principal, ...]:
        """Every account by name. Raises PrincipalError for a file that cannot be used."""
        return tuple(sorted(self._file.read().values(), key=lambda one: one.name))

    def get(self, name: str) -> Principal | None:
        """The account of that name. Raises PrincipalError."""
        return self._file.read().get(name)

    def verify(self, name: str, password: str) -> Principal | None:
        """The account if the password is its own. Raises PrincipalError."""
        account = self.get(name)
        stored = account.secret if account else self._nobodys
        try:
            with self._turn:
                self._hasher.verify(stored, password[:PASSWORD_LIMIT])
        except (
            argon2.exceptions.VerificationError,
            argon2.exceptions.InvalidHashError,
            UnicodeError,
        ):
            # No password fits what is not a hash, whatever somebody wrote into the file.
            return None
        return account

    def add(
        self,
        name: str,
        password: str,
        role: Role,
        domains: Iterable[str] = (),
        recipients: Iterable[str] = (),
    ) -> Principal:
        """Create an account. Raises PrincipalError."""
        account = new_principal(name, role, "", domains, recipients)
        account = dataclasses.replace(account, secret=self._hash(password))
        self._file.add(account)
        return account

    def remove(self, name: str) -> None:
        """Remove an account; its sessions end. Raises PrincipalError."""
        self._file.remove(name)

    def change(
        self, name: str, role: Role, domains: Iterable[str] = (), recipients: Iterable[str] = ()
    ) -> Principal:
        """Give an account another role or other limits, from its next request on. Raises
        PrincipalError."""
        wanted = new_principal(name, role, "", domains, recipients)
        self._file.replace(
            name,
            lambda old: dataclasses.replace(
                old, role=role, domains=wanted.domains, recipients=wanted.recipients
            ),
        )
        return wanted

    def set_password(self, name: str, password: str) -> None:
        """Change an account's password; its sessions end. Raises PrincipalError."""
        hashed = self._hash(password)
        self._file.replace(name, lambda old: dataclasses.replace(old, secret=hashed))

    def set_totp(self, name: str, secret: str) -> None:
        """Switch an account's second factor on, or off (empty); its sessions end. Raises
        PrincipalError."""
        self._file.replace(name, lambda old: dataclasses.replace(old, totp=secret))

    @cached_property
    def _nobodys(self) -> str:
        """A hash that no password fits, as costly to check as any."""
        return self._hasher.hash(secrets.token_hex())

    def warm(self) -> None:
        """Compute now what the first failed login would otherwise have to compute."""
        _ = self._nobodys

    def _hash(self, password: str) -> str:
        if not PASSWORD_MINIMUM <= len(password) <= PASSWORD_LIMIT:
            raise PrincipalError(
                f"the password has {len(password)} characters; expected "
                f"{PASSWORD_MINIMUM} to {PASSWORD_LIMIT}"
            )
        with self._turn:
            return self._hasher.hash(password)
