"""The operations about people: requests for release, accounts, tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from filterd.client import rows
from filterd.client.connection import ApiConnection


class AccountInterface:
    """See `FilterdClient`, which has these as well."""

    _api: ApiConnection

    def requests(self, *, most: int = 100) -> list[rows.ReleaseRequestRow]:
        """Mail that recipients ask for, the oldest request first."""
        found = self._api.get("/api/requests", limit=most)
        return cast(list[rows.ReleaseRequestRow], found["requests"])

    def grant(self, id: str, recipient: str, *, note: str = "") -> rows.RequestAnswerRow:
        """Release a message to the recipient who asks for it."""
        found = self._api.post("/api/requests/release", id=id, recipient=recipient, note=note)
        return cast(rows.RequestAnswerRow, found)

    def refuse(self, id: str, recipient: str, *, note: str = "") -> rows.RequestAnswerRow:
        """Do not release it; the recipient reads the note."""
        found = self._api.post("/api/requests/refuse", id=id, recipient=recipient, note=note)
        return cast(rows.RequestAnswerRow, found)

    def accounts(self) -> rows.AllAccountsRow:
        """Accounts and tokens, without their secrets; for admins, as all that follows."""
        return cast(rows.AllAccountsRow, self._api.get("/api/accounts"))

    def add_account(
        self,
        name: str,
        role: rows.AccountRole,
        limits: Sequence[str] = (),
        *,
        kind: rows.AccountKind = "account",
    ) -> str:
        """Make an account or a token; its password, or the token, which nobody shows again.
        limits: domains and addresses whose mail it sees."""
        found = self._api.post(
            "/api/accounts/add", kind=kind, name=name, role=role, limits=[*limits]
        )
        return str(found["secret"])

    def change_account(self, name: str, role: rows.AccountRole, limits: Sequence[str] = ()) -> str:
        """Give an account another role, or other limits; what it is now, in words."""
        found = self._api.post("/api/accounts/change", name=name, role=role, limits=[*limits])
        return str(found["words"])

    def new_password(self, name: str) -> str:
        """Give an account a new password, which is returned; its sessions end."""
        return str(self._api.post("/api/accounts/password", name=name)["secret"])

    def factor_off(self, name: str) -> None:
        """Switch an account's second factor off."""
        self._api.post("/api/accounts/factor", name=name)

    def remove_account(self, name: str, *, kind: rows.AccountKind = "account") -> None:
        """Remove an account or a token."""
        self._api.post("/api/accounts/remove", kind=kind, name=name)
