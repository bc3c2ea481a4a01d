"""The lines of an `:include:` list."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from filterd.system.bounded import open_regular

INCLUDE_LIMIT = 1 << 20
"""Octets of a list that are read."""

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


def include_file(name: str) -> list[str]:
    """The lines of a list, comments left out. Raises ListError."""
    try:
        with open_regular(Path(name)) as file:
            text = file.read(INCLUDE_LIMIT).decode("ascii", "surrogateescape")
    except ValueError as error:
        # A NUL in the name.
        raise ListError(str(error), temporary=False) from None
    except OSError as error:
        temporary = error.errno in _TRANSIENT
        raise ListError(error.strerror or os.strerror(0), temporary=temporary) from None
    return lines(text)


def lines(text: str) -> list[str]:
    """Those that name somebody."""
    return [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
