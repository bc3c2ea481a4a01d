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
from dataclasses import dataclass
from pathlib import Path

from filterd.mta.delivery.forward import WRITABLE_BY_OTHERS
from filterd.mta.delivery.program import SAFE_PATH
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


def include_file(name: str, user: str = "") -> IncludedList:
    """Read a list. user: who names it, "" for an alias. Raises ListError."""
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
    is_unsafe = bool(status.st_mode & WRITABLE_BY_OTHERS) or not stat.S_ISREG(status.st_mode)
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
