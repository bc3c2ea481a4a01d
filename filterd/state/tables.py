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
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from filterd.database.direct import Row, Statements, UsualStatements
from filterd.database.engine import BrokenDatabaseError, Database, DatabaseError, database
from filterd.database.sqlite import COMPANIONS
from filterd.state.availability import RETRY_SECONDS, Availability
from filterd.state.facts import (
    VALUE_LIMIT,
    Addition,
    Counted,
    StateEntry,
    StateError,
    StateFullError,
    StateKey,
    Window,
)
from filterd.state.once import ONCE, ONCE_SECONDS, CountOnce
from filterd.state.schema import counts, entries, schema
from filterd.state.settings import StateSettings
from filterd.state.statements import (
    COUNT,
    COUNT_ON,
    EXPIRE_BATCH,
    FIND_COUNT,
    FIND_ENTRY,
    MARK_ON,
    PUT,
    TOUCH,
    count_row,
    delete_expired,
    entry_of,
    entry_row,
    has_key,
    window_of,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

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

        def found(asked: Statements, key: StateKey) -> StateEntry | None:
            rows = asked.rows(FIND_ENTRY, {"kind": key.kind, "name": key.name})
            entry = entry_of(rows[0]) if rows else None
            return entry if entry is not None and entry.expires > now else None

        return self._read(lambda asked: [found(asked, key) for key in keys])

    def touch(self, key: StateKey, now: float, lifetime: float, value: str = "") -> StateEntry:
        """See `SharedState`."""
        row = entry_row(key, now, lifetime, value)
        return self._write(lambda asked: entry_of(asked.rows(TOUCH[asked.dialect], row)[0]), now)

    def put(self, key: StateKey, now: float, lifetime: float, value: str = "") -> StateEntry:
        """See `SharedState`."""
        row = entry_row(key, now, lifetime, value)
        return self._write(lambda asked: entry_of(asked.rows(PUT[asked.dialect], row)[0]), now)

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

    def add(
        self, additions: Sequence[Addition], now: float, once: CountOnce | None = None
    ) -> Counted:
        """See `SharedState`."""
        amounts: dict[tuple[StateKey, int], float] = {}
        for one in additions:
            place = one.key, one.seconds
            amounts[place] = amounts.get(place, 0.0) + one.amount
        if not amounts:
            return Counted(())
        rows = [
            ((key, seconds), count_row(key, seconds, amount, now))
            # In one order everywhere, so that two do not wait for each other.
            for (key, seconds), amount in sorted(amounts.items())
        ]
        found: dict[tuple[StateKey, int], Window] = {}

        def counted(asked: Statements) -> None:
            before = [] if once is None else _marks(asked, once, now)
            if once is not None and once.mark in before:
                for place, _row in rows:
                    found[place] = _window(asked, *place)
                return
            for place, row in rows:
                found[place] = window_of(_count(asked, row))
            exceeded = tuple(
                number
                for number, one in enumerate(additions)
                if one.limit is not None and found[one.key, one.seconds].at(now) > one.limit
            )
            if exceeded:
                raise _NoRoomError(exceeded)
            if once is not None:
                _mark(asked, once.place, " ".join((*before, once.mark)), now)

        exceeded: tuple[int, ...] = ()
        try:
            self._write(counted, now)
            if once is not None:
                once.note()
        except _NoRoomError as error:
            exceeded = error.exceeded
            found = {place: one.plus(-amounts[place], now) for place, one in found.items()}
        return Counted(tuple(found[one.key, one.seconds] for one in additions), exceeded)

    def windows(self, wanted: Sequence[tuple[StateKey, int]]) -> list[Window]:
        """See `SharedState`."""
        return self._read(lambda asked: [_window(asked, *place) for place in wanted])

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

    def _read(self, ask: Callable[[Statements], T]) -> T:
        """What `ask` makes of what it reads."""
        if self._database.file is None:
            with self._transaction() as connection:
                return ask(UsualStatements(connection))
        deadline = time.monotonic() + self._timeout
        return self._asked(lambda: self._database.read(self, ask, deadline))

    def _write(self, ask: Callable[[Statements], T], now: float) -> T:
        """The same in a transaction, after which a process deletes now and then what has
        expired."""
        try:
            if self._database.file is None:
                with self._transaction(writes=True) as connection:
                    found = ask(UsualStatements(connection))
            else:
                found = self._asked(lambda: self._written(ask))
        except StateFullError:
            self._expire_now_and_then(now)
            raise
        self._expire_now_and_then(now)
        return found

    def _written(self, ask: Callable[[Statements], T]) -> T:
        with self._turn(writes=True) as deadline:
            return self._database.write(self, ask, deadline)

    def _asked(self, ask: Callable[[], T]) -> T:
        """`attempt` and `_errors`, for what a message takes several of."""
        self._availability.require()
        try:
            found = ask()
        except DatabaseError as error:
            told = self._told(error)
            self._availability.failed(told)
            raise told from error
        except StateError as error:
            self._availability.failed(error)
            raise
        self._availability.answered()
        return found

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
        with (
            self._availability.attempt(),
            self._turn(writes=writes) as deadline,
            self._errors(),
            self._database.transaction(self) as connection,
        ):
            if writes and connection.dialect.name == "sqlite":
                _begin(connection, deadline)
            yield connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            raise self._told(error) from error

    def _told(self, error: DatabaseError) -> StateError:
        if isinstance(error, BrokenDatabaseError):
            return StateError(f"{self._where}: {error.cause}{self._set_aside()}")
        kind = StateFullError if _is_full(error) else StateError
        return kind(f"{self._where}: {error.cause}")

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


def _count(asked: Statements, row: dict[str, Any]) -> Row:
    """Count an amount; the row as it is then."""
    if asked.dialect == "sqlite":
        of = {f"of_{name}": row[name] for name in ("kind", "name", "seconds", "slot")}
        if rows := asked.rows(COUNT_ON, {**of, "amount": row["latest"]}):
            return rows[0]
    return asked.rows(COUNT[asked.dialect], row)[0]


def _window(asked: Statements, key: StateKey, seconds: int) -> Window:
    place = {"kind": key.kind, "name": key.name, "seconds": seconds}
    rows = asked.rows(FIND_COUNT, place)
    return window_of(rows[0]) if rows else Window(seconds)


def _marks(asked: Statements, once: CountOnce, now: float) -> list[str]:
    """What was counted for the same question."""
    if not once.repeated:
        return once.before
    rows = asked.rows(FIND_ENTRY, {"kind": ONCE, "name": once.place})
    entry = entry_of(rows[0]) if rows else None
    return [] if entry is None or entry.expires <= now else once.marks(entry.value)


def _mark(asked: Statements, place: str, value: str, now: float) -> None:
    """Keep the marks of a question in the place of the one before."""
    row = {"of_kind": ONCE, "of_name": place, "now": now, "marks": value[:VALUE_LIMIT]}
    if not asked.rows(MARK_ON, row):
        row = entry_row(StateKey(ONCE, place), now, ONCE_SECONDS, value)
        asked.rows(PUT[asked.dialect], row)


class _NoRoomError(Exception):
    """Ends a transaction of which nothing may stay. exceeded: numbers of the additions."""

    def __init__(self, exceeded: tuple[int, ...]) -> None:
        super().__init__(exceeded)
        self.exceeded = exceeded


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
