"""The store: put a message on disk so that nothing loses it, and find it again.

`put` returns only when message and description are on disk and fsynced. The row of the index comes
last; if that fails the message is kept all the same, the log says so, and `fsck` adds the row.
What is done with a kept message later is an event of the journal first, and then a row.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from filterd.quarantine import deletion
from filterd.quarantine.entry import Entry, NewEntry, describe
from filterd.quarantine.files import ASIDE, GoneError, MessageFiles, StoreError
from filterd.quarantine.fsck import FsckReport, fsck
from filterd.quarantine.journal import DeliveryState, Event, Journal, What, delivery_state_of
from filterd.quarantine.settings import QuarantineSettings
from filterd.system.durable import sync_folder

if TYPE_CHECKING:
    from filterd.quarantine.index import Index

log = logging.getLogger(__name__)

__all__ = ["FsckReport", "GoneError", "NewEntry", "Store", "StoreError", "UnknownIdError"]


class UnknownIdError(LookupError):
    """No message of that id is kept."""


class Store:
    """The messages kept below one folder. clock: seconds since 1970."""

    def __init__(
        self, settings: QuarantineSettings, clock: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.journal = Journal(settings.folder)
        self.files = MessageFiles(settings.folder)

    @cached_property
    def index(self) -> Index:
        """The table of what is kept; its library is loaded when it is first needed."""
        from filterd.quarantine.index import Index  # noqa: PLC0415  (loads the database)

        return Index(self.settings.database, self.settings.folder)

    def close(self) -> None:
        """Close the index's connection, if one was opened; it opens again when it is needed."""
        if "index" in self.__dict__:
            self.index.close()

    def put(self, new: NewEntry) -> str:
        """Keep a message; return its id once it is on disk.

        Putting the same message under the same id again changes nothing. Raises StoreError if it
        cannot be written, or if other bytes are already kept under that id.
        """
        entry = describe(new)
        message, description = self.files.paths(new.id, new.received)
        if description.exists() and self.get(new.id).digest != entry.digest:
            raise StoreError(0, "another message is kept under this id", str(message))
        self.files.write(message, new.data)
        self.files.write(description, entry.encode())
        try:
            self.index.add(entry, str(message), _delivery_state(entry, []))
        except StoreError as error:
            log.warning(
                "id=%s is kept but not in the index (%s); `filterd quarantine fsck` adds it",
                new.id,
                error,
            )
        return new.id

    def get(self, id: str) -> Entry:
        """What is known of a kept message.

        Raises UnknownIdError, ValueError for what is not an id, and StoreError for damaged files.
        """
        return self.files.describe(self._description(id))

    def path(self, id: str) -> Path:
        """The file with the exact bytes of a kept message. Raises as `get` does."""
        return self._description(id).with_suffix(".eml")

    def read(self, id: str) -> bytes:
        """The exact bytes of a kept message, their hash checked.

        Raises as `get` does, GoneError if they were deleted, StoreError if they have changed.
        """
        entry, path = self.get(id), self.path(id)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            if path.with_suffix(ASIDE).exists():
                raise GoneError(f"{id} was deleted; it can still be brought back") from None
            raise GoneError(f"the bytes of {id} are no longer kept") from None
        except OSError as error:
            raise StoreError.about(path, error) from error
        if hashlib.sha256(data).hexdigest() != entry.digest:
            raise StoreError(0, "its bytes are not those that were stored", str(path))
        return data

    def part(self, id: str, number: int) -> bytes:
        """The bytes of a removed part, its header included; numbers count from 1.

        Raises as `read` does, and UnknownIdError if there is no such part.
        """
        return removed_part(self.get(id), self.read(id), number)

    def delivery_state(self, id: str) -> DeliveryState:
        """The delivery state of a message, by the journal. Raises as `get` does."""
        return _delivery_state(self.get(id), list(self.journal.events(id)))

    def note(
        self, what: What, id: str, who: str, note: str = "", recipients: tuple[str, ...] = ()
    ) -> None:
        """Record an action that changes nothing: viewed, exported, learned. Raises StoreError."""
        self.journal.append(Event(what, id, who, recipients, note, time=self.clock()))

    def pin(self, id: str, who: str, note: str = "", *, pinned: bool = True) -> None:
        """Keep a message from expiring, or no longer. Raises as `get` does."""
        self.get(id)
        self.note("pinned" if pinned else "unpinned", id, who, note)
        self.index.update(id, self.delivery_state(id))

    def delete(
        self, id: str, who: str, note: str = "", *, at_once: bool = False, expired: bool = False
    ) -> int:
        """Delete a message; its description stays until it is forgotten. Its bytes are set aside
        for `undelete_hours`; with at_once, and of what has expired, they are removed for good.

        Returns how many, 0 if they were deleted before. Raises as `get` does, and StoreError while
        a release is under way.
        """
        return deletion.delete(self, id, who, note, at_once=at_once, expired=expired)

    def undelete(self, id: str, who: str, note: str = "") -> bool:
        """Bring a deleted message back, as it was; False if it was not deleted. Raises as `get`
        does, GoneError if its bytes are removed for good."""
        return deletion.undelete(self, id, who, note)

    def undelete_until(self, ids: Collection[str]) -> dict[str, float]:
        """Which of these messages can be brought back, and until when (seconds since 1970; then
        the next expiry removes their bytes). Raises StoreError."""
        return deletion.undelete_until(self, ids)

    def erase(self, id: str, who: str, note: str = "") -> None:
        """Delete a message with its description: nothing but the journal knows it afterwards. For
        what a test has sent. Raises as `delete` does."""
        description = self._description(id)
        self.delete(id, who, note, at_once=True)
        try:
            description.unlink(missing_ok=True)
            sync_folder(description.parent)
        except OSError as error:
            raise StoreError.about(description, error) from error
        self.index.remove([id])
        with contextlib.suppress(OSError):
            description.parent.rmdir()

    def forget(self, before: float) -> int:
        """Remove the descriptions of messages whose bytes are gone and that came before then; the
        journal stays. Returns how many. Raises StoreError."""
        forgotten = []
        events = self._events_by_id()
        for day in self.files.days():
            for description in day.glob("*.json"):
                if any(description.with_suffix(one).exists() for one in (".eml", ASIDE)):
                    continue
                entry = self.files.describe(description)
                delivery_state = _delivery_state(entry, events[entry.id])
                if entry.received.timestamp() < before and delivery_state.gone:
                    description.unlink(missing_ok=True)
                    forgotten.append(entry.id)
            with contextlib.suppress(OSError):
                day.rmdir()
        if forgotten:
            self.index.remove(forgotten)
        return len(forgotten)

    def _events_by_id(self) -> defaultdict[str, list[Event]]:
        found: defaultdict[str, list[Event]] = defaultdict(list)
        for event in self.journal.events():
            found[event.id].append(event)
        return found

    def _description(self, id: str) -> Path:
        found = self.files.find(id)
        if found is None:
            raise UnknownIdError(f"no message {id} in the quarantine {self.settings.folder}")
        return found

    def fsck(self, *, repair: bool = True, rebuild: bool = False) -> FsckReport:
        """Compare files, journal and index. See `filterd.quarantine.fsck`. Raises StoreError."""
        return fsck(self, repair=repair, rebuild=rebuild)


def removed_part(entry: Entry, data: bytes, number: int) -> bytes:
    """The bytes of a removed part of a message, its header included; numbers count from 1. Raises
    UnknownIdError if there is no such part."""
    if not 1 <= number <= len(entry.removed):
        raise UnknownIdError(
            f"{entry.id} has {len(entry.removed)} removed parts, no number {number}"
        )
    part = entry.removed[number - 1]
    return data[part.start : part.end]


def _delivery_state(entry: Entry, events: list[Event]) -> DeliveryState:
    return delivery_state_of(entry.held_for, events, entry.received.timestamp())
