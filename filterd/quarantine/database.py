"""The index's database, its errors as the store's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filterd.database.engine import BrokenDatabaseError, Database, DatabaseError, database
from filterd.quarantine.files import StoreError
from filterd.quarantine.schema import SCHEMA


class BrokenIndexError(StoreError):
    """What is in the database cannot be used and has to be rebuilt from files and journal.
    is_newer: a newer version of filterd made it, perhaps on another host."""

    def __init__(self, cause: str, *, is_newer: bool = False) -> None:
        self.cause, self.is_newer = cause, is_newer
        option = " --rebuild" if is_newer else ""
        super().__init__(
            0,
            f"quarantine index: {cause}; `filterd quarantine fsck{option}` sets it aside and "
            "rebuilds it from the files",
        )


def index_database(url: str, folder: Path) -> Database:
    """This process's way to the index; an empty URL is the SQLite file in the folder.

    Raises StoreError.
    """
    with store_errors():
        return database(url, folder / "index.sqlite", SCHEMA)


@contextmanager
def store_errors() -> Iterator[None]:
    """Errors of the database as StoreError, BrokenIndexError."""
    try:
        yield
    except BrokenDatabaseError as error:
        raise BrokenIndexError(error.cause, is_newer=error.is_newer) from error
    except DatabaseError as error:
        raise StoreError(
            error.errno, f"quarantine index: {error.cause}", error.path or None
        ) from error
