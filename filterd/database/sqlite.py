"""SQLite files that several processes use at the same time.

SQLite locks a file with POSIX locks. They belong to the process, and closing *any* descriptor of
the file gives up all of them (https://www.sqlite.org/howtocorrupt.html, 2.2): the next process that
closes the database takes itself for the last one and removes the write-ahead log under the others.
So nobody opens such a file but SQLite. It is made by mknod(2), which opens nothing, looked at by
stat(2) and set aside by rename(2). A process that was forked from one with an open database cannot
use that one (`InheritedError`): it has to be closed before, or opened after the fork only.
"""

from __future__ import annotations

import fcntl
import glob
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filterd.system.durable import create_file, move_in_place

WAIT_LIMIT = 5.0
"""Seconds for which somebody waits until a file that is being set aside is there again."""

ALONE_LIMIT = 30.0
"""Seconds for which somebody waits to have a file alone; searches of a second may overlap."""

_POLL = 0.01
"""Seconds between two looks whether a lock is free; it is held for a transaction at most."""

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a database, by the ends of the names."""

_BROKEN = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_SCHEMA,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_RANGE,
    }
)
"""Result codes that say something about what is in the file. Others tell of locks, permissions, the
disk (https://www.sqlite.org/rescode.html)."""

Identity = tuple[int, int, int]
"""Device and inode of a database, and inode of its write-ahead log (0: none)."""


def is_broken(error: BaseException | None) -> bool:
    """True if an error of SQLite says that the file's content cannot be used."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        # An error of Python's own module: text that is not UTF-8, say.
        return isinstance(error, (sqlite3.DataError, sqlite3.OperationalError))
    # A file that ends too early is an I/O error to SQLite.
    return code & 0xFF in _BROKEN or code == sqlite3.SQLITE_IOERR_SHORT_READ


class InheritedError(OSError):
    """The process was forked from one that has the file open. SQLite, which was forked with it,
    takes the other one's locks for its own, and would write without any
    (https://www.sqlite.org/howtocorrupt.html, 2.6)."""

    def __init__(self, path: Path) -> None:
        super().__init__(0, "open in the process from which this one was forked", str(path))


class SqliteFile:
    """One file. Methods raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # In half the time that a Path takes; every transaction looks at them.
        self._names = str(path), f"{path}-wal", str(path.parent)
        self._mutex = threading.Lock()
        self._users = 0
        self._folder = -1
        self._folder_inode = 0

    def __del__(self) -> None:
        if self._folder >= 0:
            os.close(self._folder)

    def leave_to_parent(self) -> None:
        """In a process that was forked: the parent's lock on the folder is not ours to give up."""
        self._mutex = threading.Lock()
        self._users = 0
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def create(self) -> None:
        """Make an empty database (0600) if there is none.

        SQLite gives its journals the database's mode and, to those that root makes, its owner.
        """
        create_file(self.path)

    def fault(self) -> str:
        """Why this cannot be a database, by its kind of file; empty if it can or is not there."""
        for suffix in ("", *COMPANIONS):
            path = Path(f"{self.path}{suffix}")
            try:
                mode = path.stat().st_mode
            except FileNotFoundError:
                if path.is_symlink():
                    return f"{path} is a link to nothing, expected a file"
                continue
            if not stat.S_ISREG(mode):
                return f"{path} is not a file"
        return ""

    def identity(self) -> Identity | None:
        """Which database this is now; None if there is none. A connection is good for one."""
        try:
            found = os.stat(self._names[0])  # noqa: PTH116  (see above)
        except FileNotFoundError:
            return None
        try:
            log = os.stat(self._names[1]).st_ino  # noqa: PTH116
        except FileNotFoundError:
            log = 0
        return found.st_dev, found.st_ino, log

    @contextmanager
    def in_use(self, *, alone: bool = False) -> Iterator[None]:
        """Use the file: nobody puts it aside meanwhile. alone: nobody else uses it either.

        A lock (flock) on its folder, which is made (0700) where there is none; a file to lock would
        have to be everybody's.
        Raises TimeoutError after `WAIT_LIMIT`, `ALONE_LIMIT`.
        """
        if not alone:
            self.join()
            try:
                yield
            finally:
                self.leave()
            return
        folder, _inode = self._opened_folder()
        try:
            deadline = time.monotonic() + ALONE_LIMIT
            while not _locked(folder, fcntl.LOCK_EX):
                self._wait(deadline)
            yield
        finally:
            os.close(folder)

    def join(self) -> None:
        """Begin to use the file; `leave` ends that. The threads of a process have one lock, on one
        descriptor that stays open: a transaction takes little longer than the opening would."""
        deadline = time.monotonic() + WAIT_LIMIT
        while True:
            with self._mutex:
                if self._users or self._locks():
                    self._users += 1
                    return
            self._wait(deadline)

    def leave(self) -> None:
        """End what `join` began."""
        with self._mutex:
            self._users -= 1
            if not self._users:
                fcntl.flock(self._folder, fcntl.LOCK_UN)

    def _locks(self) -> bool:
        """Lock the folder for all threads, if nobody has it alone."""
        while True:
            if self._folder < 0:
                self._folder, self._folder_inode = self._opened_folder()
            if not _locked(self._folder, fcntl.LOCK_SH):
                return False
            try:
                if os.stat(self._names[2]).st_ino == self._folder_inode:  # noqa: PTH116
                    return True
            except FileNotFoundError:
                pass
            # Another folder has the name now.
            os.close(self._folder)
            self._folder = -1

    def _opened_folder(self) -> tuple[int, int]:
        """A descriptor of the folder, and its inode."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        return folder, os.fstat(folder).st_ino

    def _wait(self, deadline: float) -> None:
        if time.monotonic() >= deadline:
            raise TimeoutError(0, "others use it", str(self.path))
        time.sleep(_POLL)

    def put_aside(self, now: float, why: str = "broken") -> Path:
        """Rename the database and what belongs to it, to `.why-DATE`; the new name.

        The caller must have the file to itself. Connections to the old one have to be closed
        afterwards; SQLite sees that the file was moved, and leaves the new one's log as it is.
        """
        name = f"{self.path.name}.{why}-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}"
        aside, number = self.path.with_name(name), 1
        while os.path.lexists(aside):
            number += 1
            aside = self.path.with_name(f"{name}.{number}")
        # The database first: a log without one is removed by SQLite, not read.
        for suffix in ("", *COMPANIONS):
            path = Path(f"{self.path}{suffix}")
            if os.path.lexists(path):
                path.rename(f"{aside}{suffix}")
        return aside

    def copy_before(self, form: str) -> Path:
        """Where the database is kept as it was before it got that form."""
        return self.path.with_name(f"{self.path.name}.before-{form}")

    def save_copy(self, form: str, write: Callable[[Path], object]) -> Path:
        """Keep the database as it is, before it gets that form; the copy's path. A copy from before
        an older form goes. write: writes the copy to an empty file. Raises OSError, and what
        `write` raises."""
        kept = self.copy_before(form)
        temporary = kept.with_name(f".{kept.name}")
        temporary.unlink(missing_ok=True)
        create_file(temporary)
        try:
            write(temporary)
            move_in_place(temporary, kept)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        # Forms are numbers; what `filterd restore` set aside is NAME.before-restore.
        for older in self.path.parent.glob(f"{glob.escape(self.path.name)}.before-[0-9]*"):
            if older != kept:
                older.unlink(missing_ok=True)
        return kept

    def put_aside_before(self) -> list[Path]:
        """The files that were set aside, oldest first."""
        found = self.path.parent.glob(f"{self.path.name}.broken-*")
        return sorted(path for path in found if not path.name.endswith(COMPANIONS))


def _locked(folder: int, how: int) -> bool:
    """Lock a folder, unless others have it."""
    try:
        fcntl.flock(folder, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
