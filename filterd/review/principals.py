"""Principals: who may use the review pages (accounts) and the REST interface (tokens), and for
whose mail. Both kinds have the same fields, limits and file format.

A file is JSON, mode 0600, written whole and fsynced:

    {"format": 2, "kind": "account", "principals": [
      {"name": "bob", "role": "reviewer", "secret": "$argon2id$…",
       "made": "2026-11-28T12:00:00+00:00", "domains": ["mx.example"], "recipients": []}]}

Files of format 1, one kind with the keys `accounts` and `password`, the other with `tokens` and
`digest`, are read as well, and written as format 2 with the next change.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filterd.config.load import Settings
from filterd.message.address import AddressPatternError, pattern_keys, readable, readable_domain
from filterd.review.reviewer import ROLES, Reviewer, Role
from filterd.system.bounded import json_value, open_regular
from filterd.system.durable import locked, write_atomically

log = logging.getLogger(__name__)

FORMAT = 2
"""Version of the file; a reader refuses what is newer."""

SIZE_LIMIT = 4 << 20
"""Bytes of a file that are read; some ten thousand principals."""

NAME = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
NAME_EXPECTED = "expected up to 64 letters, digits and . _ - + @"

_TOTP = re.compile(r"[A-Z2-7]{16,64}")

_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")

Kind = Literal["account", "token"]

_OLD_SECRETS: Mapping[Kind, str] = {"account": "password", "token": "digest"}
"""The key of the secret in format 1."""


class PrincipalError(Exception):
    """An account or token that is not possible, or a file that cannot be used, in words for the
    person who asked."""


@dataclass(frozen=True, slots=True)
class Principal:
    """One account or token.

    secret: the argon2 hash of a password, or the SHA-256 of a token in hex. domains, recipients:
    limits of a reviewer or a helpdesk, empty for all others. made: ISO 8601, UTC, empty where
    nobody noted it. totp: the secret of an account's second factor in base32, empty without one.
    """

    name: str
    role: Role
    secret: str
    domains: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    made: str = ""
    totp: str = ""

    @property
    def credentials(self) -> str:
        """What a login has proved; a session ends when it changes."""
        return f"{self.secret} {self.totp}"

    @property
    def reviewer(self) -> Reviewer:
        """Who acts."""
        return Reviewer(self.name, self.role, frozenset(self.domains), frozenset(self.recipients))

    def described(self) -> dict[str, Any]:
        """The principal as a plain value, without its secrets."""
        return {
            "name": self.name,
            "role": self.role,
            "made": self.made,
            "domains": list(self.domains),
            "recipients": list(self.recipients),
        }


def new_principal(
    name: str, role: Role, secret: str, domains: Iterable[str], recipients: Iterable[str]
) -> Principal:
    """A principal made now, its name and limits checked. Raises PrincipalError."""
    if not NAME.fullmatch(name):
        raise PrincipalError(f"{name!r} is not a name; {NAME_EXPECTED}")
    limits = tuple(map(_domain, domains)), tuple(map(_address, recipients))
    if role == "user" and (limits[0] or not limits[1]):
        raise PrincipalError(_USERS_LIMITS)
    if role == "reviewer" and not any(limits):
        raise PrincipalError("a reviewer needs a domain or a recipient, otherwise it sees nothing")
    if role in ("admin", "auditor") and any(limits):
        raise PrincipalError(
            f"an {role} sees everything; limits are for the roles reviewer and helpdesk"
        )
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return Principal(name, role, secret, *limits, made)


_USERS_LIMITS = "a user has its own mail only; expected its addresses as recipients, and no domain"


def _domain(text: str) -> str:
    key = _key(text, "a domain", "mx.example")
    if not key.startswith("@"):
        raise PrincipalError(f"{text!r} is not a domain; expected a domain such as mx.example")
    return readable_domain(key[1:])


def _address(text: str) -> str:
    key = _key(text, "an address", "ann@mx.example")
    if key.startswith(("@", ".")):
        raise PrincipalError(
            f"{text!r} is not an address; expected an address such as ann@mx.example"
        )
    return readable(text)


def _key(text: str, kind: str, example: str) -> str:
    try:
        return pattern_keys(text)[0]
    except AddressPatternError as error:
        raise PrincipalError(f"{error.what}; expected {kind} such as {example}") from None


def accounts_path(settings: Settings) -> Path:
    """Where the accounts are."""
    return settings.web.accounts or settings.quarantine.folder / "accounts.json"


def tokens_path(settings: Settings) -> Path:
    """Where the tokens are."""
    return accounts_path(settings).with_name("tokens.json")


class PrincipalFile:
    """The principals of one kind; what other processes change counts with the next request."""

    def __init__(self, path: Path, kind: Kind) -> None:
        self.path = path
        self.kind = kind
        self._state: tuple[object, dict[str, Principal]] = (None, {})

    def read(self) -> Mapping[str, Principal]:
        """All of them, by name. Raises PrincipalError for a file that cannot be used."""
        try:
            with open_regular(self.path) as file:
                status = os.fstat(file.fileno())
                if status.st_mode & 0o077:
                    raise PrincipalError(
                        f"{self.path}: others may read or write it; expected mode 0600: chmod 600"
                    )
                seen = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)
                before, known = self._state
                if seen == before:
                    return known
                data = file.read(SIZE_LIMIT + 1)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise PrincipalError(f"{self.path}: {error.strerror}") from None
        found = {one.name: one for one in decode(data, self.kind, self.path)}
        self._state = seen, found
        return found

    def add(self, principal: Principal) -> None:
        """Add one. Raises PrincipalError, also if the name exists."""

        def added(known: dict[str, Principal]) -> None:
            if principal.name in known:
                raise PrincipalError(f"there is already {_a(self.kind)} {principal.name!r}")
            known[principal.name] = principal

        self._change(added)

    def replace(self, name: str, change: Callable[[Principal], Principal]) -> None:
        """Replace one by a changed one. Raises PrincipalError."""

        def replaced(known: dict[str, Principal]) -> None:
            known[name] = change(self._existing(known, name))

        self._change(replaced)

    def remove(self, name: str) -> None:
        """Remove one, at once. Raises PrincipalError."""

        def removed(known: dict[str, Principal]) -> None:
            del known[self._existing(known, name).name]

        self._change(removed)

    def _existing(self, known: Mapping[str, Principal], name: str) -> Principal:
        if name not in known:
            raise PrincipalError(f"there is no {self.kind} {name!r}")
        return known[name]

    def _change(self, change: Callable[[dict[str, Principal]], None]) -> None:
        try:
            with locked(self.path):
                known = dict(self.read())
                change(known)
                write_atomically(self.path, [encode(self.kind, list(known.values()))])
        except OSError as error:
            raise PrincipalError(f"{self.path}: {error.strerror}") from None


def encode(kind: Kind, principals: Sequence[Principal]) -> bytes:
    """The file's content."""
    plain = [
        {**one.described(), "secret": one.secret} | ({"totp": one.totp} if one.totp else {})
        for one in principals
    ]
    whole = {"format": FORMAT, "kind": kind, "principals": plain}
    return json.dumps(whole, indent=1).encode("ascii") + b"\n"


