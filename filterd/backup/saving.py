"""Saving: all parts into one archive, while the daemon goes on.

SQLite files are copied by SQLite itself, which gives one moment of them. The index of the
quarantine comes before its messages: what arrives meanwhile is then a file that the index does not
have, and which `quarantine fsck` adds, as after a crash.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import sqlite3
import stat
import tarfile
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from filterd import __version__
from filterd.backup.manifest import NAME, ArchivedFile, BackupError, Manifest
from filterd.backup.parts import elsewhere, parts
from filterd.config.load import Settings
from filterd.database.sqlite import is_broken
from filterd.quarantine.files import ASIDE, RECENT_MAIL
from filterd.system import privileges
from filterd.system.bounded import open_regular
from filterd.system.durable import sync_folder

COMPRESSION = 3
"""gzip's level: half the time of the usual one, and a few percent larger."""

SQLITE = b"SQLite format 3\0"
BESIDE_SQLITE = ("-wal", "-shm", "-journal")

BUSY_SECONDS = 30.0
"""For which SQLite waits for somebody who writes."""


NAME_OF_ARCHIVE = "filterd-%Y%m%dT%H%M%SZ.tar.gz"
"""How archives in a folder are called, by the time in UTC: in the order in which they were made."""

_NAMED_BY_TIME = re.compile(r"filterd-\d{8}T\d{6}Z\.tar\.gz")


def name_of(now: float) -> str:
    """The name of an archive that is made at that time, seconds since 1970."""
    return datetime.fromtimestamp(now, UTC).strftime(NAME_OF_ARCHIVE)


def thin_out(made: Path, keep: int) -> None:
    """Delete the oldest archives beside the one that was made, until so many are left: those that
    are named by their time. Raises BackupError."""
    folder = made.parent
    try:
        with privileges.as_caller():
            # The new one stays also if the clock was ahead when others got their names.
            others = sorted(
                path
                for path in folder.iterdir()
                if path != made and _NAMED_BY_TIME.fullmatch(path.name)
            )
            for path in others[: max(0, len(others) - keep + 1)]:
                path.unlink()
    except OSError as error:
        raise BackupError(f"{folder}: {error.strerror}") from None


def save(settings: Settings, target: Path) -> Manifest:
    """Write the archive, a new file with mode 0600, as the user who runs the command. Raises
    BackupError; then there is no archive."""
    try:
        with privileges.as_caller():
            handle = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BackupError(f"{target}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            manifest = _written(settings, file)
            file.flush()
            os.fsync(handle)
        with privileges.as_caller():
            sync_folder(target.parent)
    except BaseException as error:
        with privileges.as_caller():
            target.unlink(missing_ok=True)
        if isinstance(error, OSError):
            name = error.filename or target
            raise BackupError(f"{name}: {error.strerror or error}") from None
        raise
    return manifest


def _written(settings: Settings, file: BinaryIO) -> Manifest:
    names: dict[str, str] = {}
    folders, items = [], []
    with (
        tarfile.open(fileobj=file, mode="w:gz", compresslevel=COMPRESSION) as archive,
        tempfile.TemporaryDirectory(prefix="filterd-backup-") as work,
    ):
        for number, part in enumerate(parts(settings), 1):
            if not os.path.lexists(part.path):
                continue
            name = str(number)
            if part.path.is_dir():
                folders.append(name)
                items += list(_folder(archive, part.path, name, Path(work)))
            elif (item := _file(archive, part.path, name, Path(work))) is not None:
                items.append(item)
            else:
                continue  # /dev/null, say
            names[name] = part.key
        manifest = Manifest(
            time.time(),
            __version__,
            names,
            tuple(folders),
            tuple(elsewhere(settings)),
            tuple(items),
        )
        _add(archive, NAME, manifest.encode())
    return manifest


def _folder(
    archive: tarfile.TarFile, folder: Path, name: str, work: Path
) -> Iterator[ArchivedFile]:
    """What is in a folder: its files, the databases first, then what is in its folders."""
    try:
        inside = sorted(folder.iterdir(), key=lambda one: (not _is_sqlite(one), one.name))
    except FileNotFoundError:
        return  # a day of the quarantine that has just expired
    for path in inside:
        inner = f"{name}/{path.name}"
        if path.name == RECENT_MAIL:
            continue  # for some hours, and encrypted so that no archive gives it away
        if path.is_dir() and not path.is_symlink():
            yield from _folder(archive, path, inner, work)
        elif (item := _file(archive, path, inner, work)) is not None:
            yield item


def _file(
    archive: tarfile.TarFile, path: Path, name: str, work: Path, *, is_again: bool = False
) -> ArchivedFile | None:
    """Add one file; None for what is not content (locks, sockets), or has gone meanwhile."""
    if path.name.endswith((".lock", *BESIDE_SQLITE)):
        return None
    try:
        told = path.lstat()
        if stat.S_ISLNK(told.st_mode):
            return _link(archive, path, name)
        if not stat.S_ISREG(told.st_mode):
            return None
        mode = stat.S_IMODE(told.st_mode) & 0o777
        if _is_sqlite(path) and (item := _database(archive, path, name, mode, work)) is not None:
            return item
        with open_regular(path) as file:
            # What is appended from here on is for the next archive.
            return _add_from(archive, name, file, os.fstat(file.fileno()).st_size, mode)
    except FileNotFoundError:
        other = _RENAMED.get(path.suffix)
        if is_again or other is None:
            return None
        # Of a kept message that was deleted, or brought back, since the folder was read.
        again = name.removesuffix(path.suffix) + other
        return _file(archive, path.with_suffix(other), again, work, is_again=True)


_RENAMED = {".eml": ASIDE, ASIDE: ".eml"}


def _link(archive: tarfile.TarFile, path: Path, name: str) -> ArchivedFile | None:
    target = str(path.readlink())
    if "/" in target or target in (".", ".."):
        raise BackupError(f"{path} names {target}, expected a name in the same folder")
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    archive.addfile(info)
    return ArchivedFile(name, 0, 0o777, "", target)


def _database(
    archive: tarfile.TarFile, path: Path, name: str, mode: int, work: Path
) -> ArchivedFile | None:
    """Add what SQLite reads; None for a file that it cannot use, which is saved as it is: one that
    was set aside, say."""
    copy = work / "copy.sqlite"
    try:
        with (
            contextlib.closing(
                sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS)
            ) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        with copy.open("rb") as file:
            return _add_from(archive, name, file, copy.stat().st_size, mode)
    except sqlite3.Error as error:
        path.lstat()  # It may have gone meanwhile.
        if not is_broken(error):
            raise BackupError(f"{path}: {error}") from None
        return None
    finally:
        copy.unlink(missing_ok=True)


def _is_sqlite(path: Path) -> bool:
    # Closing a file takes away all locks of its process, those of SQLite, too. This process has no
    # connection open here, and takes none from the daemon's.
    try:
        if path.is_symlink() or not path.is_file():
            return False
        with open_regular(path) as file:
            return file.read(len(SQLITE)) == SQLITE
    except OSError:
        return False


class _Summed(io.RawIOBase):
    """A file that is read once; sum: of what was read. Shorter than it was: zeros are not made up,
    the archive fails."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.sum.update(data)
        return data


def _add_from(
    archive: tarfile.TarFile, name: str, file: BinaryIO, size: int, mode: int
) -> ArchivedFile:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, mode, int(time.time())
    summed = _Summed(file)
    archive.addfile(info, summed)
    return ArchivedFile(name, size, mode, summed.sum.hexdigest())


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o600
    archive.addfile(info, io.BytesIO(data))
