"""Addresses and the paths of MAIL and RCPT, parsed without rewriting rules, with sendmail's errors.

Addresses are `str` in ASCII with surrogate escapes, so that every octet survives a round trip.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_ROUTE = re.compile(r"@[^,:<>]+(,@[^,:<>]+)*:")
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_LOCAL = re.compile(rf"(?:{_QUOTED}|[^\s\"@<>(),;:\\])++")
_PAIRED = re.compile(r"\\(.)")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9_\-\x80-\U0010ffff]+\.)*[A-Za-z0-9_\-\x80-\U0010ffff]+\.?")
_LITERAL = re.compile(r"\[[^\[\]\s]+\]")

ADDRESS_LIMIT = 256
"""Characters of a path, RFC 5321 §4.5.3.1.3."""


class PathError(Exception):
    """An invalid address. code: enhanced status code; the text is sendmail's."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Route:
    """Where mail to an address goes: sendmail's triple. host: `""` for a local mailer."""

    mailer: str
    host: str
    user: str


def to_octets(text: str) -> bytes:
    """The octets of an address, or of other text that came from the wire."""
    return text.encode("ascii", "surrogateescape")


def to_text(octets: bytes) -> str:
    """Octets from the wire as text; `to_octets` gives them back."""
    return octets.decode("ascii", "surrogateescape")


def parse_path(text: str) -> str:
    """Return the address of a path, without brackets and route: `""` for `<>`.

    Accepts `<a@b>`, `a@b`, `<@relay:a@b>`. Raises PathError.
    """
    inner = text.strip()
    if inner.startswith("<"):
        if not inner.endswith(">"):
            raise PathError("5.0.0", "Unbalanced '<'")
        inner = inner[1:-1].strip()
    elif inner.endswith(">"):
        raise PathError("5.0.0", "Unbalanced '>'")
    if not inner:
        return ""
    if len(inner) > ADDRESS_LIMIT:
        raise PathError("5.1.0", "Address too long")
    inner = inner[match.end() :] if (match := _ROUTE.match(inner)) else inner
    local, at, domain = _split(inner)
    if inner.count('"') % 2:
        raise PathError("5.0.0", "Unbalanced '\"'")
    if "@" in local and not local.startswith('"'):
        raise PathError("5.1.3", "Invalid route address")
    if not local or not _LOCAL.fullmatch(local):
        raise PathError("5.1.3", "User address required" if not local else "Invalid user name")
    if at and not domain:
        raise PathError("5.1.3", "Hostname required")
    if domain and not (_DOMAIN.fullmatch(domain) or _LITERAL.fullmatch(domain)):
        raise PathError("5.1.2", "Invalid host name")
    return inner


def unrouted(address: str, is_own: Callable[[str], bool]) -> str:
    """The address that a route in the local part means: `u%other@us`, `other!u`, `"u@other"@us`
    are `u@other`, as sendmail's stock rules and Postfix (swap_bangpath, allow_percent_hack) read
    them. Without a route: the address itself.

    is_own: whether a domain is this MTA's; `""` is.
    """
    for _ in range(ADDRESS_LIMIT):
        local, at, _domain = _split(address)
        if at and not is_own(domain_part(address)):
            return address
        plain = _PAIRED.sub(r"\1", local[1:-1]) if local.startswith('"') else local
        if "@" in plain:
            address = plain
        elif "!" in plain:
            host, _, user = plain.partition("!")
            address = f"{user}@{host}"
        elif "%" in plain:
            user, _, host = plain.rpartition("%")
            address = f"{user}@{host}"
        else:
            return address
    return address


def _split(address: str) -> tuple[str, str, str]:
    """Local part, `@` or nothing, domain."""
    return address.rpartition("@") if "@" in address else (address, "", "")


def local_part(address: str) -> str:
    """The part before the last `@`."""
    return _split(address)[0]


def domain_part(address: str) -> str:
    """The part after the last `@`, lower case, `""` if there is none."""
    return _split(address)[2].lower().removesuffix(".")
