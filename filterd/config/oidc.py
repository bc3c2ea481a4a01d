"""Settings `[oidc]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from annotated_doc import Doc
from annotated_types import Ge, Gt, Le

from filterd.config.group_roles import GroupRole, check_role_domains
from filterd.message.envelope import ip
from filterd.system.mistakes import mistakes

TEXT_LIMIT = 100
"""Characters of the button's text, and of a claim's name."""


@dataclass(frozen=True)
class OidcRoleSettings:
    """What members of one group may do."""

    group: Annotated[str, Doc('the group as the claim has it, e.g. "postmasters"')]
    role: Annotated[GroupRole, Doc("the role of its members")]
    domains: Annotated[
        tuple[str, ...],
        Doc("domains of a reviewer or helpdesk; empty for a helpdesk: all mail"),
    ] = ()

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            with wrong.at("group"):
                if not self.group:
                    raise ValueError("is empty; expected the name of a group")
            check_role_domains(wrong, self.role, self.domains)


@dataclass(frozen=True)
class OidcSettings:
    """An OpenID Provider whose people may log in to the pages."""

    issuer: Annotated[
        str, Doc('the provider, as it names itself: "https://login.mx.example"; empty: none')
    ] = ""
    ca: Annotated[
        Path | None, Doc("certificates (PEM) that prove the provider; unset: the system's")
    ] = None
    client_id: Annotated[str, Doc("what the provider knows filterd as")] = ""
    secret_file: Annotated[
        Path | None,
        Doc("file, mode 0600, whose first line is the client's secret; unset: a public client"),
    ] = None
    label: Annotated[
        str, Doc("the text of the link where people log in; empty: filterd's own, translated")
    ] = ""
    scopes: Annotated[tuple[str, ...], Doc("what is asked for beside openid")] = (
        "email",
        "profile",
    )
    name_claim: Annotated[
        str, Doc("claim with the name of a person who is not in the role user")
    ] = "preferred_username"
    groups_claim: Annotated[str, Doc("claim with a person's groups, a list of texts")] = "groups"
    roles: Annotated[
        tuple[OidcRoleSettings, ...],
        Doc("tables [[oidc.roles]]: the first group that a person is in gives the role"),
    ] = ()
    others: Annotated[
        Literal["", "user"],
        Doc("the role of people in none of these groups; empty: they may not log in"),
    ] = ""
    leeway: Annotated[
        float, Ge(0), Le(600), Doc("seconds by which the provider's clock and ours may differ")
    ] = 60.0
    timeout: Annotated[float, Gt(0), Le(60), Doc("seconds for each answer of the provider")] = 10.0

    def __post_init__(self) -> None:
        if not self.issuer:
            return
        with mistakes() as wrong:
            with wrong.at("issuer"):
                self._check_issuer()
            with wrong.at("client_id"):
                if not self.client_id or not self.client_id.isprintable():
                    raise ValueError("expected the identifier that the provider has given")
            for key in ("label", "name_claim", "groups_claim"):
                with wrong.at(key):
                    value = getattr(self, key)
                    is_long_enough = bool(value) or key == "label"
                    if not is_long_enough or len(value) > TEXT_LIMIT or not value.isprintable():
                        raise ValueError(f"expected 1 to {TEXT_LIMIT} characters")
            for index, scope in enumerate(self.scopes):
                with wrong.at("scopes", index):
                    # RFC 6749 §3.3.
                    if not scope.isascii() or not scope.isprintable() or set(scope) & set(' "\\'):
                        raise ValueError(f'{scope!r} is not a scope; expected e.g. "email"')
            with wrong.at("roles"):
                if not self.roles and not self.others:
                    raise ValueError(
                        'nobody could log in; expected [[oidc.roles]], or others = "user"'
                    )

    def _check_issuer(self) -> None:
        """Raises ValueError (OpenID Connect Discovery 1.0 §3: https, no query, no fragment)."""
        try:
            parts = urlsplit(self.issuer)
            is_good = parts.scheme in ("https", "http") and bool(parts.hostname)
            is_good = is_good and parts.port != 0 and self.issuer.isprintable()
            is_good = is_good and not (parts.username or parts.query or parts.fragment)
        except ValueError:
            is_good = False
        if not is_good:
            raise ValueError(f'{self.issuer!r} is not of the form "https://login.mx.example"')
        if not is_safe_url(self.issuer):
            raise ValueError("secrets would cross the network in the clear; expected https:")


def is_safe_url(url: str) -> bool:
    """True for https, and for http to this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    address = ip(host)
    is_here = host == "localhost" or (address is not None and address.is_loopback)
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_here))
