"""Every operation of the REST interface as a method.

All raise ApiError if the server refuses the request, and UnreachableError if nothing answers.
Times without an offset are UTC. What a condition means: `docs/api.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, cast

from filterd.client import rows
from filterd.client.account_interface import AccountInterface
from filterd.client.connection import ApiConnection, Value, part
from filterd.client.site_interface import SiteInterface


class FilterdClient(SiteInterface, AccountInterface):
    """The REST interface of one site; see `ApiConnection` for what it is given.

    with FilterdClient("https://mail.example", token) as filterd:
        for message in filterd.messages(reason="spam", state="held"):
            print(message["id"], message["subject"])
    """

    def __init__(self, url: str, token: str = "", **options: Any) -> None:
        super().__init__(ApiConnection(url, token, **options))

    def messages(
        self,
        *,
        sender: str = "",
        recipient: str = "",
        domain: str = "",
        subject: str = "",
        text: str = "",
        reason: str = "",
        state: str = "",
        symbol: str = "",
        virus: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        score_from: float | None = None,
        score_to: float | None = None,
        pinned: bool | None = None,
        seen: bool | None = None,
        sort: str = "",
        most: int | None = None,
    ) -> Iterator[rows.KeptRow]:
        """Kept messages that fit all conditions, the newest first or as `sort` says; page after
        page is asked for while they are read. most: of them, None for all."""
        conditions: dict[str, Value] = {
            "sender": sender,
            "recipient": recipient,
            "domain": domain,
            "subject": subject,
            "text": text,
            "reason": reason,
            "state": state,
            "symbol": symbol,
            "virus": virus,
            "since": since,
            "until": until,
            "score_from": score_from,
            "score_to": score_to,
            "pinned": pinned,
            "seen": seen,
            "sort": sort,
        }
        return islice(self._pages("/api/messages", "messages", conditions), most)

    def search(self, q: str, *, most: int | None = None) -> Iterator[dict[str, Any]]:
        """The one search over kept mail and the history, newest first."""
        return islice(self._pages("/api/search", "messages", {"q": q}), most)

    def message(self, id: str) -> dict[str, Any]:
        """All that is known of a kept message; it counts as viewed."""
        return cast(dict[str, Any], self._api.get(f"/api/messages/{part(id)}"))

    def raw(self, id: str) -> bytes:
        """The message, octet by octet."""
        return self._api.octets(f"/api/messages/{part(id)}/raw")

    def removed_part(self, id: str, number: int) -> bytes:
        """The N-th part that was removed, from 1, as it stood in the message."""
        return self._api.octets(f"/api/messages/{part(id)}/parts/{number}")

    def release(
        self,
        ids: Sequence[str],
        *,
        to: Sequence[str] = (),
        note: str = "",
        attached: bool = False,
        again: bool = False,
        virus: bool = False,
        learn: bool = False,
    ) -> list[rows.ActionRow]:
        """Hand messages to the MTA: to whom they are held for, or `to`."""
        return self._done(
            "/api/messages/release",
            ids,
            to=[*to],
            note=note,
            attached=attached,
            again=again,
            virus=virus,
            learn=learn,
        )

    def learn(self, ids: Sequence[str], kind: str, *, note: str = "") -> list[rows.ActionRow]:
        """Teach the site's model that messages are `spam` or `ham`."""
        return self._done("/api/messages/learn", ids, **{"class": kind, "note": note})

    def list_senders(
        self,
        ids: Sequence[str],
        kind: rows.SenderKind,
        *,
        everybody: bool = False,
        unproven: bool = False,
        off: bool = False,
        note: str = "",
    ) -> list[rows.ActionRow]:
        """Allow or block the senders of messages; off: remove the entries."""
        return self._done(
            "/api/messages/senders",
            ids,
            kind=kind,
            everybody=everybody,
            unproven=unproven,
            off=off,
            note=note,
        )

    def pin(
        self, ids: Sequence[str], *, pinned: bool = True, note: str = ""
    ) -> list[rows.ActionRow]:
        """Keep messages from expiring, or let them."""
        return self._done("/api/messages/pin", ids, pinned=pinned, note=note)

    def delete(
        self, ids: Sequence[str], *, now: bool = False, note: str = ""
    ) -> list[rows.ActionRow]:
        """Delete messages. now: so that they cannot be brought back."""
        return self._done("/api/messages/delete", ids, now=now, note=note)

    def undelete(self, ids: Sequence[str], *, note: str = "") -> list[rows.ActionRow]:
        """Bring deleted messages back."""
        return self._done("/api/messages/undelete", ids, note=note)

    def act(
        self,
        action: rows.SearchAction,
        search: Mapping[str, Any],
        *,
        limit: int = 100,
        dry_run: bool = True,
        note: str = "",
    ) -> rows.ActedRows:
        """Do something with all messages that a search finds; at first only say with which.
        search: conditions, as those of `messages`."""
        found = self._api.post(
            "/api/messages/act",
            action=action,
            search=search,
            limit=limit,
            dry_run=dry_run,
            note=note,
        )
        return cast(rows.ActedRows, found)

    def rescan(self, id: str) -> dict[str, Any]:
        """What today's chain says of a kept message; nothing changes."""
        return cast(dict[str, Any], self._api.post(f"/api/messages/{part(id)}/rescan"))

    def scan(
        self, data: bytes, *, sender: str = "", recipients: Sequence[str] = (), client: str = ""
    ) -> dict[str, Any]:
        """What a message would get if it came now; nothing is stored."""
        found = self._api.send(
            "/api/scan",
            data,
            "message/rfc822",
            sender=sender,
            recipient=[*recipients],
            client=client,
        )
        return cast(dict[str, Any], found)

    def history(
        self,
        *,
        sender: str = "",
        recipient: str = "",
        domain: str = "",
        text: str = "",
        action: str = "",
        symbol: str = "",
        failed: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        most: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Every message of the last days that fits all conditions, newest first."""
        conditions: dict[str, Value] = {
            "sender": sender,
            "recipient": recipient,
            "domain": domain,
            "text": text,
            "action": action,
            "symbol": symbol,
            "failed": failed,
            "since": since,
            "until": until,
        }
        return islice(self._pages("/api/history", "messages", conditions), most)

    def record(self, id: str) -> dict[str, Any]:
        """The record of one message, kept or not, and its timeline."""
        return cast(dict[str, Any], self._api.get(f"/api/history/{part(id)}"))

    def _done(self, path: str, ids: Sequence[str], **members: Any) -> list[rows.ActionRow]:
        found = self._api.post(path, ids=[*ids], **members)
        return cast(list[rows.ActionRow], found["results"])
