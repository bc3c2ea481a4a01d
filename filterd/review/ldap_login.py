"""Logging in with one's password in a directory (LDAP), with a role by group.

The person's entry is looked for, and then bound as with the password that was typed (RFC 4511
§4.2, RFC 4513 §5.1.3): over TLS with a certificate that is checked, or in the clear to this
machine.
The password is kept nowhere, and sent to no other server: referrals are not followed.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import re
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from filterd.config.ldap import LdapRoleSettings, LdapSettings
from filterd.message.address import AddressPatternError, checked_mailbox, readable
from filterd.review.outside_login import LoginUnavailableError, secret_line
from filterd.review.principals import Principal

log = logging.getLogger(__name__)

SESSIONS_LIMIT = 8
"""Conversations with the server at a time; others wait for a turn, as long as for an answer."""

PASSWORD_OCTETS = 1024

GROUPS_LIMIT = 1000
ADDRESSES_LIMIT = 100
"""Groups and addresses of one person that are looked at."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@+-]{0,62}[A-Za-z0-9])?")
"""Names that are asked about; an account of filterd's own may be called the same."""

_AWAY = frozenset({51, 52, 80})
"""Results by which a server says nothing about the password: busy, unavailable, other (RFC 4511
§4.1.9)."""


class LdapLogin:
    """The people of one directory."""

    def __init__(self, settings: LdapSettings, *, users: bool) -> None:
        self._settings = settings
        self._users = users
        self._turn = threading.BoundedSemaphore(SESSIONS_LIMIT)

    @property
    def is_used(self) -> bool:
        """True if there is a server to ask."""
        return bool(self._settings.url)

    def check(self) -> None:
        """Raises LoginUnavailableError for what can be known to be wrong without the server."""
        _ = self._errors
        self._password()

    def verify(self, name: str, password: str) -> Principal | None:
        """Who that is, if the password is right and the person has a role. Raises
        LoginUnavailableError."""
        # A bind with a name and no password succeeds without proving anything (RFC 4513 §5.1.2).
        if not _NAME.fullmatch(name) or not password or "\0" in password:
            return None
        try:
            if len(password.encode("utf-8")) > PASSWORD_OCTETS:
                return None
        except UnicodeEncodeError:
            return None
        if not self._turn.acquire(timeout=self._settings.timeout):
            raise LoginUnavailableError("too many logins wait for the LDAP server")
        try:
            return self._verified(name.lower(), password)
        finally:
            self._turn.release()

    def _verified(self, name: str, password: str) -> Principal | None:
        own = self._settings
        conv = self._ldap3("ldap3.utils.conv")
        with self._bound(own.bind_dn, self._password()) as searching:
            if searching is None:
                raise LoginUnavailableError(f"{self._where}: the password of bind_dn is wrong")
            wanted = own.filter.replace("{name}", conv.escape_filter_chars(name))
            attributes = [*own.mail, *([own.groups] if own.groups else [])]
            entries = self._search(searching, own.base, wanted, attributes, 2)
            if len(entries) != 1:
                if entries:
                    log.error("LDAP: more than one entry for %r in %s", name, own.base)
                return None
            ((dn, values),) = entries
            if not dn:
                # A bind without a name is anonymous and proves no password (RFC 4513 §5.1.1).
                log.error("LDAP: the entry for %r in %s has no name", name, own.base)
                return None
            groups = values.get(own.groups.lower(), [])[:GROUPS_LIMIT] if own.groups else []
            if own.group_base:
                wanted = own.group_filter.replace("{name}", conv.escape_filter_chars(name))
                wanted = wanted.replace("{dn}", conv.escape_filter_chars(dn))
                found = self._search(searching, own.group_base, wanted, ["1.1"], GROUPS_LIMIT)
                groups = [*groups, *(group for group, _ in found)]
        with self._bound(dn, password) as person:
            if person is None:
                return None
        return self._principal(name, groups, self._addresses(values))

    def _principal(
        self, name: str, groups: Sequence[str], addresses: Sequence[str]
    ) -> Principal | None:
        found = self._role(groups)
        if found is None and not self._settings.others:
            log.warning("LDAP: %r is in no group that has a role", name)
            return None
        role = found.role if found is not None else "user"
        if role != "user":
            assert found is not None
            return Principal(name, role, "", domains=found.domains)
        if not self._users:
            log.warning("LDAP: %r has the role user, and [users] is not enabled", name)
            return None
        if not addresses:
            log.warning("LDAP: %r has no address in %s", name, ", ".join(self._settings.mail))
            return None
        return Principal(name, "user", "", recipients=tuple(addresses))

    def _role(self, groups: Sequence[str]) -> LdapRoleSettings | None:
        names = {self._same(group) for group in groups}
        return next((one for one in self._settings.roles if self._same(one.group) in names), None)

    def _same(self, dn: str) -> tuple[tuple[str, str], ...]:
        """What two spellings of one DN have in common; cn, ou and dc ignore case."""
        module = self._ldap3("ldap3.utils.dn")
        try:
            parts = module.parse_dn(dn.lower(), strip=True)
        except self._errors:
            return (("", dn.strip().lower()),)
        return tuple((str(kind).strip(), str(value).strip()) for kind, value, _ in parts)

    def _addresses(self, values: dict[str, list[str]]) -> list[str]:
        found = []
        for attribute in self._settings.mail:
            for value in values.get(attribute.lower(), [])[:ADDRESSES_LIMIT]:
                # Active Directory's proxyAddresses have the protocol before the address.
                address = re.sub(r"\Asmtp:", "", value.strip(), count=1, flags=re.IGNORECASE)
                try:
                    checked_mailbox(address)
                except AddressPatternError:
                    continue
                found.append(readable(address))
        return list(dict.fromkeys(found))[:ADDRESSES_LIMIT]

    def _search(
        self, connection: Any, base: str, wanted: str, attributes: Sequence[str], limit: int
    ) -> list[tuple[str, dict[str, list[str]]]]:
        """Entries, each its DN and its values by attribute in small letters."""
        try:
            connection.search(
                base,
                wanted,
                attributes=list(attributes),
                size_limit=limit,
                time_limit=self._seconds,
            )
            result, response = connection.result, connection.response
        except self._errors as error:
            raise LoginUnavailableError(f"{self._where}: {error}") from None
        # 3 and 4: the limits of time and size.
        if result["result"] not in (0, 4):
            raise LoginUnavailableError(
                f"{self._where}: search in {base}: {result['description']} {result['message']}"
            )
        found = []
        for entry in response or ():
            if entry.get("type") == "searchResEntry":
                raw = entry.get("raw_attributes", {})
                values = {
                    name.lower(): [one.decode("utf-8", "replace") for one in those]
                    for name, those in raw.items()
                }
                found.append((str(entry["dn"]), values))
        return found

    @contextmanager
    def _bound(self, dn: str, password: str) -> Iterator[Any]:
        """A connection that is bound as that entry, None if the password is wrong. Raises
        LoginUnavailableError."""
        own, ldap3 = self._settings, self._ldap3("ldap3")
        connection = None
        try:
            tls = ldap3.Tls(
                validate=ssl.CERT_REQUIRED,
                ca_certs_file=None if own.ca is None else str(own.ca),
                version=ssl.PROTOCOL_TLS_CLIENT,
            )
            server = ldap3.Server(
                own.host,
                port=own.port,
                use_ssl=own.is_secure,
                tls=tls,
                connect_timeout=own.timeout,
                get_info=ldap3.NONE,
            )
            connection = ldap3.Connection(
                server,
                user=dn or None,
                password=password if dn else None,
                auto_referrals=False,
                read_only=True,
                check_names=False,
                receive_timeout=self._seconds,
                raise_exceptions=False,
            )
            connection.open()
            if not own.is_secure and own.starttls and not connection.start_tls():
                raise LoginUnavailableError(f"{self._where}: no StartTLS: {connection.last_error}")
            is_bound = connection.bind()
            result = connection.result or {}
            if not is_bound and (result.get("result") in _AWAY or "result" not in result):
                raise LoginUnavailableError(f"{self._where}: {result.get('description', 'closed')}")
            yield connection if is_bound else None
        except self._errors as error:
            raise LoginUnavailableError(f"{self._where}: {error}") from None
        finally:
            if connection is not None:
                with contextlib.suppress(*self._errors):
                    connection.unbind()

    @property
    def _where(self) -> str:
        return f"LDAP server {self._settings.host}:{self._settings.port}"

    @property
    def _seconds(self) -> int:
        """For each answer; the package takes whole ones."""
        return max(1, round(self._settings.timeout))

    @property
    def _errors(self) -> tuple[type[Exception], ...]:
        """What the package raises: also of answers that are none."""
        found: tuple[type[Exception], ...] = (
            self._ldap3("ldap3.core.exceptions").LDAPException,
            self._ldap3("pyasn1.error").PyAsn1Error,
            OSError,
        )
        return found

    def _ldap3(self, module: str) -> Any:
        """The package has no types; it is an extra, which not everybody needs."""
        try:
            return importlib.import_module(module)
        except ImportError:
            raise LoginUnavailableError("the package ldap3 is missing (extra ldap)") from None

    def _password(self) -> str:
        """The first line of `password_file`. Raises LoginUnavailableError."""
        path = self._settings.password_file
        if path is None:
            return ""
        return secret_line(path)
