"""The store: put a message on disk so that nothing loses it, and find it again.

`put` returns only when message and description are on disk and fsynced. The row of the index comes
last; if that fails the message is kept all the same, the log says so, and `fsck` adds the row.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from filterd.message import Message
from filterd.quarantine.entry import Entry, EntryError, NewEntry
from filterd.quarantine.files import DESCRIPTION_LIMIT, Files, StoreError
from filterd.quarantine.settings import QuarantineSettings

if TYPE_CHECKING:
    from filterd.quarantine.index import Index

log = logging.getLogger(__name__)

__all__ = ["NewEntry", "Report", "Store", "StoreError", "UnknownIdError"]

SUBJECT_LIMIT = 1000
"""Characters of Subject and From that the description repeats; the whole is in the message."""


class UnknownIdError(LookupError):
    """No message of that id is kept."""


@dataclass(frozen=True, slots=True)
class Report:
    """What `fsck` found. added: ids that were missing in the index; stale: rows without files;
    damaged: files that do not fit their description, with the reason."""

    checked: int
    added: tuple[str, ...]
    stale: tuple[str, ...]
    damaged: tuple[tuple[str, str], ...]


class Store:
    """The messages kept below one folder."""

    def __init__(self, settings: QuarantineSettings) -> None:
        self._settings = settings
        self._files = Files(settings.folder)

    @cached_property
    def index(self) -> Index:
        """The table of what is kept; its library is loaded when it is first needed."""
        from filterd.quarantine.index import Index  # noqa: PLC0415

        return Index(self._settings.database, self._settings.folder)

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
            self.index.add(entry, str(message))
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

    def _description(self, id: str) -> Path:
        found = self._files.find(id)
        if found is None:
            raise UnknownIdError(f"no message {id} is in the quarantine {self._settings.folder}")
        return found

    def _read(self, path: Path) -> Entry:
        try:
            with path.open("rb") as file:
                return Entry.decode(file.read(DESCRIPTION_LIMIT))
        except (OSError, EntryError) as error:
            raise StoreError(0, f"cannot be read: {error}", str(path)) from error

    def fsck(self, *, repair: bool = True) -> Report:
        """Compare files and index; with `repair`, make the index agree with the files."""
        known = self.index.ids()
        seen: set[str] = set()
        added, damaged = [], []
        for day in self._files.days():
            for description in sorted(day.glob("*.json")):
                id = description.stem
                seen.add(id)
                try:
                    entry = self._read(description)
                    if trouble := _disagreement(entry, description.with_suffix(".eml")):
                        damaged.append((id, trouble))
                except StoreError as error:
                    damaged.append((id, str(error)))
                    continue
                if id not in known:
                    added.append(id)
                    if repair:
                        self.index.add(entry, str(description.with_suffix(".eml")))
            for message in sorted(day.glob("*.eml")):
                if not message.with_suffix(".json").exists():
                    damaged.append((message.stem, "has no description; the client was told 451"))
        stale = tuple(sorted(known - seen))
        if repair and stale:
            self.index.remove(stale)
        return Report(len(seen), tuple(added), stale, tuple(damaged))


def describe(new: NewEntry) -> Entry:
    """The description of a message that is to be kept."""
    message = Message(bytes(new.data), new.envelope, new.id)
    envelope = new.envelope
    return Entry(
        id=new.id,
        received=new.received,
        size=len(new.data),
        digest=hashlib.sha256(new.data).hexdigest(),
        sender=envelope.sender,
        recipients=tuple(r.address for r in envelope.recipients),
        held_for=new.held_for,
        client_name=envelope.client.name,
        client_address=envelope.client.address,
        helo=envelope.client.helo,
        queue_id=envelope.queue_id,
        message_id=message.get("Message-ID")[:SUBJECT_LIMIT],
        subject=message.get("Subject")[:SUBJECT_LIMIT],
        header_from=message.get("From")[:SUBJECT_LIMIT],
        reason=new.reason,
        action=new.action,
        score=new.score,
        required=new.required,
        symbols=new.symbols,
        virus=new.virus,
        removed=new.removed,
        macros=dict(envelope.macros),
    )


def _disagreement(entry: Entry, path: Path) -> str:
    """What is wrong with a message file, empty if it is as described."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"{path}: {error.strerror}"
    return "" if digest == entry.digest else f"{path}: its bytes are not those that were stored"