def decode(data: bytes, kind: Kind, path: Path) -> list[Principal]:
    """The principals of a file. Raises PrincipalError that names the file, the entry and what was
    expected."""
    if len(data) > SIZE_LIMIT:
        raise PrincipalError(f"{path}: is larger than {SIZE_LIMIT >> 20} MB")
    try:
        value = json_value(data)
    except ValueError as error:
        raise PrincipalError(f"{path}: is damaged: {error}; expected JSON") from None
    if not isinstance(value, dict) or type(value.get("format")) is not int:
        raise PrincipalError(f"{path}: is damaged; expected an object with a format, 1 or {FORMAT}")
    if not 1 <= value["format"] <= FORMAT:
        raise PrincipalError(f"{path}: format {value['format']}; expected 1 or {FORMAT}")
    is_old = value["format"] == 1
    if not is_old and value.get("kind") != kind:
        raise PrincipalError(f"{path}: kind is {value.get('kind')!r}; expected {kind!r}")
    key = f"{kind}s" if is_old else "principals"
    entries = value.get(key)
    if not isinstance(entries, list):
        raise PrincipalError(f"{path}: is damaged; expected {key!r} with a list")
    found: dict[str, Principal] = {}
    for number, entry in enumerate(entries, 1):
        name = entry.get("name") if isinstance(entry, dict) else None
        where = f"{path}: {kind} {number}" + (f" ({name!r})" if isinstance(name, str) else "")
        one = _decoded(entry, kind, where, is_old=is_old)
        if one.name in found:
            raise PrincipalError(f"{where}: the name is there twice; expected each name once")
        found[one.name] = one
    return list(found.values())


