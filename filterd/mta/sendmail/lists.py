"""The lines of an `:include:` list, and whose they are.

A list that an alias names is read with the MTA's own rights; one that a user names, in a `.forward`
or in a list of their own, with that user's. Source: sendmail 8.17 `recipient.c` (include).
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from filterd.mta.cf.config import SendmailCf
from filterd.mta.delivery.forward import WRITABLE_BY_OTHERS
from filterd.mta.delivery.program import SAFE_PATH
from filterd.mta.maps.safety import Check, Owner, trouble_with
from filterd.mta.sendmail.default_user import default_user
from filterd.system.bounded import open_regular

INCLUDE_LIMIT = 1 << 20
"""Octets of a list; a larger one is an error, for its last members would get nothing."""

READ_TIMEOUT = 10.0
"""Seconds for reading a list with a user's rights."""

_TRANSIENT = frozenset(
    (
        errno.EIO,
        errno.ENOMEM,
        errno.ENFILE,
        errno.EMFILE,
        errno.EBUSY,
        errno.EAGAIN,
        errno.ETIMEDOUT,
        errno.ESTALE,
        errno.EINTR,
    )
)
"""What may be gone with the next attempt, transienterror() of sendmail's `conf.c`."""


class ListError(Exception):
    """A list that cannot be read; the text is the system's. temporary: perhaps later."""

    def __init__(self, text: str, *, temporary: bool) -> None:
        super().__init__(text)
        self.temporary = temporary


@dataclass(frozen=True, slots=True)
class IncludedList:
    """lines: those that name somebody, each with its number. uid: whose the list is. user: who runs
    its programs and writes its files where the MTA is root, "" for the MTA's default. is_unsafe: it
    must name neither, since others can write it."""

    lines: list[tuple[int, str]]
    uid: int
    user: str = ""
    is_unsafe: bool = False


@dataclass(frozen=True, slots=True)
class ListSafety:
    """How lists must be kept, so that nobody else can add a member. owner: with whose rights those
    of aliases are read. safe_modes: rights of others with which a list may still name programs."""

    owner: Owner
    checks: Check
    safe_modes: int = 0

    @classmethod
    def of(cls, cf: SendmailCf) -> ListSafety:
        """What DontBlameSendmail leaves of it."""
        owner = Owner.of(cf)
        checks = Check.REGULAR | Check.ROOT_AS_ANYBODY
        for word, check in _CHECKS.items():
            if word not in owner.blame:
                checks |= check
        if os.geteuid() == 0:
            uid, gid = default_user(cf.option("DefaultUser"))
            owner = replace(owner, uid=uid, gid=gid, name=_name_of(uid))
        is_safe = "groupwritableincludefilesafe" in owner.blame
        return cls(owner, checks, stat.S_IWGRP if is_safe else 0)

    def trouble_with(self, name: str, user: str) -> str:
        """Why a list is not read, "" if it may be. user: who names it, "" for an alias."""
        owner = self.owner
        if user and os.geteuid() == 0:
            try:
                entry = pwd.getpwnam(user)
            except KeyError:
                return f"user {user} no longer exists"
            owner = replace(owner, uid=entry.pw_uid, gid=entry.pw_gid, name=user)
        return trouble_with(name, owner, self.checks)


_CHECKS = {
    "includefileinunsafedirpath": Check.SAFE_FOLDERS,
    "linkedincludefileinwritabledir": Check.NO_LINK_IN_WRITABLE_FOLDER,
    "groupwritableincludefile": Check.NO_GROUP_WRITABLE,
    "worldwritableincludefile": Check.NO_WORLD_WRITABLE,
}
"""Words of DontBlameSendmail, and what each of them leaves out."""


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def include_file(name: str, user: str = "", safety: ListSafety | None = None) -> IncludedList:
    """Read a list. user: who names it, "" for an alias. Raises ListError."""
    if safety is not None and (trouble := safety.trouble_with(name, user)):
        raise ListError(trouble, temporary=False)
    others = WRITABLE_BY_OTHERS & ~(safety.safe_modes if safety is not None else 0)
    try:
        if user and os.geteuid() == 0:
            data, status = _read_as(user, name), Path(name).stat()
        else:
            with open_regular(Path(name)) as file:
                data, status = file.read(INCLUDE_LIMIT + 1), os.fstat(file.fileno())
    except ValueError as error:
        # A NUL in the name.
        raise ListError(str(error), temporary=False) from None
    except OSError as error:
        temporary = error.errno in _TRANSIENT
        raise ListError(error.strerror or os.strerror(0), temporary=temporary) from None
    if len(data) > INCLUDE_LIMIT:
        raise ListError(f"larger than {INCLUDE_LIMIT} bytes", temporary=False)
    is_unsafe = bool(status.st_mode & others) or not stat.S_ISREG(status.st_mode)
    if not user and status.st_uid != 0 and os.geteuid() == 0:
        # Its owner has no more rights through this list than without it.
        try:
            user = pwd.getpwuid(status.st_uid).pw_name
        except KeyError:
            is_unsafe = True
    found = lines(data.decode("ascii", "surrogateescape"))
    return IncludedList(found, status.st_uid, user, is_unsafe)


def _read_as(user: str, name: str) -> bytes:
    """What a user can read of a file, up to the limit and an octet. Raises ListError, OSError and
    ValueError."""
    try:
        entry = pwd.getpwnam(user)
        done = subprocess.run(
            ("head", "-c", str(INCLUDE_LIMIT + 1), "--", name),
            env={"PATH": SAFE_PATH, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=READ_TIMEOUT,
            check=False,
            user=entry.pw_uid,
            group=entry.pw_gid,
            extra_groups=[],
        )
    except KeyError:
        raise ListError(f"user {user} no longer exists", temporary=False) from None
    except subprocess.TimeoutExpired:
        raise ListError("it takes too long to read", temporary=True) from None
    if done.returncode:
        said = done.stderr.decode("ascii", "replace").strip().rpartition(": ")[2]
        raise ListError(said or "it cannot be read", temporary=False)
    return done.stdout


def lines(text: str) -> list[tuple[int, str]]:
    """Those that name somebody, with their numbers from 1."""
    return [
        (number, line)
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip() and not line.startswith("#")
    ]
