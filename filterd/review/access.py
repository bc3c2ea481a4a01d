"""What one reviewer may see and do: the only place where limits are enforced.

Pages and REST interface reach kept mail through an `Access` and never past it. What a reviewer may
not see does not exist for it (UnknownIdError); what it may see but not do is refused in words, by
the table in `filterd.review.rights`.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from filterd.quarantine import Entry, GoneError, StoreError, UnknownIdError
from filterd.quarantine.journal import Delivery, DeliveryState, Event, delivery_state_of
from filterd.review.actions import ActionError, ActionRequest, ActionResult, ReviewActions
from filterd.review.rights import (
    ACTIONS,
    BULK,
    NOT_KEPT,
    OWN_SCANS_ONLY,
    ReviewAction,
    Right,
    own_recipients,
    recipients_of,
    refusal,
    role_refusal,
)
from filterd.review.seen import as_seen, has_symbol
from filterd.system.display import all_without_folders, without_folders

if TYPE_CHECKING:
    from filterd.chain.report import ScanReport
    from filterd.message import Envelope
    from filterd.quarantine.index import Index, Page, Row
    from filterd.quarantine.query import Query
    from filterd.review.reviewer import Reviewer

log = logging.getLogger(__name__)

Source = Literal["web", "api", "digest"]

ID_SHOWN = 64
"""Characters of an unknown id that an error repeats; ids are shorter."""


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message as one reviewer sees it. delivery_state: of the whole message; deliveries and
    events: those that it may see."""

    entry: Entry
    delivery_state: DeliveryState
    deliveries: tuple[Delivery, ...]
    events: tuple[Event, ...]


