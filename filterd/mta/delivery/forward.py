"""`.forward`: where a user's mail is to go instead.

The file counts only if nobody but its owner (the user or root) can write it. Its lines are as in
an alias; `\\user` is the user's own mailbox. Source: sendmail 8.17 `recipient.c` (forward),
`safefile.c`.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

SIZE_LIMIT = 1 << 16
"""Octets of a `.forward` file."""

WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class ForwardFile:
    """A usable file."""

    path: Path
    text: str


def forward_file(user: pwd.struct_passwd, paths: list[Path]) -> ForwardFile | None:
    """The first usable file, None if there is none."""
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_mode & WRITABLE_BY_OTHERS:
                continue
            if status.st_uid not in (user.pw_uid, 0):
                continue
            if status.st_uid != user.pw_uid and not status.st_mode & stat.S_IROTH:
                # A link to a file of root's that the user could not read.
                continue
            text = os.read(descriptor, SIZE_LIMIT + 1)
            if len(text) > SIZE_LIMIT:
                # Half of it would lose mail; without it the user has all.
                continue
            return ForwardFile(path, text.decode("ascii", "surrogateescape"))
        finally:
            os.close(descriptor)
    return None
