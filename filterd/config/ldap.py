"""Settings `[ldap]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from annotated_doc import Doc
from annotated_types import Gt, Le

from filterd.config.group_roles import GroupRole, check_role_domains
from filterd.message.envelope import ip
from filterd.system.mistakes import mistakes


@dataclass(frozen=True)
class LdapRoleSettings:
    """What members of one group may do."""

    group: Annotated[str, Doc('the group\'s DN, e.g. "cn=postmasters,ou=groups,dc=mx,dc=example"')]
    role: Annotated[GroupRole, Doc("the role of its members")]
    domains: Annotated[
        tuple[str, ...],
        Doc("domains of a reviewer or helpdesk; empty for a helpdesk: all mail"),
    ] = ()

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            with wrong.at("group"):
                if "=" not in self.group:
                    raise ValueError(
                        f'{self.group!r} is not a DN; expected "cn=postmasters,dc=mx,dc=example"'
                    )
            check_role_domains(wrong, self.role, self.domains)


@dataclass(frozen=True)
class LdapSettings:
    """A directory whose people may log in to the pages."""

    url: Annotated[
        str,
        Doc('the server, "ldaps://ldap.mx.example" or "ldap://ldap.mx.example:389"; empty: none'),
    ] = ""
    starttls: Annotated[
        bool, Doc("TLS by StartTLS where url begins with ldap:; false to this machine only")
    ] = True
    ca: Annotated[
        Path | None, Doc("certificates (PEM) that prove the server; unset: the system's")
    ] = None
    bind_dn: Annotated[str, Doc("who looks for people's entries; empty: nobody (anonymous)")] = ""
    password_file: Annotated[
        Path | None, Doc("file, mode 0600, whose first line is the password of bind_dn")
    ] = None
    base: Annotated[str, Doc('where people are, e.g. "ou=people,dc=mx,dc=example"')] = ""
    filter: Annotated[
        str, Doc("finds the entry of one person; {name} is what was typed as the name")
    ] = "(uid={name})"
    mail: Annotated[
        tuple[str, ...], Doc("attributes with the addresses of somebody with the role user")
    ] = ("mail",)
    groups: Annotated[
        str, Doc("attribute of a person's entry with the DNs of its groups; empty: none")
    ] = "memberOf"
    group_base: Annotated[
        str, Doc("where groups are that name their members; empty: the attribute says it")
    ] = ""
    group_filter: Annotated[
        str, Doc("finds the groups of a person; {dn} is its entry, {name} its name")
    ] = "(|(member={dn})(uniqueMember={dn})(memberUid={name}))"
    roles: Annotated[
        tuple[LdapRoleSettings, ...],
        Doc("tables [[ldap.roles]]: the first group that a person is in gives the role"),
    ] = ()
    others: Annotated[
        Literal["", "user"],
        Doc("the role of people in none of these groups; empty: they may not log in"),
    ] = ""
    timeout: Annotated[float, Gt(0), Le(60), Doc("seconds for each answer of the server")] = 10.0

    def __post_init__(self) -> None:
        if not self.url:
            return
        with mistakes() as wrong:
            with wrong.at("url"):
                _check_url(self.url)
            with wrong.at("starttls"):
                if self.url.startswith("ldap:") and not self.starttls and not self._is_here:
                    raise ValueError(
                        "passwords would cross the network in the clear; expected true, or ldaps:"
                    )
            with wrong.at("base"):
                if "=" not in self.base:
                    raise ValueError(
                        f'{self.base!r} is not a DN; expected "ou=people,dc=mx,dc=example"'
                    )
            with wrong.at("filter"):
                if "{name}" not in self.filter or not _is_filter(self.filter):
                    raise ValueError(f'{self.filter!r}; expected "(uid={{name}})"')
            with wrong.at("group_filter"):
                if not _is_filter(self.group_filter):
                    raise ValueError(f'{self.group_filter!r}; expected "(member={{dn}})"')
            with wrong.at("password_file"):
                if bool(self.bind_dn) != bool(self.password_file):
                    raise ValueError("expected both bind_dn and password_file, or neither")
            with wrong.at("roles"):
                if not self.roles and not self.others:
                    raise ValueError(
                        'nobody could log in; expected [[ldap.roles]], or others = "user"'
                    )

    @property
    def _is_here(self) -> bool:
        """True for this machine; also for something that is not a URL, which `url` reports."""
        try:
            host = self.host
        except ValueError:
            return True
        address = ip(host)
        return host == "localhost" or (address is not None and address.is_loopback)

    @property
    def host(self) -> str:
        """The server's name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Its port."""
        return urlsplit(self.url).port or (636 if self.is_secure else 389)

    @property
    def is_secure(self) -> bool:
        """True for TLS from the first octet."""
        return self.url.startswith("ldaps:")


def _check_url(url: str) -> None:
    """Raises ValueError for what is not a server."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("ldap", "ldaps") and bool(parts.hostname) and parts.port != 0
        is_good = is_good and not (parts.username or parts.query or parts.path.strip("/"))
    except ValueError:
        is_good = False
    if not is_good:
        raise ValueError(f'{url!r} is not a server; expected "ldaps://ldap.mx.example"')


def _is_filter(text: str) -> bool:
    """A cheap look: parentheses that fit, and no other braces than those of the names."""
    rest = text.replace("{name}", "").replace("{dn}", "")
    return (
        text.startswith("(")
        and text.endswith(")")
        and text.count("(") == text.count(")")
        and "{" not in rest
        and "}" not in rest
    )
