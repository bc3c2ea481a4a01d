"""What all logins have in common that another server decides on."""

from __future__ import annotations

from typing import Protocol

from filterd.review.principals import Principal


class LoginUnavailableError(Exception):
    """Nobody can say whether the password is right. The text is for the log."""


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
