"""A sendmail.cf on disk, and the files that it names."""

from __future__ import annotations

import grp
import pwd
import socket
from collections.abc import Iterable
from pathlib import Path

from filterd.mta.cf.class_lines import EX_NOINPUT
from filterd.mta.cf.config import CfError, SendmailCf
from filterd.mta.cf.host import Host
from filterd.mta.cf.mailers import Users
from filterd.mta.cf.parser import parse
from filterd.mta.milters.settings import EX_CONFIG
from filterd.mta.sendmail.class_sources import MachineClasses
from filterd.system.bounded import open_regular

SIZE_LIMIT = 8 << 20
"""Octets of a configuration file; a stock one has 60,000."""


class MachineUsers(Users):
    """Users and groups of the system. asks_resolver: whether names of hosts are looked up."""

    def __init__(self, *, asks_resolver: bool = False) -> None:
        self._asks_resolver = asks_resolver

    def has_host(self, name: str, family: str) -> bool:
        if not self._asks_resolver:
            return True
        kind = socket.AF_INET6 if family == "inet6" else socket.AF_INET
        try:
            return bool(socket.getaddrinfo(name, None, kind, socket.SOCK_STREAM))
        except (OSError, ValueError):
            return False

    def user(self, name: str) -> tuple[int, int] | None:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            return None
        return found.pw_uid, found.pw_gid

    def group(self, name: str) -> int | None:
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            return None


def read_cf(path: Path) -> SendmailCf:
    """Read a file. Raises CfError if sendmail would not start with it."""
    return checked(parse_cf(read_text(path), str(path)))


def read_text(path: Path) -> str:
    """The text of a file. Raises CfError."""
    try:
        with open_regular(path) as file:
            return file.read(SIZE_LIMIT + 1).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise CfError([f"{path}: line 0: cannot open: {error.strerror}"], EX_NOINPUT) from None


def parse_cf(
    text: str,
    source: str = "sendmail.cf",
    *,
    host: Host | None = None,
    users: Users | None = None,
    preset: Iterable[str] = (),
    allows_programs: bool = False,
) -> SendmailCf:
    """Parse the text of a file and read the files that it names; mistakes are in `problems`.

    host, preset: see `filterd.mta.cf.parser.parse`. users: those of this machine if not given.
    allows_programs: whether programs that F lines name are run.
    """
    known = users or MachineUsers()
    sources = MachineClasses(allows_programs=allows_programs)
    return parse(text, source, sources, host=host, users=known, preset=preset)


def checked(cf: SendmailCf) -> SendmailCf:
    """The same. Raises CfError if it has problems."""
    if cf.problems:
        raise CfError(cf.problems + cf.hints, cf.status or EX_CONFIG)
    return cf
