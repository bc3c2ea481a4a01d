"""The state in an SQLite file, or in a PostgreSQL database that hosts share.

Each operation is one statement in one transaction, so that two processes never both find the last
room in a window.
"""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from filterd.database.engine import BrokenDatabaseError, Database, DatabaseError, database
from filterd.database.sqlite import COMPANIONS
from filterd.state.availability import RETRY_SECONDS, Availability
from filterd.state.facts import (
    Addition,
    Counted,
    StateEntry,
    StateError,
    StateFullError,
    StateKey,
    Window,
)
from filterd.state.schema import counts, entries, schema
from filterd.state.settings import StateSettings
from filterd.state.statements import (
    COUNT,
    EXPIRE_BATCH,
    FIND_COUNT,
    FIND_ENTRY,
    PUT,
    TOUCH,
    count_row,
    delete_expired,
    entry_of,
    has_key,
    place_of,
    upsert,
    window_of,
)

log = logging.getLogger(__name__)

EXPIRE_SECONDS = 5.0
"""Seconds between two looks of one process for what has expired, while it writes."""

EXPIRE_SHARE = 0.1
"""Of a process's time, that looks may take where more has expired than one deletes."""

_LOOK_AGAIN = (0.0005, 0.002)
"""Seconds after which a writer looks again whether the file's lock is free; a transaction takes
some tenths of a millisecond."""

_ROWS = 1000
"""Rows that are in memory at a time while all are looked at."""

KEPT_ASIDE = 2
"""Files that could not be used and are kept, the newest ones."""

_DISK_FULL = "53100"
"""SQLSTATE, https://www.postgresql.org/docs/15/errcodes-appendix.html"""


