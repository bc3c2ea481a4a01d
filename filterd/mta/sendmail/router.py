"""Resolve addresses as a stock sendmail.cf does: domains in class w are local, others are not.

Local names are expanded by the aliases, and must be in passwd if the local mailer has the flag `w`.
`|program`, `/file` and `\\name` are valid in aliases only. Mail for other domains goes to the smart
host (DS) or to their MX hosts.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from filterd.mta.cf.config import SendmailCf
from filterd.mta.cf.mailers import MailerLine
from filterd.mta.delivery.aliases import MAX_DEPTH, AliasError, Aliases
from filterd.mta.delivery.forward import forward
from filterd.mta.delivery.mailbox import append
from filterd.mta.delivery.program import ProgramMailer, prepared
from filterd.mta.delivery.relay import SmtpMailer
from filterd.mta.delivery.router import ConfigurationError, DeliveryError, Mailer, unique
from filterd.mta.mail.address import (
    PathError,
    Route,
    domain_part,
    local_part,
    parse_path,
    unrouted,
)
from filterd.mta.mail.entry import QueueEntry, Target

FILE_MAILER = "*file*"


class FileMailer:
    """Appends to a file named by an alias."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def deliver(self, entry: QueueEntry, target: Target, message: bytes) -> str:
        del target
        try:
            append(self._path, entry.sender, prepared(message, entry.sender, "Pn"))
        except OSError as error:
            raise DeliveryError(
                f"{self._path}: {error.strerror}", temporary=True, code="4.2.0"
            ) from None
        return str(self._path)


