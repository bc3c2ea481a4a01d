"""The accounts and tokens of a site, as an admin looks after them in the pages. Each change is in
the audit trail; a secret is only in what the admin is told, once.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from filterd.quarantine import Store
from filterd.review.accounts import Accounts
from filterd.review.principals import Kind, Principal, PrincipalError
from filterd.review.reviewer import Role
from filterd.review.tokens import TokenFile

if TYPE_CHECKING:
    from filterd.review.access import Access

log = logging.getLogger(__name__)

LIMITS_LIMIT = 100
"""Domains and addresses that one form may name."""

OWN = "this is your own account; another admin, or filterd web account, changes it"


class SiteAccounts:
    """Methods raise ActionError for somebody who is not an admin, PrincipalError for what is not
    possible, StoreError where the audit trail cannot be written."""

    def __init__(self, accounts: Accounts, tokens: TokenFile, store: Store) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._store = store

    def all(self, access: Access, kind: Kind) -> tuple[Principal, ...]:
        """All of a kind, by name."""
        access.require("accounts")
        return self._accounts.all() if kind == "account" else self._tokens.all()

    def add(self, access: Access, kind: Kind, name: str, role: Role, limits: Sequence[str]) -> str:
        """Make an account with a password, or a token; the password or token."""
        access.require("accounts")
        domains, recipients = _told_apart(limits)
        if kind == "token":
            secret = self._tokens.add(name, role, domains, recipients)
        else:
            secret = new_password()
            self._accounts.add(name, secret, role, domains, recipients)
        self._note(access, f"{kind} {name} added: {_what(role, limits)}")
        return secret

    def change(self, access: Access, name: str, role: Role, limits: Sequence[str]) -> str:
        """Give an account another role or other limits; what it has now, in words."""
        self._others(access, name)
        domains, recipients = _told_apart(limits)
        self._accounts.change(name, role, domains, recipients)
        what = _what(role, limits)
        self._note(access, f"account {name} changed: {what}")
        return what

    def new_password(self, access: Access, name: str) -> str:
        """Give an account a new password, which is returned; its sessions end."""
        self._others(access, name)
        secret = new_password()
        self._accounts.set_password(name, secret)
        self._note(access, f"account {name}: new password")
        return secret

    def factor_off(self, access: Access, name: str) -> None:
        """Switch an account's second factor off; its sessions end."""
        self._others(access, name)
        self._accounts.set_totp(name, "")
        self._note(access, f"account {name}: second factor switched off")

    def remove(self, access: Access, kind: Kind, name: str) -> None:
        """Remove an account, whose sessions end, or a token."""
        if kind == "token":
            access.require("accounts")
            self._tokens.remove(name)
        else:
            self._others(access, name)
            self._accounts.remove(name)
        self._note(access, f"{kind} {name} removed")

    def _others(self, access: Access, name: str) -> None:
        """Nobody locks itself out, so somebody who may do this is always left."""
        access.require("accounts")
        if name == access.reviewer.name:
            raise PrincipalError(OWN)

    def _note(self, access: Access, words: str) -> None:
        log.info("changed by %s: %s", access.who, words)
        self._store.note("account", "", access.who, words)


def new_password() -> str:
    """A password that nobody can guess: 120 random bits."""
    return secrets.token_urlsafe(15)


def _told_apart(limits: Sequence[str]) -> tuple[list[str], list[str]]:
    """Domains, with or without an @ before them, and addresses. Raises PrincipalError."""
    if len(limits) > LIMITS_LIMIT:
        raise PrincipalError(
            f"{len(limits)} domains and addresses; expected at most {LIMITS_LIMIT}"
        )
    domains = [one.removeprefix("@") for one in limits if "@" not in one[1:]]
    return domains, [one for one in limits if "@" in one[1:]]


def _what(role: Role, limits: Sequence[str]) -> str:
    return f"role {role}" + (f", mail to {', '.join(limits)}" if limits else "")
