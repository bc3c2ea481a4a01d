"""Map class ldap, by the package ldap3 (extra `ldap`).

A server that does not answer, and the package where it is missing, are temporary failures.
Source: sendmail 8.17 `doc/op`, "LDAP"; RFC 4515 for filters.
"""

from __future__ import annotations

import importlib
import re
import socket
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filterd.mta.cf.lookup import EX_NOTFOUND, MapAnswer
from filterd.mta.cf.map_options import MapOptions, leading_number
from filterd.mta.maps.base import NO_COMPLAINT, BaseMap, MapError, MapValue, octets
from filterd.mta.maps.safety import Check, Owner, trouble_with
from filterd.system.bounded import read_regular

CONNECT_TIMEOUT = 10.0
"""Seconds for a connection, unless `-c` says otherwise."""

SEARCH_TIMEOUT = 30
"""Seconds for a search, unless `-l` says otherwise."""

RESULT_LIMIT = 1000
"""Entries of a search, unless `-Z` says otherwise."""

PASSWORD_LIMIT = 256
"""Octets of the file with the password."""

_SCOPES = {"base": "BASE", "one": "LEVEL", "sub": "SUBTREE"}


class LdapMap(BaseMap):
    """A search for each key. defaults: letters of `O LDAPDefaultSpec`, which count where the K line
    has none."""

    def __init__(
        self,
        options: MapOptions,
        defaults: Callable[[], dict[str, str]],
        owner: Callable[[], Owner],
    ) -> None:
        super().__init__(options)
        self._defaults = defaults
        self._owner = owner
        self._connection: Any = None

    def _letter(self, letter: str, default: str = "") -> str:
        own = dict(self.options.own)
        return own.get(letter, self._defaults().get(letter, default))

    def _open(self) -> tuple[str, int]:
        uri, host = self._letter("H"), self._letter("h") or "localhost"
        failure = f"ldap_init/ldap_bind failed to {uri or host} in map {self.options.name}"
        parts = urlsplit(uri)
        try:
            port = parts.port
        except ValueError:
            raise MapError(failure, "Bad parameter to an ldap routine") from None
        name = parts.hostname or host.split()[0].partition(":")[0]
        secure = parts.scheme == "ldaps"
        port = port or leading_number(self._letter("p")) or (636 if secure else 389)
        seconds = float(leading_number(self._letter("c"))) or CONNECT_TIMEOUT
        try:
            socket.create_connection((name, port), seconds).close()
        except (OSError, UnicodeError, OverflowError):
            raise MapError(failure, "Transport endpoint is not connected") from None
        try:
            ldap3: Any = importlib.import_module("ldap3")
        except ImportError:
            raise MapError(failure, "the package ldap3 is missing (extra ldap)") from None
        limit = leading_number(self._letter("l")) or SEARCH_TIMEOUT
        try:
            server = ldap3.Server(name, port=port, use_ssl=secure, connect_timeout=seconds)
            self._connection = ldap3.Connection(
                server,
                user=self._letter("d") or None,
                password=self._password(failure) or None,
                auto_bind=True,
                read_only=True,
                auto_referrals=not any(letter == "R" for letter, _ in self.options.own),
                receive_timeout=limit,
            )
        except ldap3.core.exceptions.LDAPException as error:
            raise MapError(failure, str(error)) from None
        return NO_COMPLAINT

    def _password(self, failure: str) -> str:
        """The first line of the file that `-P` names."""
        file = self._letter("P")
        method = self._letter("M").lower().removeprefix("ldap_auth_")
        if not file or method == "none":
            return ""
        checks = Check.NO_LINK_IN_WRITABLE_FOLDER
        checks |= Check.NO_GROUP_WRITABLE | Check.NO_WORLD_WRITABLE
        trouble = trouble_with(file, self._owner(), checks, stat.S_IRUSR)
        try:
            data = b"" if trouble else read_regular(Path(file), PASSWORD_LIMIT)
        except (OSError, ValueError) as error:
            trouble = getattr(error, "strerror", "") or str(error)
        if trouble:
            raise MapError(f"{failure}: LDAP map: cannot open secret {file}", trouble)
        return data.partition(b"\n")[0].decode("utf-8", "replace")

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        ldap3: Any = importlib.import_module("ldap3")
        is_single = any(letter == "1" for letter, _ in self.options.own)
        names = [one.partition(":")[0] for one in self._letter("v").split(",") if one]
        limit = 2 if is_single else leading_number(self._letter("Z")) or RESULT_LIMIT
        with self._lock:
            try:
                self._connection.search(
                    self._letter("b"),
                    self._filter(key, arguments),
                    search_scope=_SCOPES.get(self._letter("s", "sub").lower(), "SUBTREE"),
                    attributes=names or ldap3.ALL_ATTRIBUTES,
                    size_limit=limit,
                    time_limit=leading_number(self._letter("l")) or SEARCH_TIMEOUT,
                )
                entries = [
                    one
                    for one in self._connection.response or ()
                    if one.get("type") == "searchResEntry"
                ]
            except ldap3.core.exceptions.LDAPException as error:
                self._is_open = False
                raise MapError(
                    f"Error in ldap_search in map {self.options.name}", str(error)
                ) from None
        if not entries or (is_single and len(entries) != 1):
            return MapAnswer(None, EX_NOTFOUND)
        values = [value for one in entries for value in self._values(one, names)]
        if not values:
            return MapAnswer(None, EX_NOTFOUND)
        delimiter = octets(self.options.delimiter)
        found = delimiter.join(values) if delimiter else values[0]
        return self._value(key, arguments, MapValue(found, str(entries[0].get("dn", ""))))

    def _values(self, entry: dict[str, Any], names: Sequence[str]) -> list[bytes]:
        """Attribute values in order; with `-n` the attributes' names, with `-V` both."""
        found: list[bytes] = []
        attributes: dict[str, Any] = entry.get("raw_attributes", {})
        separator = self._letter("V")[:1]
        for name in names or attributes:
            for value in attributes.get(name, ()):
                if any(letter == "n" for letter, _ in self.options.own):
                    found.append(name.encode())
                    break
                shown = name.encode() + octets(separator) if separator else b""
                found.append(shown + bytes(value))
        return found

    def _filter(self, key: str, arguments: Sequence[str]) -> str:
        """The search: `%0` the key, `%1` … the arguments (`-K`), `%s` the key as well."""
        parts = [key, *arguments]

        def replacement(match: re.Match[str]) -> str:
            letter = match[1]
            if letter == "%":
                return "%"
            index = int(letter) if letter.isdigit() else 0
            return escaped(parts[index]) if index < len(parts) else ""

        return re.sub(r"%([0-9s%])", replacement, self._letter("k"))


def escaped(text: str) -> str:
    """Text from a stranger inside of a filter (RFC 4515 §3)."""
    return "".join(
        chr(one) if 32 <= one < 127 and chr(one) not in "*()\\" else f"\\{one:02x}"
        for one in octets(text)
    )