class CfRouter:
    """See the module. Raises ValueError without a local mailer; sendmail does not start then."""

    def __init__(self, cf: SendmailCf) -> None:
        self._cf = cf
        self._host = cf.macros.get("j", "localhost")
        if "local" not in cf.mailers:
            raise ValueError("No local mailer defined")
        self._local = cf.mailers["local"]
        self._domains = {name.lower() for name in cf.classes.get("w", ())}
        self._domains |= {self._host.lower(), "localhost", ""}
        self.aliases = Aliases(_alias_files(cf.option("AliasFile")))
        self._uid, self._gid = _default_user(cf.option("DefaultUser"))

    def resolve(self, address: str, *, listed: bool = False) -> Route:
        if address[:1] in ("|", "/") and not listed:
            # From a client this would be a command line of its choice.
            what = "mail to programs" if address.startswith("|") else "mail directly to files"
            raise DeliveryError(f"Cannot {what}", temporary=False, code="5.7.1")
        if address.startswith("|"):
            return Route("prog", "", address[1:].strip())
        if address.startswith("/"):
            return Route(FILE_MAILER, "", address)
        if address.startswith(":include:"):
            # A list that could not be read; the sender gets a report.
            raise DeliveryError("Cannot open list", temporary=False, code="5.2.4")
        try:
            parsed = parse_path(address.removeprefix("\\"))
            parsed = parse_path(unrouted(parsed, self._domains.__contains__))
        except PathError as error:
            raise DeliveryError(str(error), temporary=False, code=error.code) from None
        if domain_part(parsed) in self._domains:
            return self._resolve_local(local_part(parsed))
        return self._resolve_remote(parsed)

    def _resolve_local(self, name: str) -> Route:
        plain = name.partition("+")[0]
        known = name in self.aliases or plain in self.aliases
        if "w" in self._local.flags and not known and not _in_passwd(plain):
            raise DeliveryError("User unknown", temporary=False, code="5.1.1")
        # Only a mailer with the flag u keeps upper case in user names.
        return Route("local", "", name if "u" in self._local.flags else name.lower())

    def _resolve_remote(self, address: str) -> Route:
        smart = self._cf.macros.get("S", "")
        if smart:
            mailer, colon, host = smart.partition(":")
            route = Route(mailer if colon else "relay", host if colon else smart, address)
        else:
            route = Route("esmtp", domain_part(address) + ".", address)
        if self._cf.program.mailers.find(route.mailer) is None:
            # Not deferred: another attempt would find no mailer either.
            raise ConfigurationError(f"buildaddr: unknown mailer {route.mailer}")
        return route

    def expand(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        return unique(tuple(one for target in targets for one in self._expanded(target)))

    def _expanded(self, target: Target, depth: int = 0) -> Iterator[Target]:
        """The target, or what aliases and `.forward` files replace it by."""
        address = target.address
        try:
            route = self.resolve(address, listed=target.listed)
        except DeliveryError:
            route = None
        if route is None or route.mailer != "local" or address[:1] == "\\" or depth > MAX_DEPTH:
            yield target
            return
        try:
            found = self._aliased(route.user)
        except AliasError as error:
            found = [error.member]
        if found is not None:
            owner = self.aliases.owner(route.user)
            target = replace(target, sender=owner or target.sender, listed=True)
            others = [one for one in found if one.lower() != route.user.lower()]
            if len(others) < len(found):
                yield replace(target, address=route.user)
            for one in others:
                yield from self._expanded(replace(target, address=one), depth + 1)
            return
        yield from self._forwarded(target, route.user, depth)

    def _forwarded(self, target: Target, name: str, depth: int) -> Iterator[Target]:
        """Expand a user's `.forward`, for mailers whose users are in passwd (flag w)."""
        plain, _, detail = name.partition("+")
        try:
            user = pwd.getpwnam(plain) if "w" in self._local.flags else None
        except KeyError:
            user = None
        found = None
        if user is not None:
            values = {
                "z": user.pw_dir,
                "u": plain,
                "h": f"+{detail}" if detail else "",
                "r": self._host,
            }
            template = self._cf.option("ForwardPath", "$z/.forward")
            paths = [Path(self._cf.expand(one, **values)) for one in template.split(":")]
            found = forward(user, [path for path in paths if path.is_absolute()])
        if found is None:
            yield target
            return
        for one in found:
            named = replace(target, address=one, user=plain, listed=True)
            if one.lower().removeprefix("\\") == plain.lower():
                yield replace(named, address="\\" + plain)
            else:
                yield from self._expanded(named, depth + 1)

    def members(self, address: str) -> list[str]:
        route = self.resolve(address)
        try:
            found = self._aliased(route.user) or [route.user.partition("+")[0]]
        except AliasError as error:
            text = f"{error.member}... {error}"
            raise DeliveryError(text, temporary=False, code="5.2.4") from None
        return [f'"{one}"' if one.startswith("|") else one for one in found]

    def _aliased(self, name: str) -> list[str] | None:
        """The members of a local name, None if it is not an alias. `joe+x` falls back to `joe`."""
        for candidate in (name, name.partition("+")[0]):
            if candidate in self.aliases:
                return self.aliases.expand(candidate)
        return None

    def mailer(self, route: Route) -> Mailer:
        if route.mailer == FILE_MAILER:
            return FileMailer(Path(route.user))
        line = self._cf.program.mailers.find(route.mailer)
        if line is None:
            raise ConfigurationError(f"buildaddr: unknown mailer {route.mailer}")
        if line.path in ("[IPC]", "[TCP]"):
            return SmtpMailer(route.host.rstrip("."), self._host, line.line_limit)
        return self._program(line, route)

    def _program(self, line: MailerLine, route: Route) -> ProgramMailer:
        user = route.user.partition("+")[0] if route.mailer == "local" else route.user
        macros = {key: value for key, value in self._cf.macros.items() if key not in "ugfh"}
        # Only root can run a program as another user.
        privileged = os.geteuid() == 0
        return ProgramMailer(
            line.path,
            line.argv,
            line.flags,
            user.removeprefix("\\"),
            route.host,
            macros,
            self._uid if privileged else None,
            self._gid if privileged else None,
            line.line_limit,
        )


def _alias_files(option: str) -> list[Path]:
    """The text files of `/etc/mail/aliases, hash:/other`; map types are dropped."""
    names = (one.strip().split()[-1] for one in option.split(",") if one.strip())
    return [Path(name.rpartition(":")[2]) for name in names if "/" in name]


def _default_user(option: str) -> tuple[int | None, int | None]:
    """User and group id of `O DefaultUser`: `mail:mail`, `8:12`, `mailnull`. None if not set."""
    user, _, group = option.replace(".", ":").partition(":")
    if not user:
        return None, None
    try:
        uid = int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
        if group:
            gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
        else:
            gid = pwd.getpwuid(uid).pw_gid
    except KeyError:
        return None, None
    return uid, gid


def _in_passwd(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
