"""What one reviewer may see and do: the only place where limits are enforced.

Pages and REST interface reach the desk through an `Access` and never past it. What a reviewer may
not see does not exist for it (UnknownIdError); what it may see but not do is refused in words.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from filterd.quarantine import Entry, GoneError, StoreError, UnknownIdError
from filterd.quarantine.entry import for_admins_only
from filterd.quarantine.journal import Delivery, Event, Standing, standing
from filterd.review.actions import Desk, DeskError, Done

if TYPE_CHECKING:
    from filterd.message import Envelope
    from filterd.quarantine.index import Page
    from filterd.quarantine.query import Query
    from filterd.review.reviewer import Reviewer
    from filterd.workers.sandbox import Examined

Source = Literal["web", "api"]

NOT_ALONE = "it also concerns recipients who are not yours; ask an admin"
ADMIN_ONLY = "only an admin may do that"


@dataclass(frozen=True, slots=True)
class Look:
    """One message as one reviewer has it. standing: of the whole message; deliveries and events:
    those that it may see."""

    entry: Entry
    standing: Standing
    deliveries: tuple[Delivery, ...]
    events: tuple[Event, ...]


class Access:
    """The desk as one reviewer has it. source: by which door it came, for the journal."""

    def __init__(self, desk: Desk, reviewer: Reviewer, source: Source) -> None:
        self.reviewer = reviewer
        self._desk = desk
        self._source = source

    @property
    def who(self) -> str:
        """The name in the journal: `web:ann`."""
        return f"{self._source}:{self.reviewer.name}"

    def search(self, query: Query) -> Page:
        """One page of what fits and may be seen. Raises QueryError, StoreError."""
        limited = dataclasses.replace(query, visible=self.reviewer.visible)
        return self._desk.store.index.search(limited)

    def entry(self, id: str) -> Entry:
        """A kept message. Raises UnknownIdError also for what is hidden, StoreError."""
        try:
            entry = self._desk.store.get(id)
        except ValueError:
            raise UnknownIdError(f"{id[:40]!r} is no id") from None
        if not self.reviewer.may_see(recipients_of(entry)):
            raise UnknownIdError(f"no message {id} is in the quarantine")
        return entry

    def data(self, id: str) -> bytes:
        """The exact bytes, to be looked at. Raises as `Store.read` does."""
        self.entry(id)
        return self._desk.store.read(id)

    def download(self, id: str, number: int = 0) -> bytes:
        """The exact bytes, or those of a removed part (from 1), to be taken away; the journal says
        so first. Raises as `Store.part` does, and DeskError for a virus."""
        entry = self.entry(id)
        if (entry.virus or number) and not self.reviewer.is_admin:
            raise DeskError(ADMIN_ONLY)
        store = self._desk.store
        data = store.part(id, number) if number else store.read(id)
        store.note("exported", id, self.who, f"part {number}" if number else "")
        return data

    def viewed(self, id: str) -> None:
        """Put into the journal that the message was looked at. Raises StoreError."""
        self._desk.store.note("viewed", id, self.who)

    def look(self, id: str) -> Look:
        """A message, how its copies stand and what was done with it, by one reading of the journal;
        of others' recipients nothing. Raises as `entry` does."""
        entry = self.entry(id)
        events = tuple(self._desk.store.journal.events(id))
        stands = standing(entry.held_for, events, entry.received.timestamp())
        copies = tuple(d for d in stands.deliveries if self.reviewer.within([d.recipient]))
        return Look(entry, stands, copies, tuple(filter(self._shows, events)))

    def deliveries(self, id: str) -> tuple[Delivery, ...]:
        """How the copies of its recipients stand. Raises as `entry` does."""
        return self.look(id).deliveries

    def events(self, id: str) -> tuple[Event, ...]:
        """What was done with a message, oldest first; of others' recipients nothing."""
        return self.look(id).events

    def audit(self) -> Iterator[Event]:
        """Every deed, oldest first; a reviewer has its own ones. Raises StoreError."""
        return self._own(self._desk.store.journal.events())

    def newest(self, word: str = "") -> Iterator[Event]:
        """The same, newest first; with a word, those whose line in the journal has it."""
        return self._own(self._desk.store.journal.newest(word))

    def _own(self, events: Iterator[Event]) -> Iterator[Event]:
        if self.reviewer.is_admin:
            return events
        return (event for event in events if event.who in self._names)

    def release(
        self,
        ids: Sequence[str],
        to: Sequence[str] = (),
        *,
        note: str = "",
        attached: bool = False,
        again: bool = False,
        virus: bool = False,
    ) -> list[Done]:
        """Release to its recipients, or to `to`; a reviewer only to its own."""

        def one(id: str) -> list[Done]:
            entry = self.entry(id)
            chosen = tuple(to)
            if not self.reviewer.is_admin:
                if virus or entry.virus:
                    raise DeskError(ADMIN_ONLY)
                if why := for_admins_only(entry):
                    raise DeskError(f"{ADMIN_ONLY}: {why}")
                if set(chosen) - set(self.reviewer.within(chosen)):
                    raise DeskError("you may release to your own recipients only")
                chosen = chosen or self.reviewer.within(entry.held_for or entry.recipients)
                if not chosen:
                    raise DeskError(NOT_ALONE)
            return self._desk.release(
                [id], chosen, who=self.who, note=note, attached=attached, again=again, virus=virus
            )

        return self._each(ids, one)

    def release_and_learn(self, ids: Sequence[str], *, note: str = "") -> list[Done]:
        """Release to all recipients, and learn as ham."""
        allowed, refused = self._allowed(ids, self._decides, unsafe=False)
        done = self._each(
            allowed,
            lambda id: self._desk.release_and_learn(
                [id], who=self.who, source=self._source, note=note
            ),
        )
        return done + refused

    def learn(self, ids: Sequence[str], *, spam: bool, note: str = "") -> list[Done]:
        """Teach the site's model."""
        allowed, refused = self._allowed(ids, self.reviewer.may_see)
        if not allowed:
            return refused
        try:
            # All with one opening of the model.
            done = self._desk.learn(
                allowed, spam=spam, who=self.who, source=self._source, note=note
            )
        except (DeskError, UnknownIdError, GoneError, StoreError) as error:
            done = [_refusal(id, error) for id in allowed]
        return done + refused

    def list_senders(
        self,
        kind: Literal["allow", "block"],
        ids: Sequence[str],
        *,
        everybody: bool = False,
        off: bool = False,
        note: str = "",
    ) -> list[Done]:
        """Allow or block the senders, for everybody or for the messages' recipients; a reviewer
        only for its own."""

        def one(id: str) -> list[Done]:
            entry = self.entry(id)
            own: tuple[str, ...] = ()
            if not self.reviewer.is_admin:
                if everybody:
                    raise DeskError(ADMIN_ONLY)
                own = self.reviewer.within(entry.held_for or entry.recipients)
                if not own:
                    raise DeskError(NOT_ALONE)
            return self._desk.list_senders(
                kind, [id], everybody=everybody, off=off, who=self.who, note=note, recipients=own
            )

        return self._each(ids, one)

    def delete(self, ids: Sequence[str], *, note: str = "") -> list[Done]:
        """Delete the bytes; a reviewer only where nobody else's copy goes with them."""
        allowed, refused = self._allowed(ids, self._decides)
        done = self._each(allowed, lambda id: self._desk.delete([id], who=self.who, note=note))
        return done + refused

    def pin(self, ids: Sequence[str], *, note: str = "", pinned: bool = True) -> list[Done]:
        """Keep from expiring, or no longer."""
        allowed, refused = self._allowed(ids, self.reviewer.may_see)
        done = self._each(
            allowed, lambda id: self._desk.pin([id], who=self.who, note=note, pinned=pinned)
        )
        return done + refused

    def rescan(self, id: str) -> Examined:
        """Examine a kept message with the chain as it is. Raises as `Desk.rescan`."""
        self.entry(id)
        return self._desk.rescan(id)

    def scan(self, data: bytes, envelope: Envelope) -> Examined:
        """What a message would get now. Raises DeskError."""
        return self._desk.scan(data, envelope)

    def counts(self) -> list[tuple[str, str, int, int]]:
        """Messages and octets by reason and state; for admins. Raises StoreError."""
        return self._desk.store.index.counts()

    @property
    def _names(self) -> set[str]:
        return {f"{door}:{self.reviewer.name}" for door in ("web", "api")}

    def _decides(self, recipients: Sequence[str]) -> bool:
        return self.reviewer.may_decide(recipients)

    def _shows(self, event: Event) -> bool:
        if event.what in ("allowed", "blocked", "unlisted") and not event.recipients:
            # The note names the recipient of the list's entry.
            return self.reviewer.is_admin or event.who in self._names
        return not event.recipients or self.reviewer.may_see(event.recipients)

    def _allowed(
        self,
        ids: Sequence[str],
        may: Callable[[Sequence[str]], bool],
        *,
        unsafe: bool = True,
    ) -> tuple[list[str], list[Done]]:
        """The ids that the deed may be done to, and a refusal for each of the others."""
        allowed, refused = [], []
        for id in dict.fromkeys(ids):
            try:
                entry = self.entry(id)
            except (UnknownIdError, StoreError) as error:
                refused.append(_refusal(id, error))
                continue
            if not may(recipients_of(entry)):
                refused.append(Done(id, False, NOT_ALONE, {}))
            elif not unsafe and not self.reviewer.is_admin and (why := for_admins_only(entry)):
                refused.append(Done(id, False, f"{ADMIN_ONLY}: {why}", {}))
            else:
                allowed.append(id)
        return allowed, refused

    @staticmethod
    def _each(ids: Sequence[str], deed: Callable[[str], list[Done]]) -> list[Done]:
        """A deed for each; the trouble of one does not stop the others."""
        done: list[Done] = []
        for id in dict.fromkeys(ids):
            try:
                done += deed(id)
            except (DeskError, UnknownIdError, GoneError, StoreError) as error:
                done.append(_refusal(id, error))
        return done


def recipients_of(entry: Entry) -> tuple[str, ...]:
    """All recipients that a message concerns."""
    return tuple(dict.fromkeys((*entry.recipients, *entry.held_for)))


def _refusal(id: str, error: Exception) -> Done:
    # An OSError's own text names the file, which is nothing for a browser.
    words = error.strerror if isinstance(error, StoreError) else str(error)
    return Done(id, False, words or "the store has failed", {})
