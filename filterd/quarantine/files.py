"""Message files on disk: `YYYY-MM-DD/ID.eml` with the exact bytes, `ID.json` with the description.
The bytes of what was deleted are `ID.deleted` for as long as they can be brought back.

A file is written under a temporary name, fsynced, renamed, and its folder fsynced: after a crash
there is the whole file or none. The description comes second, so that a description is never there
without its message.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from datetime import datetime
from mmap import mmap
from pathlib import Path
from typing import Self

from filterd.quarantine.entry import Entry, EntryError
from filterd.system.durable import make_folder, write_atomically

DESCRIPTION_LIMIT = 16 << 20
"""Octets of a description file that are read: thousands of recipients and symbols fit."""

ASIDE = ".deleted"
"""Suffix of the bytes of a message that was deleted and can be brought back."""

RECENT_MAIL = "recent-mail"
"""A folder beside those of the days, with copies of mail that is not kept (`filterd.history`)."""

STORING_LIMIT = 60.0
"""Seconds after which nobody is still writing the description of a message file."""

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")


class StoreError(OSError):
    """The quarantine cannot do what it must; the text names the file and the trouble."""

    @classmethod
    def about(cls, path: Path, error: OSError) -> Self:
        """The error of the operating system as one about this file."""
        return cls(error.errno or errno.EIO, error.strerror or str(error), str(path))

    def __str__(self) -> str:
        text = self.strerror or super().__str__()
        return f"{self.filename}: {text}" if self.filename else text


class GoneError(LookupError):
    """The message was deleted or has expired; only its description is left."""


def checked_id(id: str) -> str:
    """The id, if it can be a file's name. Raises ValueError for one that could lead elsewhere."""
    if _ID.fullmatch(id) is None:
        raise ValueError(f"{id!r} is not a quarantine id; an id has only letters, digits, - and _")
    return id


class MessageFiles:
    """The message files below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def paths(self, id: str, received: datetime) -> tuple[Path, Path]:
        """Where message and description of an id that came at that time are."""
        day = self.folder / f"{received:%Y-%m-%d}"
        return day / f"{checked_id(id)}.eml", day / f"{id}.json"

    def find(self, id: str) -> Path | None:
        """The description file of an id, whatever its day; None if there is none."""
        name = f"{checked_id(id)}.json"
        return next((p for d in self.days() if (p := d / name).is_file()), None)

    @staticmethod
    def describe(path: Path) -> Entry:
        """The content of a description file. Raises StoreError."""
        try:
            with path.open("rb") as file:
                return Entry.decode(file.read(DESCRIPTION_LIMIT))
        except (OSError, EntryError) as error:
            raise StoreError(0, f"cannot be read: {error}", str(path)) from error

    def aside(self) -> Iterator[Path]:
        """The bytes of messages that were deleted and can be brought back."""
        for day in self.days():
            yield from day.glob(f"*{ASIDE}")

    def days(self) -> Iterator[Path]:
        """The folders of the days, newest first."""
        if self.folder.is_dir():
            days = (p for p in self.folder.iterdir() if re.fullmatch(r"\d{4}-\d\d-\d\d", p.name))
            yield from sorted(days, reverse=True)

    def write(self, path: Path, content: bytes | memoryview | mmap) -> None:
        """Put a file in place durably. Raises StoreError; then nothing of that name is new."""
        try:
            make_folder(path.parent)
            write_atomically(path, [content])
        except OSError as error:
            raise StoreError.about(path, error) from error