class SqlState:
    """See `SharedState`. file: where it is if `settings.url` names no database."""

    def __init__(self, settings: StateSettings, file: Path) -> None:
        self._where = "state.url" if settings.url else str(file)
        # A file answers within `timeout`, and a busy moment says nothing about the next one.
        self._availability = Availability(RETRY_SECONDS if settings.url else 0.0)
        self._timeout = settings.timeout
        self._writers = threading.Lock()
        self._expire_again = time.monotonic() + EXPIRE_SECONDS
        try:
            self._database: Database = database(
                _with_limits(settings), file, schema(settings.timeout, settings.size_limit)
            )
        except DatabaseError as error:
            raise StateError(f"{self._where}: {error.cause}") from error

    def get(self, keys: Sequence[StateKey], now: float) -> list[StateEntry | None]:
        """See `SharedState`."""
        found: list[StateEntry | None] = []
        with self._transaction() as connection:
            for key in keys:
                row = connection.execute(FIND_ENTRY, key._asdict()).one_or_none()
                entry = None if row is None else entry_of(row)
                found.append(entry if entry is not None and entry.expires > now else None)
        return found

    def touch(self, key: StateKey, now: float, lifetime: float, value: str = "") -> StateEntry:
        """See `SharedState`."""
        with self._writing(now) as connection:
            return upsert(connection, TOUCH, key, now, lifetime, value)

    def put(self, key: StateKey, now: float, lifetime: float, value: str = "") -> StateEntry:
        """See `SharedState`."""
        with self._writing(now) as connection:
            return upsert(connection, PUT, key, now, lifetime, value)

    def delete(self, key: StateKey) -> bool:
        """See `SharedState`."""
        with self._transaction(writes=True) as connection:
            return connection.execute(sa.delete(entries).where(has_key(entries, key))).rowcount > 0

    def entries(
        self,
        kind: str,
        now: float,
        limit: int,
        value: str | None = None,
        wanted: Callable[[StateEntry], bool] | None = None,
    ) -> list[StateEntry]:
        """See `SharedState`."""
        c = entries.c
        query = sa.select(entries).where(c.kind == kind, c.expires > now)
        if value is not None:
            query = query.where(c.value == value)
        query = query.order_by(c.first.desc(), c.name)
        if wanted is None:
            query = query.limit(limit)
        with self._transaction() as connection:
            rows = connection.execute(query.execution_options(yield_per=_ROWS))
            found = (entry for entry in map(entry_of, rows) if wanted is None or wanted(entry))
            return list(islice(found, limit))

    def add(self, additions: Sequence[Addition], now: float) -> Counted:
        """See `SharedState`."""
        amounts: dict[tuple[StateKey, int], float] = {}
        for one in additions:
            place = one.key, one.seconds
            amounts[place] = amounts.get(place, 0.0) + one.amount
        if not amounts:
            return Counted(())
        rows = [
            count_row(key, seconds, amount, now)
            # In one order everywhere, so that two do not wait for each other.
            for (key, seconds), amount in sorted(amounts.items())
        ]
        found: dict[tuple[StateKey, int], Window] = {}
        exceeded: tuple[int, ...] = ()
        try:
            with self._writing(now) as connection:
                statement = COUNT[connection.dialect.name]
                for row in rows:
                    counted = connection.execute(statement, row).one()
                    found[place_of(counted)] = window_of(counted)
                exceeded = tuple(
                    number
                    for number, one in enumerate(additions)
                    if one.limit is not None and found[one.key, one.seconds].at(now) > one.limit
                )
                if exceeded:
                    raise _NoRoomError
        except _NoRoomError:
            found = {place: one.plus(-amounts[place], now) for place, one in found.items()}
        return Counted(tuple(found[one.key, one.seconds] for one in additions), exceeded)

    def windows(self, wanted: Sequence[tuple[StateKey, int]]) -> list[Window]:
        """See `SharedState`."""
        found = []
        with self._transaction() as connection:
            for key, seconds in wanted:
                place = {**key._asdict(), "seconds": seconds}
                row = connection.execute(FIND_COUNT, place).one_or_none()
                found.append(Window(seconds) if row is None else window_of(row))
        return found

    def clear(self, key: StateKey) -> bool:
        """See `SharedState`."""
        with self._transaction(writes=True) as connection:
            return connection.execute(sa.delete(counts).where(has_key(counts, key))).rowcount > 0

    def expire(self, now: float) -> int:
        """See `SharedState`."""
        gone = 0
        while True:
            with self._transaction(writes=True) as connection:
                some = delete_expired(connection, now)
            gone += some
            if not some:
                return gone

    def doubts(self) -> list[str]:
        """See `SharedState`."""
        with self._transaction():
            return []

    def close(self) -> None:
        """See `SharedState`."""
        self._database.leave(self)

    @contextmanager
    def _writing(self, now: float) -> Iterator[sa.Connection]:
        """A transaction, after which a process deletes now and then what has expired."""
        try:
            with self._transaction(writes=True) as connection:
                yield connection
        except StateFullError:
            self._expire_now_and_then(now)
            raise
        self._expire_now_and_then(now)

    def _expire_now_and_then(self, now: float) -> None:
        if time.monotonic() < self._expire_again:
            return
        started = time.monotonic()
        self._expire_again = started + EXPIRE_SECONDS
        try:
            with self._transaction(writes=True) as connection:
                gone = delete_expired(connection, now)
            if gone >= EXPIRE_BATCH:
                ended = time.monotonic()
                pause = (ended - started) / EXPIRE_SHARE
                self._expire_again = min(self._expire_again, ended + pause)
        except StateError as error:
            # What was written is written: the caller needs nothing of this.
            log.warning("%s; expired entries were not deleted", error)

    @contextmanager
    def _transaction(self, *, writes: bool = False) -> Iterator[sa.Connection]:
        with self._availability.attempt(), self._turn(writes=writes) as deadline:
            try:
                with self._database.transaction(self) as connection:
                    if writes and connection.dialect.name == "sqlite":
                        _begin(connection, deadline)
                    yield connection
            except BrokenDatabaseError as error:
                raise StateError(f"{self._where}: {error.cause}{self._set_aside()}") from error
            except DatabaseError as error:
                kind = StateFullError if _is_full(error) else StateError
                raise kind(f"{self._where}: {error.cause}") from error

    @contextmanager
    def _turn(self, *, writes: bool) -> Iterator[float]:
        """Wait for the turn of a thread that writes to a file; until when it may wait for other
        processes. Of the threads of a process one at a time asks SQLite for its lock: it knows no
        order, and with many who ask some would wait for ever."""
        deadline = time.monotonic() + self._timeout
        if not writes or self._database.file is None:
            yield deadline
            return
        if not self._writers.acquire(timeout=self._timeout):
            raise StateError(f"{self._where}: database is locked by threads of this process")
        try:
            yield deadline
        finally:
            self._writers.release()

    def _set_aside(self) -> str:
        """Begin with an empty file in place of one that cannot be used: all that is lost is known
        again after some time of mail."""
        file = self._database.file
        if file is None:
            return ""
        try:
            try:
                self._database.check(self)
            except BrokenDatabaseError:
                aside = self._database.put_aside(self, time.time())
            else:
                return ""  # another process was quicker
            for old in file.put_aside_before()[:-KEPT_ASIDE]:
                for suffix in ("", *COMPANIONS):
                    Path(f"{old}{suffix}").unlink(missing_ok=True)
        except (DatabaseError, OSError) as error:
            log.error("%s: cannot be set aside: %s", self._where, error)
            return ""
        log.error("%s: cannot be used and is kept as %s; a new one begins", self._where, aside)
        return f"; it is kept as {aside}"


def _begin(connection: sa.Connection, deadline: float) -> None:
    """Begin to write to an SQLite file. SQLite itself would look for the lock ever more seldom, up
    to ten times a second; others that keep writing would never let it in."""
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return
        except sa.exc.OperationalError as error:
            code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
            if code != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
        time.sleep(random.uniform(*_LOOK_AGAIN))  # noqa: S311  (so that two do not keep step)


class _NoRoomError(Exception):
    """Ends a transaction of which nothing may stay."""


def _is_full(error: DatabaseError) -> bool:
    cause = getattr(error.__cause__, "orig", None)
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return code == sqlite3.SQLITE_FULL or getattr(cause, "sqlstate", "") == _DISK_FULL


def _with_limits(settings: StateSettings) -> str:
    """The URL; a PostgreSQL server has as much time as any other, if the URL says nothing else."""
    if not settings.url.startswith("postgresql"):
        return settings.url
    try:
        url = make_url(settings.url)
    except sa.exc.ArgumentError:
        return settings.url
    limits = {
        # Whole seconds, and 1 counts as 2:
        # https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNECT-CONNECT-TIMEOUT
        "connect_timeout": str(max(round(settings.timeout), 2)),
        # What a crash of the server takes with it, the last moments, mail tells again.
        "options": f"-c statement_timeout={max(int(settings.timeout * 1000), 1)}"
        " -c synchronous_commit=off",
    }
    missing = {name: value for name, value in limits.items() if name not in url.query}
    return url.update_query_dict(missing).render_as_string(hide_password=False)
