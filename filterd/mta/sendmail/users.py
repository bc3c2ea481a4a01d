"""The users of this machine, as mailers with the flag `w` and programs of users need them."""

from __future__ import annotations

import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filterd.mta.cf.config import SendmailCf
from filterd.mta.cf.marks import octets
from filterd.mta.delivery.forward import ForwardFile, forward_file
from filterd.mta.sendmail.lists import ListSafety
from filterd.system.bounded import open_regular

MAX_ALIAS_DEPTH = 10
"""MaxAliasRecursion without an option."""

SHELLS = Path("/etc/shells")

SHELLS_LIMIT = 1 << 16
"""Octets of that file that are read."""

ANY_SHELL = "/SENDMAIL/ANY/SHELL/"
"""A line of it that says that the shell does not count."""

DEFAULT_FORWARD_PATH = "$z/.forward"


@dataclass(frozen=True, slots=True)
class PasswdUser:
    """A user in passwd."""

    name: str
    home: str
    uid: int
    gid: int
    full_name: str = ""


@dataclass(frozen=True)
class LocalUsers:
    """What one configuration says about users.

    forward_path: with marks, one for each file. max_alias_depth: aliases of aliases. trusted: names
    of class t, whose shell does not count. lists: what is asked of an `:include:` list, None for
    nothing.
    """

    forward_path: tuple[str, ...] = ()
    max_alias_depth: int = MAX_ALIAS_DEPTH
    lists: ListSafety | None = None
    trusted: frozenset[str] = frozenset()

    @classmethod
    def of(cls, cf: SendmailCf) -> LocalUsers:
        template = octets(cf.option("ForwardPath") or DEFAULT_FORWARD_PATH)
        marked = cf.program.names.translate(template, _silent, comments=False)
        depth = cf.option("MaxAliasRecursion")
        return cls(
            tuple(one for one in marked.split(":") if one),
            int(depth) if depth.isdecimal() and int(depth) else MAX_ALIAS_DEPTH,
            ListSafety.of(cf),
            frozenset(cf.program.classes.folded(cf.program.names.code("t"))),
        )

    def find(self, name: str) -> PasswdUser | None:
        """The user of that name, None if there is none."""
        try:
            found = pwd.getpwnam(name.encode("ascii", "surrogateescape").decode("utf-8"))
        except (KeyError, ValueError):
            # ValueError: a NUL, or no UTF-8.
            return None
        return PasswdUser(found.pw_name, found.pw_dir, found.pw_uid, found.pw_gid, full_name(found))

    def forward(self, user: PasswdUser, paths: Sequence[str]) -> ForwardFile | None:
        """The first `.forward` that may be used, None if there is none."""
        try:
            entry = pwd.getpwnam(user.name)
        except KeyError:
            return None
        named = [Path(path) for path in paths if path.startswith("/") and "\0" not in path]
        return forward_file(entry, named)

    def shell_trouble(self, uid: int, host: str) -> str:
        """Why a list of that user must name neither programs nor files, "" if it may; what it must
        not name is to follow. host: of the MTA."""
        try:
            owner = pwd.getpwuid(uid)
        except KeyError:
            return f"UID {uid} is an unknown user: cannot mail to"
        shell = owner.pw_shell
        if not shell or owner.pw_name.lower() in self.trusted:
            return ""
        known = valid_shells()
        if ANY_SHELL in (shell, *known) or shell in known:
            return ""
        return f"User {owner.pw_name}@{host} doesn't have a valid shell for mailing to"


def valid_shells() -> list[str]:
    """The shells of people who log in: getusershell(3)."""
    try:
        with open_regular(SHELLS) as file:
            text = file.read(SHELLS_LIMIT).decode("utf-8", "surrogateescape")
    except OSError:
        return ["/bin/sh", "/bin/csh"]
    found = (line.partition("#")[0].strip() for line in text.split("\n"))
    return [one for one in found if one.startswith("/")]


def full_name(entry: pwd.struct_passwd) -> str:
    """The name in the GECOS field: up to the first comma, `&` for the user's name (buildfname)."""
    name = entry.pw_gecos.partition(",")[0].partition(";")[0].lstrip("*")
    return octets(name.replace("&", entry.pw_name[:1].upper() + entry.pw_name[1:]).strip())


def _silent(text: str) -> None:
    del text
