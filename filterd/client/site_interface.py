"""The operations about the site: lists, greylisting, rates, figures, reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Any, Self, cast

from filterd.client import rows
from filterd.client.connection import ApiConnection, Value

PAGE = 200
"""Lines and messages that are asked for at a time."""


class SiteInterface:
    """See `FilterdClient`, which has these as well."""

    def __init__(self, connection: ApiConnection) -> None:
        self._api = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens it again."""
        self._api.close()

    def senders(self, text: str = "", *, most: int | None = None) -> Iterator[rows.SenderRow]:
        """Allowed and blocked senders. text: a part."""
        return islice(self._pages("/api/senders", "entries", {"text": text}), most)

    def sender_meaning(self, sender: str) -> rows.SenderMeaningRow:
        """What to list for a sender that BATV, SRS or VERP made for one message."""
        return cast(rows.SenderMeaningRow, self._api.get("/api/senders/meaning", sender=sender))

    def add_sender(
        self,
        kind: rows.SenderKind,
        sender: str,
        *,
        recipient: str = "",
        proven: bool | None = None,
        note: str = "",
    ) -> rows.SenderChangeRow:
        """Allow or block a sender; without `recipient` for everybody."""
        found = self._api.post(
            "/api/senders/add",
            kind=kind,
            sender=sender,
            recipient=recipient,
            proven=proven,
            note=note,
        )
        return cast(rows.SenderChangeRow, found)

    def remove_sender(
        self, kind: rows.SenderKind, sender: str, *, recipient: str = "", note: str = ""
    ) -> rows.SenderChangeRow:
        """Remove an entry."""
        found = self._api.post(
            "/api/senders/remove", kind=kind, sender=sender, recipient=recipient, note=note
        )
        return cast(rows.SenderChangeRow, found)

    def greylist(self, text: str = "", *, most: int = 1000) -> list[dict[str, Any]]:
        """Mail that waits to be sent again."""
        found = self._api.get("/api/greylist", text=text, limit=most)
        return cast(list[dict[str, Any]], found["waiting"])

    def let_in(self, ids: Sequence[str]) -> list[rows.ActionRow]:
        """Let mail that waits in when it is next sent."""
        found = self._api.post("/api/greylist/allow", ids=[*ids])
        return cast(list[rows.ActionRow], found["results"])

    def lists(self) -> list[dict[str, Any]]:
        """The local lists; for admins."""
        return cast(list[dict[str, Any]], self._api.get("/api/lists")["lists"])

    def list_lines(
        self, name: str, text: str = "", *, most: int | None = None
    ) -> Iterator[rows.ListLineRow]:
        """The lines of a local list. text: a part."""
        wanted: dict[str, Value] = {"name": name, "text": text}
        return islice(self._pages("/api/lists/entries", "lines", wanted), most)

    def add_entry(self, name: str, entry: str, *, note: str = "") -> rows.ListChangeRow:
        """Add an entry to a local list."""
        found = self._api.post("/api/lists/add", name=name, entry=entry, note=note)
        return cast(rows.ListChangeRow, found)

    def change_entry(
        self, name: str, version: str, line: int, entry: str, *, note: str = ""
    ) -> rows.ListChangeRow:
        """Put an entry in the place of one. version: of the file, as `lists` has it."""
        found = self._api.post(
            "/api/lists/change", name=name, version=version, line=line, entry=entry, note=note
        )
        return cast(rows.ListChangeRow, found)

    def remove_entry(
        self, name: str, version: str, line: int, *, note: str = ""
    ) -> rows.ListChangeRow:
        """Remove an entry of a local list."""
        found = self._api.post(
            "/api/lists/remove", name=name, version=version, line=line, note=note
        )
        return cast(rows.ListChangeRow, found)

    def undo_change(self, name: str, version: str) -> rows.ListChangeRow:
        """Undo the last change of a local list."""
        found = self._api.post("/api/lists/undo", name=name, version=version)
        return cast(rows.ListChangeRow, found)

    def held_senders(self, *, most: int = 1000) -> list[rows.HeldSenderRow]:
        """Whose mail is held for its share of refused messages; for admins."""
        return cast(list[rows.HeldSenderRow], self._api.get("/api/rates", limit=most)["held"])

    def free(self, by: str, party: str) -> bool:
        """Let somebody's mail through again; False if none of it was held."""
        return bool(self._api.post("/api/rates/free", by=by, party=party)["was_held"])

    def audit(
        self,
        *,
        who: str = "",
        what: str = "",
        id: str = "",
        text: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        order: str = "newest",
        skip: int = 0,
        most: int = 100,
    ) -> list[dict[str, Any]]:
        """Who did what."""
        found = self._api.get(
            "/api/audit",
            who=who,
            what=what,
            id=id,
            text=text,
            since=since,
            until=until,
            order=order,
            skip=skip,
            limit=most,
        )
        return cast(list[dict[str, Any]], found["events"])

    def counts(self) -> list[rows.CountRow]:
        """Kept messages and octets by reason and state; for admins."""
        return cast(list[rows.CountRow], self._api.get("/api/stats")["counts"])

    def flow(
        self, since: datetime | None = None, until: datetime | None = None, step: int = 3600
    ) -> rows.FlowRow:
        """Messages by action over time; for admins. step: seconds."""
        found = self._api.get("/api/stats/flow", since=since, until=until, step=step)
        return cast(rows.FlowRow, found)

    def status(self) -> dict[str, Any]:
        """The state of filterd; for admins."""
        return cast(dict[str, Any], self._api.get("/api/status"))

    def trace(self, rules: str, addresses: Sequence[str], **wish: Any) -> dict[str, Any]:
        """What rules of sendmail make of addresses; for admins. wish: mc, sender, header, mailer,
        host, files."""
        found = self._api.post("/api/trace", rules=rules, addresses=[*addresses], **wish)
        return cast(dict[str, Any], found)

    def dmarc(self) -> dict[str, Any]:
        """What DMARC reports of others say; for admins."""
        return cast(dict[str, Any], self._api.get("/api/dmarc"))

    def read_dmarc(self, report: bytes) -> dict[str, Any]:
        """The same of one report: XML, gzip, zip, or a message with one."""
        found = self._api.send("/api/dmarc", report, "application/octet-stream")
        return cast(dict[str, Any], found)

    def is_alive(self) -> bool:
        """Whether the process of the pages serves requests; needs no token."""
        return bool(self._api.get("/healthz")["status"] == "ok")

    def ready(self) -> rows.ReadyRow:
        """Whether mail can be filtered now, and what works; needs no token."""
        return cast(rows.ReadyRow, self._api.ready("/readyz"))

    def _pages(self, path: str, name: str, conditions: Mapping[str, Value]) -> Iterator[Any]:
        """Everything of a list, page after page."""
        after: Value = None
        while True:
            page = self._api.get(path, **conditions, limit=PAGE, after=after)
            yield from page[name]
            # A page may be empty and not the last.
            if not (after := page["next"]):
                return
