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
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from filterd.quarantine.entry import Entry, EntryError, NewEntry, describe
from filterd.quarantine.files import DESCRIPTION_LIMIT, Files, StoreError, fsync_folder
from filterd.quarantine.journal import Event, Journal, Standing, What, standing
from filterd.quarantine.settings import QuarantineSettings

if TYPE_CHECKING:
    from filterd.quarantine.index import Index

log = logging.getLogger(__name__)

__all__ = ["GoneError", "NewEntry", "Report", "Store", "StoreError", "UnknownIdError"]

STORING_LIMIT = 60.0
"""Seconds after which nobody is still writing the description of a message file."""


class UnknownIdError(LookupError):
    """No message of that id is kept."""


class GoneError(LookupError):
    """The message was deleted or has expired; only its description is left."""


@dataclass(frozen=True, slots=True)
class Report:
    """What `fsck` found. added: ids that were missing in the index; stale: rows without files;
    restated: rows whose state was not the journal's; damaged: files that do not fit their
    description, with the reason."""

    checked: int
    added: tuple[str, ...]
    stale: tuple[str, ...]
    restated: tuple[str, ...]
    damaged: tuple[tuple[str, str], ...]


class Store:
    """The messages kept below one folder. clock: seconds since 1970."""

    def __init__(
        self, settings: QuarantineSettings, clock: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.journal = Journal(settings.folder)
        self._files = Files(settings.folder)

    @cached_property
    def index(self) -> Index:
        """The table of what is kept; its library is loaded when it is first needed."""
        from filterd.quarantine.index import Index  # noqa: PLC0415

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
        message, description = self._files.paths(new.id, new.received)
        if description.exists() and self.get(new.id).digest != entry.digest:
            raise StoreError(0, "another message is kept under this id", str(message))
        self._files.write(message, new.data)
        self._files.write(description, entry.encode())
        try:
            self.index.add(entry, str(message), _standing(entry, []))
        except StoreError as error:
            log.warning(
                "id=%s is kept but not in the index (%s); `filterd quarantine fsck` adds it",
                new.id,
                error,
            )
        return new.id

    def get(self, id: str) -> Entry:
        """What is known of a kept message.

        Raises UnknownIdError, ValueError for what is no id, and StoreError for damaged files.
        """
        return self._read(self._description(id))

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
            raise GoneError(f"the bytes of {id} are no longer kept") from None
        except OSError as error:
            raise StoreError(error.errno or 5, error.strerror or "", str(path)) from error
        if hashlib.sha256(data).hexdigest() != entry.digest:
            raise StoreError(0, "its bytes are not those that were stored", str(path))
        return data

    def part(self, id: str, number: int) -> bytes:
        """The bytes of a removed part, its header included; numbers count from 1.

        Raises as `read` does, and UnknownIdError if there is no such part.
        """
        removed = self.get(id).removed
        if not 1 <= number <= len(removed):
            raise UnknownIdError(f"{id} has {len(removed)} removed parts, no number {number}")
        part = removed[number - 1]
        return self.read(id)[part.start : part.end]

    def standing(self, id: str) -> Standing:
        """Where a message stands, by the journal. Raises as `get` does."""
        return _standing(self.get(id), list(self.journal.events(id)))

    def note(self, what: What, id: str, who: str, note: str = "") -> None:
        """Write down a deed that changes nothing: viewed, exported, learned. Raises StoreError."""
        self.journal.append(Event(what, id, who, note=note, time=self.clock()))

    def pin(self, id: str, who: str, note: str = "", *, pinned: bool = True) -> None:
        """Keep a message from expiring, or no longer. Raises as `get` does."""
        self.get(id)
        self.note("pinned" if pinned else "unpinned", id, who, note)
        self.index.update(id, self.standing(id))

    def delete(self, id: str, who: str, note: str = "", *, expired: bool = False) -> int:
        """Take a message's bytes away; its description stays until it is forgotten.

        Returns the octets that this frees, 0 if they were gone. Raises as `get` does, and
        StoreError while a release is under way.
        """
        entry, path = self.get(id), self.path(id)
        if any(delivery.state == "releasing" for delivery in self.index.deliveries(id)):
            raise StoreError(0, f"{id} is being released")
        if not path.exists():
            return 0
        self.note("expired" if expired else "deleted", id, who, note)
        try:
            path.unlink(missing_ok=True)
            fsync_folder(path.parent)
        except OSError as error:
            raise StoreError(error.errno or 5, error.strerror or "", str(path)) from error
        self.index.update(id, self.standing(id))
        return entry.size

    def forget(self, before: float) -> int:
        """Remove the descriptions of messages whose bytes are gone and that came before then; the
        journal stays. Returns how many. Raises StoreError."""
        forgotten = []
        events = self._events_by_id()
        for day in self._files.days():
            for description in day.glob("*.json"):
                if description.with_suffix(".eml").exists():
                    continue
                entry = self._read(description)
                stands = _standing(entry, events[entry.id])
                if entry.received.timestamp() < before and stands.gone:
                    description.unlink(missing_ok=True)
                    forgotten.append(entry.id)
            with contextlib.suppress(OSError):
                day.rmdir()
        if forgotten:
            self.index.remove(forgotten)
        return len(forgotten)

    def _sweep(self, day: Path) -> None:
        """Remove what killed writers left half written: files that never got their name."""
        for path in day.glob(".*"):
            if self._is_old(path):
                path.unlink(missing_ok=True)

    def _is_old(self, path: Path) -> bool:
        """False for what may be in the middle of being stored."""
        try:
            return self.clock() - path.stat().st_mtime > STORING_LIMIT
        except FileNotFoundError:
            return False

    def _events_by_id(self) -> defaultdict[str, list[Event]]:
        found: defaultdict[str, list[Event]] = defaultdict(list)
        for event in self.journal.events():
            found[event.id].append(event)
        return found

    def _description(self, id: str) -> Path:
        found = self._files.find(id)
        if found is None:
            raise UnknownIdError(f"no message {id} is in the quarantine {self.settings.folder}")
        return found

    def _read(self, path: Path) -> Entry:
        try:
            with path.open("rb") as file:
                return Entry.decode(file.read(DESCRIPTION_LIMIT))
        except (OSError, EntryError) as error:
            raise StoreError(0, f"cannot be read: {error}", str(path)) from error

    def fsck(self, *, repair: bool = True) -> Report:
        """Compare files, journal and index; with `repair`, make the index agree with the others.

        Raises StoreError.
        """
        known = self.index.states()
        events = self._events_by_id()
        seen: set[str] = set()
        added, restated, damaged = [], [], []
        for day in self._files.days():
            for description in sorted(day.glob("*.json")):
                id, message = description.stem, description.with_suffix(".eml")
                seen.add(id)
                try:
                    entry = self._read(description)
                except StoreError as error:
                    damaged.append((id, str(error)))
                    continue
                stands = _standing(entry, events[id])
                if not stands.gone and (trouble := _disagreement(entry, message)):
                    damaged.append((id, trouble))
                if id not in known:
                    added.append(id)
                    if repair:
                        self.index.add(entry, str(message), stands)
                elif known[id] != (stands.state, stands.pinned) and known[id][0] != "releasing":
                    # A release that is under way stands in the index first; one that began since
                    # the journal was read is left alone as well.
                    restated.append(id)
                    if repair and (fresh := self.standing(id)).state != "releasing":
                        self.index.update(id, fresh)
            for message in sorted(day.glob("*.eml")):
                if not message.with_suffix(".json").exists() and self._is_old(message):
                    damaged.append((message.stem, "has no description; the client was told 451"))
            if repair:
                self._sweep(day)
        stale = tuple(sorted(known.keys() - seen))
        if repair and stale:
            self.index.remove(stale)
        return Report(len(seen), tuple(added), stale, tuple(restated), tuple(damaged))


def _standing(entry: Entry, events: list[Event]) -> Standing:
    return standing(entry.held_for, events, entry.received.timestamp())


def _disagreement(entry: Entry, path: Path) -> str:
    """What is wrong with a message file, empty if it is as described."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"{path}: {error.strerror}"
    return "" if digest == entry.digest else f"{path}: its bytes are not those that were stored"