def _decoded(entry: Any, kind: Kind, where: str, *, is_old: bool) -> Principal:
    if not isinstance(entry, dict):
        raise PrincipalError(f"{where}: is {_shown(entry)}; expected an object")
    name = _text(entry, "name", where)
    if not NAME.fullmatch(name):
        raise PrincipalError(f"{where}: name is {_shown(name)}; {NAME_EXPECTED}")
    role = _text(entry, "role", where)
    # In format 1 a limit that fits nobody is left out, and a helpdesk without limits sees all mail.
    roles: tuple[Role, ...] = ("admin", "reviewer") if is_old else ROLES
    checked = next((one for one in roles if one == role), None)
    if checked is None:
        expected = ", ".join(roles[:-1])
        raise PrincipalError(f"{where}: role is {_shown(role)}; expected {expected} or {roles[-1]}")
    secret_key = _OLD_SECRETS[kind] if is_old else "secret"
    secret = _text(entry, secret_key, where)
    if kind == "token" and not _HEX_DIGEST.fullmatch(secret):
        raise PrincipalError(f"{where}: {secret_key} is not a SHA-256; expected 64 hex digits")
    made = "" if is_old and kind == "account" else _text(entry, "made", where)
    domains = _limits(entry, "domains", _domain, where, is_old=is_old)
    recipients = _limits(entry, "recipients", _address, where, is_old=is_old)
    if checked in ("admin", "auditor"):
        if (domains or recipients) and not is_old:
            raise PrincipalError(
                f"{where}: an {checked} has limits; expected none, or role reviewer or helpdesk"
            )
        domains = recipients = ()
    if checked == "user" and (kind == "token" or domains or not recipients):
        why = "a token cannot have it" if kind == "token" else _USERS_LIMITS
        raise PrincipalError(f"{where}: role user: {why}")
    totp = _text(entry, "totp", where) if "totp" in entry else ""
    if totp and not (kind == "account" and _TOTP.fullmatch(totp)):
        raise PrincipalError(
            f"{where}: totp is not a secret of a second factor; expected 16 to 64 letters A to Z "
            "and digits 2 to 7, in an account"
        )
    return Principal(name, checked, secret, domains, recipients, made, totp)


def _limits(
    entry: Mapping[str, Any], key: str, read: Callable[[str], str], where: str, *, is_old: bool
) -> tuple[str, ...]:
    values = entry.get(key)
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        raise PrincipalError(f"{where}: {key} is {_shown(values)}; expected a list of texts")
    found = []
    for value in values:
        try:
            found.append(read(value))
        except PrincipalError as error:
            if not is_old:
                raise PrincipalError(f"{where}: {key}: {error}") from None
            # Versions that wrote format 1 took it, and it fitted nobody: nobody is locked out now.
            log.warning("%s: %s: %s; it is left out", where, key, error)
    return tuple(found)


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str):
        is_ = f"is {_shown(value)}" if key in entry else "is missing"
        raise PrincipalError(f"{where}: {key} {is_}; expected a text")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _a(kind: Kind) -> str:
    return "an account" if kind == "account" else "a token"
