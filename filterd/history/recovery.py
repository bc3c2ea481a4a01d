"""A history that cannot be used any more: it is kept under another name, and what can be read of it
goes into a new one.

The daemon does that by itself when it writes to a file, `filterd quarantine fsck` when it is asked
to. A damaged file is read by SQLite itself, for there are no tables in it to rely on. The tables of
a database that hosts share are moved to a schema of their own, whole.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filterd.database.engine import BUSY_LIMIT
from filterd.database.sqlite import COMPANIONS, SqliteFile
from filterd.history.record import Record
from filterd.history.records import Records
from filterd.history.results import BrokenHistoryError, HistoryError
from filterd.history.store import History
from filterd.system.durable import create_file

KEPT_ASIDE = 5
"""Files that are kept aside, the newest ones: a disk that goes on failing must not fill up."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was done. cause: why the old file or tables could not be used; aside: under which name
    they are kept. saved: records that are in the new ones; lost: those that are not, None if nobody
    can say how many."""

    cause: str
    aside: str
    saved: int
    lost: int | None

    def __str__(self) -> str:
        lost = "an unknown number of" if self.lost is None else self.lost
        return (
            f"{self.cause}; it is kept as {self.aside}; "
            f"{self.saved} records were read from it, {lost} records are lost"
        )


def recover(history: History, clock: Callable[[], float] = time.time) -> Recovery | None:
    """Put the file aside and make a new one with what can be read; None if it can be used.

    Raises HistoryError, also for tables that a newer version of filterd made in a database.
    """
    if not history.is_file:
        return _recover_tables(history, clock())
    file = SqliteFile(history.file)
    try:
        cause, before = history.trouble(), file.identity()
        if not cause:
            return None
        fresh = history.file.with_name(f".{history.file.name}.new-{os.getpid()}")
        _remove(fresh)
        try:
            saved, lost = _copy(history.file, fresh, history.settings.keep_messages)
            with file.in_use(alone=True):
                now = file.identity()
                if now is not None and before is not None and now[:2] != before[:2]:
                    return None  # somebody else was quicker
                aside = file.put_aside(clock())
                fresh.rename(history.file)
                history.known = 0
        finally:
            _remove(fresh)
        for old in file.put_aside_before()[:-KEPT_ASIDE]:
            _remove(old)
    except sqlite3.Error as error:
        raise HistoryError(f"{history.file}: cannot start a new one: {error}") from error
    except HistoryError:
        raise
    except OSError as error:
        raise HistoryError(f"{history.file}: {error.strerror}") from error
    return Recovery(cause, aside.name, saved, lost)


def _recover_tables(history: History, now: float) -> Recovery | None:
    try:
        history.records.check()
    except BrokenHistoryError as error:
        if error.is_newer:
            raise HistoryError(
                f"{error}; the tables are left alone, since another host may use them"
            ) from error
        return Recovery(str(error), history.records.put_aside(now), 0, None)
    return None


def _copy(old: Path, new: Path, limit: int) -> tuple[int, int | None]:
    """Write a new file with the newest records of an old one, at most so many; how many, and how
    many are missing."""
    create_file(new)
    target = Records("", new, str(new))
    try:
        saved = target.copy(_readable(old, limit))
    finally:
        # The last connection takes the write-ahead log with it: nothing may be left beside the file
        # when it is renamed.
        target.close()
    counted = _counted(old)
    return saved, None if counted is None else max(min(counted, limit) - saved, 0)


def _readable(old: Path, limit: int) -> Iterator[tuple[int, Record]]:
    """The records of a file that may be damaged, and their numbers: from the newest one on until
    something cannot be read, and then from the oldest one on."""
    if not old.is_file():
        return
    with _opened(old) as source:
        lowest, number = None, 0
        for order in ("DESC", "ASC"):
            sql = (
                "SELECT rowid, id, received, action, score, rest FROM records NOT INDEXED "  # noqa: S608
                f"WHERE ? IS NULL OR rowid < ? ORDER BY rowid {order} LIMIT ?"
            )
            # What was read before an error counts.
            with contextlib.suppress(sqlite3.Error):
                for row in source.execute(sql, (lowest, lowest, limit - number)):
                    number += 1
                    with contextlib.suppress(ValueError, TypeError, AttributeError, OverflowError):
                        yield row[0], Record.decode(*row[1:])
                    lowest = row[0] if order == "DESC" else lowest


@contextlib.contextmanager
def _opened(old: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(old, timeout=BUSY_LIMIT)) as source:
        # Else SQLite reads nothing of a file that was cut short.
        with contextlib.suppress(sqlite3.Error):
            source.execute("PRAGMA writable_schema = ON")
        yield source


def _counted(old: Path) -> int | None:
    """How many records a damaged file had, as far as one of its indexes tells."""
    if not old.is_file():
        return None
    with _opened(old) as source:
        for name in ("records_newest", "records_by_action"):
            with contextlib.suppress(sqlite3.Error):
                sql = f"SELECT COUNT(*) FROM records INDEXED BY {name}"  # noqa: S608
                return int(source.execute(sql).fetchone()[0])
        with contextlib.suppress(sqlite3.Error):
            # Each alone is at an end of the tree; together they would read all of it.
            sql = (
                "SELECT COALESCE((SELECT MAX(rowid) FROM records) "
                "- (SELECT MIN(rowid) FROM records) + 1, 0)"
            )
            return int(source.execute(sql).fetchone()[0])
    return None


def _remove(path: Path) -> None:
    for suffix in ("", *COMPANIONS):
        with contextlib.suppress(IsADirectoryError):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
