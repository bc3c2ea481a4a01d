"""The accounts: one JSON file, private to filterd's user, written whole and fsynced.

Passwords are kept as argon2id hashes (RFC 9106; the parameters are argon2-cffi's defaults). Who
fails to log in learns nothing: an unknown name costs the same time as a wrong password.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import argon2

from filterd.config.load import Settings
from filterd.message.address import PatternError, pattern_keys, readable, readable_domain
from filterd.review.reviewer import Reviewer, Role
from filterd.system.bounded import json_value, read_regular
from filterd.system.durable import locked, write_atomically

FORMAT = 1

SIZE_LIMIT = 1 << 20
"""Octets of the file that are read; some thousand accounts."""

PASSWORD_MINIMUM = 10
"""Characters of a password that a person chooses; NIST SP 800-63B asks for at least 8."""

PASSWORD_LIMIT = 1024
"""Characters of a password that are looked at: hashing must not be made to take long."""

HASHERS = 2
"""Hashes at a time; each takes 64 MiB, and many logins at once must not take the memory."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")

FIRST = "admin"
"""Name of the account that the first run makes."""


class AccountError(Exception):
    """An account that cannot be, or a file that cannot be used, in words for who asked."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account. password: the argon2 hash. domains, recipients: a reviewer's limits."""

    name: str
    role: Role
    password: str
    domains: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()

    @property
    def reviewer(self) -> Reviewer:
        """Whom the account stands for."""
        return Reviewer(
            self.name,
            self.role,
            frozenset(d.lower() for d in self.domains),
            frozenset(r.lower() for r in self.recipients),
        )

    def to_json(self) -> dict[str, Any]:
        """The account as a plain value, with its hash."""
        return {
            "name": self.name,
            "role": self.role,
            "password": self.password,
            "domains": list(self.domains),
            "recipients": list(self.recipients),
        }


def accounts_path(settings: Settings) -> Path:
    """Where the accounts are."""
    return settings.web.accounts or settings.quarantine.folder / "accounts.json"