class Access:
    """Kept mail as one reviewer may see it. source: where the request came from, for the
    journal."""

    def __init__(self, actions: ReviewActions, reviewer: Reviewer, source: Source) -> None:
        self.reviewer = reviewer
        self._actions = actions
        self._store = actions.store
        self._source = source

    @property
    def who(self) -> str:
        """The name in the journal: `web:ann`."""
        return f"{self._source}:{self.reviewer.name}"

    def search(self, query: Query) -> Page:
        """One page of matching messages that may be seen; there may be fewer on it than match.
        Raises QueryError, StoreError."""
        self._refuse_order(query.sort)
        limited = self._limited(query)
        page = self._store.index.search(limited)
        rows = (self._seen(row, query) for row in page.rows)
        return dataclasses.replace(page, rows=tuple(filter(None, rows)))

    def place(self, id: str, sort: str) -> str:
        """`Query.after` for what comes behind a message in a list; empty if the index does not have
        it. Raises as `entry` does, QueryError."""
        self._refuse_order(sort)
        self.entry(id)
        return self._store.index.place(id, sort)

    def may_sort(self, name: str) -> bool:
        """True if the reviewer may sort a list by that: the order by points would tell what was
        found about others alone."""
        return self.reviewer.sees_all or name.removeprefix("-") != "score"

    def _refuse_order(self, sort: str) -> None:
        if not self.may_sort(sort):
            from filterd.quarantine.query import QueryError  # noqa: PLC0415  (loads the database)

            raise QueryError("sort: only an admin may sort by points")

    def count(self, query: Query) -> int | None:
        """How many messages match that may be seen, up to `COUNT_LIMIT` + 1. None where the number
        would tell a reviewer what was found about others alone. Raises QueryError, StoreError."""
        asks_points = query.score_from is not None or query.score_to is not None
        if not self.reviewer.sees_all and (query.symbol or asks_points):
            return None
        return self._store.index.count(self._limited(query))

    def _limited(self, query: Query) -> Query:
        return dataclasses.replace(
            query, visible=self.reviewer.visible, reviewer=self.reviewer.name
        )

    def _seen(self, row: Row, query: Query) -> Row | None:
        """The row as `as_seen` has the message; None if that does not match any more."""
        if len(self.reviewer.within(row.recipients)) == len(row.recipients):
            return row
        try:
            entry = self.entry(row.id)
            symbols, score = entry.symbols, entry.score
        except (UnknownIdError, StoreError):
            # Deleted meanwhile, or damaged: nobody knows whose these points are.
            symbols, score = (), 0.0
        low, high = query.score_from, query.score_to
        if (
            (query.symbol and not has_symbol(symbols, query.symbol))
            or (low is not None and score < low)
            or (high is not None and score > high)
        ):
            return None
        names = tuple(one.name for one in symbols)
        return dataclasses.replace(row, symbols=names, score=score)

    def seen(self, row: Row) -> Row:
        """A row with points and symbols as the reviewer may know them."""
        from filterd.quarantine.query import Query  # noqa: PLC0415  (loads the database)

        found = self._seen(row, Query())
        assert found is not None
        return found

    @property
    def index(self) -> Index:
        """The table of what is kept, whose rows are nobody's until `seen` has them."""
        return self._store.index

    def entry(self, id: str) -> Entry:
        """A message that is kept, or of which there is a copy. Raises UnknownIdError also for what
        is hidden, StoreError."""
        # One answer for what is hidden and what does not exist; the store's names its folder.
        unknown = UnknownIdError(f"no message {id[:ID_SHOWN]} in the quarantine")
        # Users see what is held for them, and no more.
        find = self._store.get if self.reviewer.role == "user" else self._actions.entry
        try:
            entry = find(id)
        except (ValueError, UnknownIdError):
            raise unknown from None
        if not self.reviewer.may_see(recipients_of(entry)):
            raise unknown
        return as_seen(entry, self.reviewer)

    def permitted(self, entry: Entry) -> frozenset[str]:
        """The names of all actions that the reviewer may do with this message."""
        is_copy = bool(self.copy_until(entry))
        return frozenset(
            name
            for name, one in ACTIONS.items()
            if not (is_copy and not one.of_copies) and not refusal(self.reviewer, one, entry)
        )

    def refusal(self, name: str, entry: Entry) -> str:
        """Why the reviewer may not do that with this message; empty if it may."""
        return self._refusal(ACTIONS[name], entry)

    def _refusal(
        self, action: ReviewAction, entry: Entry, request: ActionRequest | None = None
    ) -> str:
        if not action.of_copies and self.copy_until(entry):
            return NOT_KEPT
        return refusal(self.reviewer, action, entry, request)

    def copy_until(self, entry: Entry) -> float:
        """When the copy of a message that is not kept goes at the latest, in seconds since 1970; 0
        for one that is kept."""
        return self._actions.copy_until(entry)

    def require(self, name: str) -> None:
        """Raises ActionError for an action about no single message that the role may not do."""
        if why := role_refusal(self.reviewer, ACTIONS[name]):
            raise ActionError(why)

    def perform(
        self, name: str, ids: Sequence[str], request: ActionRequest | None = None
    ) -> list[ActionResult]:
        """Do one of `BULK` with messages, in the reviewer's name; the trouble of one message does
        not stop the others. One result for each id, in their order."""
        action = BULK[name]
        request = dataclasses.replace(request or ActionRequest(), who=self.who, source=self._source)
        results: dict[str, ActionResult] = {}
        allowed: dict[str, ActionRequest] = {}
        wanted = list(dict.fromkeys(ids))
        for id in wanted:
            try:
                allowed[id] = self._permitted_request(action, id, request)
            except (ActionError, UnknownIdError, StoreError) as error:
                results[id] = _refused(id, error)
        groups = [list(allowed)] if action.together else [[id] for id in allowed]
        for group in filter(None, groups):
            for one in self._run(action, group, allowed[group[0]]):
                results[one.id] = one
        return [results[id] for id in wanted]

    def would(
        self, name: str, ids: Sequence[str], request: ActionRequest | None = None
    ) -> list[ActionResult]:
        """Which of the messages the reviewer may do that with, and why not the others; nothing is
        done. Raises KeyError for what is not in `BULK`."""
        action, request = BULK[name], request or ActionRequest()
        results = []
        for id in dict.fromkeys(ids):
            try:
                self._permitted_request(action, id, request)
            except (ActionError, UnknownIdError, StoreError) as error:
                results.append(_refused(id, error))
            else:
                results.append(ActionResult(id, True, "permitted; nothing was done"))
        return results

    def _permitted_request(
        self, action: ReviewAction, id: str, request: ActionRequest
    ) -> ActionRequest:
        """The request as it is carried out for this message. Raises ActionError if the reviewer
        may not do that, and as `entry` does."""
        entry = self.entry(id)
        if why := self._refusal(action, entry, request):
            raise ActionError(why)
        if action.right is Right.OWN and not request.recipients:
            # Of an admin all.
            own = own_recipients(self.reviewer, entry)
            request = dataclasses.replace(request, recipients=own)
        return request

    def _run(
        self, action: ReviewAction, ids: Sequence[str], request: ActionRequest
    ) -> list[ActionResult]:
        assert action.run is not None
        try:
            results = action.run(self._actions, ids, request)
        except (ActionError, UnknownIdError, GoneError, StoreError) as error:
            return [_refused(id, error) for id in ids]
        return [one if one.ok else _told_afar(one) for one in results]

    def data(self, id: str) -> bytes:
        """The exact bytes, to be looked at. Raises as `Store.read` does."""
        self.entry(id)
        return self._actions.data(id)

    def download(self, id: str, number: int = 0) -> bytes:
        """The exact bytes, or those of a removed part (from 1), to be taken away. Raises as
        `ReviewActions.download` does, and ActionError for what only admins may have."""
        if why := self.refusal("download-part" if number else "download", self.entry(id)):
            raise ActionError(why)
        return self._actions.download(id, ActionRequest(self.who), number)

    def undelete_until(self, ids: Collection[str]) -> dict[str, float]:
        """Which of these messages can be brought back, and until when. Raises as
        `Store.undelete_until`."""
        return self._store.undelete_until(ids)

    def viewed(self, id: str) -> None:
        """Put into the journal that the message was looked at, and mark it as seen. Raises
        StoreError."""
        self._store.note("viewed", id, self.who)
        if self._store.files.find(id) is None:
            return  # a copy, which is in no list
        try:
            self._store.index.saw(id, self.reviewer.name)
        except StoreError as error:
            # The message can be looked at without the index.
            log.warning("id=%s is not marked as seen: %s", id, error)

    def seen_ids(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of these messages that the reviewer has seen. Raises StoreError."""
        return self._store.index.seen(ids, self.reviewer.name)

    def look(self, id: str) -> MessageView:
        """A message, the state of its copies and what was done with it, by one reading of the
        journal; nothing of other people's recipients. Raises as `entry` does."""
        entry = self.entry(id)
        events = tuple(self._store.journal.events(id))
        delivery_state = delivery_state_of(entry.held_for, events, entry.received.timestamp())
        copies = tuple(d for d in delivery_state.deliveries if self.reviewer.within([d.recipient]))
        return MessageView(entry, delivery_state, copies, tuple(filter(self._shows, events)))

    def events(self, id: str) -> tuple[Event, ...]:
        """What was done with a message that the reviewer may see, whether it is kept or not.
        Raises StoreError."""
        return tuple(filter(self._shows, self._store.journal.events(id)))

    def audit(self) -> Iterator[Event]:
        """All that was done, oldest first; a reviewer sees its own actions. Raises StoreError."""
        return self._own(self._store.journal.events())

    def newest(self, word: str = "") -> Iterator[Event]:
        """The same, newest first; with a word, those whose line in the journal has it."""
        return self._own(self._store.journal.newest(word))

    def rescan(self, id: str) -> ScanReport:
        """Scan a kept message with the chain as it is. Raises as `ReviewActions.rescan`."""
        if why := self.refusal("rescan", self.entry(id)):
            raise ActionError(why)
        return as_seen(self._actions.rescan(id), self.reviewer)

    def scan(self, data: bytes, envelope: Envelope) -> ScanReport:
        """What a message would get now; a reviewer asks for its own recipients. Raises
        ActionError."""
        addresses = [one.address for one in envelope.recipients]
        if len(self.reviewer.within(addresses)) < len(addresses):
            raise ActionError(OWN_SCANS_ONLY)
        return self._actions.scan(data, envelope)

    def counts(self) -> list[tuple[str, str, int, int]]:
        """Messages and octets by reason and state. Raises ActionError, StoreError."""
        self.require("status")
        return self._store.index.counts()

    @property
    def _names(self) -> set[str]:
        return {f"{source}:{self.reviewer.name}" for source in ("web", "api")}

    def _own(self, events: Iterator[Event]) -> Iterator[Event]:
        if self.reviewer.sees_all:
            return events
        return (event for event in events if event.who in self._names)

    def _shows(self, event: Event) -> bool:
        if event.what in ("allowed", "blocked", "unlisted"):
            # The note names the recipient of the list's entry.
            return self.reviewer.sees_all or event.who in self._names
        return not event.recipients or self.reviewer.may_see(event.recipients)


def _refused(id: str, error: Exception) -> ActionResult:
    # An OSError's own text names the file, which is nothing for a browser.
    words = error.strerror if isinstance(error, StoreError) else str(error)
    return ActionResult(id, False, without_folders(words or "the store has failed"))


def _told_afar(result: ActionResult) -> ActionResult:
    words, detail = without_folders(result.words), all_without_folders(result.detail)
    return dataclasses.replace(result, words=words, detail=detail)
