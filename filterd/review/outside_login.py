"""What all logins have in common that another server decides on."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Protocol

from filterd.review.principals import Principal
from filterd.system.bounded import open_regular

SECRET_OCTETS = 1024
"""Of the first line of a file with a secret."""


class LoginUnavailableError(Exception):
    """Nobody can say whether the password is right. The text is for the log."""


class LoginRefusedError(Exception):
    """It is known who that is, or that it is nobody, who may not log in. The text is for
    the log."""


class OutsideLogin(Protocol):
    """A server that knows people's passwords."""

    @property
    def is_used(self) -> bool:
        """True if there is a server to ask."""
        ...

    def verify(self, name: str, password: str) -> Principal | None:
        """Who that is, if the password is right and the person may log in. Raises
        LoginUnavailableError."""
        ...


def secret_line(path: Path) -> str:
    """The first line of a file that only its owner may read. Raises LoginUnavailableError."""
    try:
        with open_regular(path) as file:
            mode = os.fstat(file.fileno()).st_mode
            line = file.read(SECRET_OCTETS).partition(b"\n")[0]
    except OSError as error:
        raise LoginUnavailableError(f"{path}: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise LoginUnavailableError(f"{path}: others may read it; expected mode 0600")
    return line.rstrip(b"\r").decode("utf-8", "replace")