class Accounts:
    """The accounts of one file; what other processes change counts with the next request."""

    def __init__(self, path: Path, hasher: argon2.PasswordHasher | None = None) -> None:
        self.path = path
        self._hasher = hasher or argon2.PasswordHasher()
        self._turn = threading.Semaphore(HASHERS)
        self._seen: tuple[int, int, int] | None = None
        self._known: dict[str, Account] = {}

    def all(self) -> tuple[Account, ...]:
        """Every account by name. Raises AccountError for a file that cannot be read."""
        return tuple(sorted(self._read().values(), key=lambda a: a.name))

    def get(self, name: str) -> Account | None:
        """The account of that name. Raises AccountError."""
        return self._read().get(name)

    def verify(self, name: str, password: str) -> Account | None:
        """The account if the password is its own. Raises AccountError."""
        account = self.get(name)
        stored = account.password if account else self._nobodys
        try:
            with self._turn:
                self._hasher.verify(stored, password[:PASSWORD_LIMIT])
        except (
            argon2.exceptions.VerificationError,
            argon2.exceptions.InvalidHashError,
            UnicodeError,
        ):
            # A hash that is none, whatever somebody has written into the file, is nobody's.
            return None
        return account

    def add(
        self,
        name: str,
        password: str,
        role: Role,
        domains: Iterable[str] = (),
        recipients: Iterable[str] = (),
    ) -> Account:
        """Make an account. Raises AccountError."""
        if not NAME.fullmatch(name):
            raise AccountError(
                f"{name!r} is no account name; expected up to 64 letters, digits and . _ - @"
            )
        account = Account(name, role, self._hash(password), *limits_of(domains, recipients))
        if role == "reviewer" and not (account.domains or account.recipients):
            raise AccountError("a reviewer needs a domain or a recipient, else it sees nothing")
        if role == "admin" and (account.domains or account.recipients):
            raise AccountError("an admin sees everything; limits are for the role reviewer")

        def added(known: dict[str, Account]) -> None:
            if name in known:
                raise AccountError(f"there is an account {name!r} already")
            known[name] = account

        self._change(added)
        return account

    def remove(self, name: str) -> None:
        """Take an account away; its sessions end. Raises AccountError."""

        def removed(known: dict[str, Account]) -> None:
            if known.pop(name, None) is None:
                raise AccountError(f"there is no account {name!r}")

        self._change(removed)

    def set_password(self, name: str, password: str) -> None:
        """Give an account another password; its sessions end. Raises AccountError."""
        hashed = self._hash(password)

        def changed(known: dict[str, Account]) -> None:
            old = known.get(name)
            if old is None:
                raise AccountError(f"there is no account {name!r}")
            known[name] = Account(name, old.role, hashed, old.domains, old.recipients)

        self._change(changed)

    @cached_property
    def _nobodys(self) -> str:
        """A hash that no password fits, as costly to check as any."""
        return self._hasher.hash(secrets.token_hex())

    def warm(self) -> None:
        """Make what the first failed login would otherwise have to make."""
        _ = self._nobodys

    def _hash(self, password: str) -> str:
        if not PASSWORD_MINIMUM <= len(password) <= PASSWORD_LIMIT:
            raise AccountError(
                f"the password has {len(password)} characters; expected "
                f"{PASSWORD_MINIMUM} to {PASSWORD_LIMIT}"
            )
        with self._turn:
            return self._hasher.hash(password)

    def _read(self) -> dict[str, Account]:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._seen, self._known = None, {}
            return self._known
        except OSError as error:
            raise AccountError(f"{self.path}: {error.strerror}") from None
        seen = (status.st_mtime_ns, status.st_ino, status.st_size)
        if seen != self._seen:
            if status.st_mode & 0o077:
                raise AccountError(
                    f"{self.path}: others may read or write it; expected mode 0600: chmod 600"
                )
            self._known, self._seen = _load(self.path), seen
        return self._known

    def _change(self, change: Callable[[dict[str, Account]], None]) -> None:
        try:
            with locked(self.path):
                known = dict(self._read())
                change(known)
                value = {"format": FORMAT, "accounts": [a.to_json() for a in known.values()]}
                write_atomically(self.path, [json.dumps(value, indent=1).encode(), b"\n"])
        except OSError as error:
            raise AccountError(f"{self.path}: {error.strerror}") from None


def limits_of(
    domains: Iterable[str], recipients: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a reviewer, or a token, is limited to, checked and in one spelling.

    Raises AccountError for what no recipient could ever match.
    """
    return tuple(map(_domain, domains)), tuple(map(_address, recipients))


def _domain(text: str) -> str:
    key = _key(text, "a domain", "mx.example")
    if not key.startswith("@"):
        raise AccountError(f"{text!r} is not a domain alone; expected a domain such as mx.example")
    return readable_domain(key[1:])


def _address(text: str) -> str:
    key = _key(text, "an address", "ann@mx.example")
    if key.startswith(("@", ".")):
        raise AccountError(
            f"{text!r} is not an address; expected an address such as ann@mx.example"
        )
    return readable(text)


def _key(text: str, kind: str, example: str) -> str:
    try:
        return pattern_keys(text)[0]
    except PatternError as error:
        raise AccountError(f"{error.what}; expected {kind} such as {example}") from None


def _load(path: Path) -> dict[str, Account]:
    try:
        value = json_value(read_regular(path, SIZE_LIMIT))
        if value["format"] > FORMAT:
            raise AccountError(f"{path}: format {value['format']}, this version reads {FORMAT}")
        return {one["name"]: _decoded(one) for one in value["accounts"]}
    except OSError as error:
        raise AccountError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise AccountError(f"{path}: is damaged ({type(error).__name__}: {error})") from None


def _decoded(value: Mapping[str, Any]) -> Account:
    if value["role"] not in ("admin", "reviewer"):
        raise ValueError(f"role {value['role']!r}")
    return Account(
        str(value["name"]),
        value["role"],
        str(value["password"]),
        tuple(map(str, value["domains"])),
        tuple(map(str, value["recipients"])),
    )
