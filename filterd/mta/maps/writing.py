"""Map files as they are written: beside the old one, synced, and put in its place.

Whoever reads meanwhile has the old file or the new one. Mode and owner stay as they were.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filterd.mta.maps.bdb_reader import BdbDatabase
from filterd.mta.maps.bdb_writer import Entries, btree_file, hash_file
from filterd.mta.maps.cdb import Cdb, cdb_file
from filterd.system.bounded import open_regular
from filterd.system.durable import sync_folder

MODE = 0o640
"""Of a new file, sendmail's DBMMODE."""

SUFFIXES = {"hash": ".db", "btree": ".db", "cdb": ".cdb"}
"""The ending of a file's name by type."""


def file_name(name: str, type: str) -> str:
    """The name with the ending of its type."""
    suffix = SUFFIXES[type]
    return name if name.endswith(suffix) else name + suffix


def content(entries: Entries, type: str, *, duplicates: bool = False) -> bytes:
    """The octets of a file. Raises OverflowError for what is too large for a cdb file."""
    if type == "hash":
        return hash_file(entries, duplicates=duplicates)
    if type == "btree":
        return btree_file(entries, duplicates=duplicates)
    return cdb_file((key, value) for key, values in entries.items() for value in values)


def entries_of(path: Path, type: str) -> Entries:
    """What is in a file; the caller has its lock. Raises DamagedError, OSError."""
    found: Entries = {}
    with open_regular(path) as file:
        number = file.fileno()
        database = Cdb(number) if type == "cdb" else BdbDatabase(number, is_hash=type == "hash")
        for key, value in database.items():
            found.setdefault(key, []).append(value)
    return found


@contextmanager
def being_written(path: Path) -> Iterator[None]:
    """Hold the lock of the file that is there, so that two do not write it at once."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def put(path: Path, data: bytes, owner: int | None = None) -> None:
    """Write a file in the place of the old one. owner: of a new file, if root writes it (the
    TrustedUser). Raises OSError."""
    # A link stays; what it points to is written.
    path = Path(os.path.realpath(path))
    try:
        old = path.stat()
    except FileNotFoundError:
        old = None
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            # A umask of 027 and the like does not count: the mode is 0640, or the old file's.
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode) if old else MODE)
            if os.geteuid() == 0:
                uid = owner if owner is not None else (old.st_uid if old else -1)
                os.fchown(descriptor, uid, old.st_gid if old else -1)
            elif old is not None:
                with suppress(PermissionError):
                    os.fchown(descriptor, -1, old.st_gid)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
