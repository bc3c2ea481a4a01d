"""Why a signature or a key cannot be used."""

from __future__ import annotations

from filterd.message.authentication import AuthResult


class DkimError(Exception):
    """A signature or key that cannot be used. Never leaves the checks: it becomes their result.

    result: PERMERROR, TEMPERROR or POLICY. reason: in words, printable ASCII.
    """

    def __init__(self, reason: str, result: AuthResult = AuthResult.PERMERROR) -> None:
        super().__init__(reason)
        self.reason = reason
        self.result = result
