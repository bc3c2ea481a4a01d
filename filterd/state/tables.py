"""The state in an SQLite file, or in a PostgreSQL database that hosts share.

Each operation is one statement in one transaction, so that two processes never both find the last
room in a window.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url

from filterd.database.engine import BrokenDatabaseError, Database, DatabaseError, database
from filterd.database.sqlite import COMPANIONS
from filterd.state.availability import Availability
from filterd.state.facts import (
    VALUE_LIMIT,
    Addition,
    Counted,
    StateEntry,
    StateError,
    StateFullError,
    StateKey,
    Window,
    slot_of,
)
from filterd.state.schema import counts, entries, schema
from filterd.state.settings import StateSettings

log = logging.getLogger(__name__)

EXPIRE_SECONDS = 5.0
"""Seconds between two looks of one process for what has expired, while it writes."""

EXPIRE_BATCH = 1000
"""Rows of each table that one such look deletes at most: others wait for some milliseconds."""

_WINDOWS_KEPT = 2
"""Lengths of its window for which a count is kept: as long as its slot is the former one."""

KEPT_ASIDE = 2
"""Files that could not be used and are kept, the newest ones."""

_DISK_FULL = "53100"
"""SQLSTATE, https://www.postgresql.org/docs/15/errcodes-appendix.html"""

_Insert = sqlite.Insert | postgresql.Insert


class SqlState:
    """See `SharedState`. file: where it is if `settings.url` names no database."""

    def __init__(self, settings: StateSettings, file: Path) -> None:
        self._where = "state.url" if settings.url else str(file)
        self._availability = Availability()
        self._expire_again = time.monotonic() + EXPIRE_SECONDS
        try:
            self._database: Database = database(
                _with_limits(settings), file, schema(settings.timeout, settings.size_limit)
            )
        except DatabaseError as error:
            raise StateError(f"{self._where}: {error.cause}") from error

    def get(self, keys: Sequence[StateKey], now: float) -> list[StateEntry | None]:
        """See `SharedState`."""
        c = entries.c
        wanted = sa.select(entries).where(
            sa.or_(sa.false(), *(_is(entries, key) for key in keys)), c.expires > now
        )
        with self._transaction() as connection:
            found = [_entry(row) for row in connection.execute(wanted)]
        by_key = {entry.key: entry for entry in found}
        return [by_key.get(key) for key in keys]

    def touch(self, key: StateKey, now: float, lifetime: float, value: str = "") -> StateEntry:
        """See `SharedState`."""
        with self._writing(now) as connection:
            return self._upsert(connection, key, now, lifetime, value, keeps=True)

    def put(self, key: StateKey, now: float, lifetime: float, value: str = "") -> StateEntry:
        """See `SharedState`."""
        with self._writing(now) as connection:
            return self._upsert(connection, key, now, lifetime, value, keeps=False)

    def delete(self, key: StateKey) -> bool:
        """See `SharedState`."""
        with self._transaction() as connection:
            return connection.execute(sa.delete(entries).where(_is(entries, key))).rowcount > 0

    def entries(
        self, kind: str, now: float, limit: int, value: str | None = None
    ) -> list[StateEntry]:
        """See `SharedState`."""
        c = entries.c
        wanted = sa.select(entries).where(c.kind == kind, c.expires > now)
        if value is not None:
            wanted = wanted.where(c.value == value)
        with self._transaction() as connection:
            found = connection.execute(wanted.order_by(c.first.desc(), c.name).limit(limit))
            return [_entry(row) for row in found]

    def add(self, additions: Sequence[Addition], now: float) -> Counted:
        """See `SharedState`."""
        amounts: dict[tuple[StateKey, int], float] = {}
        for one in additions:
            place = one.key, one.seconds
            amounts[place] = amounts.get(place, 0.0) + one.amount
        if not amounts:
            return Counted(())
        rows = [
            _count_row(key, seconds, amount, now)
            # In one order everywhere, so that two do not wait for each other.
            for (key, seconds), amount in sorted(amounts.items())
        ]
        found: dict[tuple[StateKey, int], Window] = {}
        exceeded: tuple[int, ...] = ()
        try:
            with self._writing(now) as connection:
                statement = _counting(_insert(connection, counts).values(rows))
                found = {_place(row): _window(row) for row in connection.execute(statement)}
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
        c = counts.c
        query = sa.select(counts).where(
            sa.or_(
                sa.false(),
                *(sa.and_(_is(counts, key), c.seconds == seconds) for key, seconds in wanted),
            )
        )
        with self._transaction() as connection:
            found = {_place(row): _window(row) for row in connection.execute(query)}
        return [found.get(place, Window(place[1])) for place in wanted]

    def clear(self, key: StateKey) -> bool:
        """See `SharedState`."""
        with self._transaction() as connection:
            return connection.execute(sa.delete(counts).where(_is(counts, key))).rowcount > 0

    def expire(self, now: float) -> int:
        """See `SharedState`."""
        gone = 0
        while True:
            with self._transaction() as connection:
                some = _expire(connection, now)
            gone += some
            if not some:
                return gone

    def close(self) -> None:
        """See `SharedState`."""
        self._database.leave(self)

    @staticmethod
    def _upsert(
        connection: sa.Connection,
        key: StateKey,
        now: float,
        lifetime: float,
        value: str,
        *,
        keeps: bool,
    ) -> StateEntry:
        """keeps: an entry that is there keeps value and expiry."""
        c = entries.c
        insert = _insert(connection, entries).values(
            kind=key.kind,
            name=key.name,
            first=now,
            last=now,
            count=1,
            expires=now + lifetime,
            value=value[:VALUE_LIMIT],
        )
        new, is_over = insert.excluded, c.expires <= now
        is_new = sa.or_(is_over, c.first > now)
        changes: dict[str, Any] = {
            "first": sa.case((is_new, new.first), else_=c.first),
            "last": new.last,
            "count": sa.case((is_over, 1), else_=c.count + 1),
            "expires": new.expires,
            "value": new.value,
        }
        if keeps:
            changes["expires"] = sa.case((is_new, new.expires), else_=c.expires)
            changes["value"] = sa.case((is_over, new.value), else_=c.value)
        statement = insert.on_conflict_do_update(
            index_elements=[c.kind, c.name], set_=changes
        ).returning(*entries.columns)
        return _entry(connection.execute(statement).one())

    @contextmanager
    def _writing(self, now: float) -> Iterator[sa.Connection]:
        """A transaction, after which a process deletes now and then what has expired."""
        try:
            with self._transaction() as connection:
                yield connection
        except StateFullError:
            self._expire_now_and_then(now)
            raise
        self._expire_now_and_then(now)

    def _expire_now_and_then(self, now: float) -> None:
        if time.monotonic() < self._expire_again:
            return
        self._expire_again = time.monotonic() + EXPIRE_SECONDS
        try:
            with self._transaction() as connection:
                _expire(connection, now)
        except StateError as error:
            # What was written is written: the caller needs nothing of this.
            log.warning("%s; expired entries were not deleted", error)

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        with self._availability.attempt():
            try:
                with self._database.transaction(self) as connection:
                    yield connection
            except BrokenDatabaseError as error:
                raise StateError(f"{self._where}: {error.cause}{self._set_aside()}") from error
            except DatabaseError as error:
                kind = StateFullError if _is_full(error) else StateError
                raise kind(f"{self._where}: {error.cause}") from error

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
        "options": f"-c statement_timeout={max(int(settings.timeout * 1000), 1)}",
    }
    missing = {name: value for name, value in limits.items() if name not in url.query}
    return url.update_query_dict(missing).render_as_string(hide_password=False)


def _insert(connection: sa.Connection, table: sa.Table) -> _Insert:
    is_sqlite = connection.dialect.name == "sqlite"
    return sqlite.insert(table) if is_sqlite else postgresql.insert(table)


def _is(table: sa.Table, key: StateKey) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.kind == key.kind, table.c.name == key.name)


def _counting(insert: _Insert) -> sa.sql.dml.ReturningInsert[Any]:
    """`Window.plus`, in SQL."""
    c, new = counts.c, insert.excluded
    is_same = sa.or_(c.slot == new.slot, c.slot == new.slot + 1)
    return insert.on_conflict_do_update(
        index_elements=[c.kind, c.name, c.seconds],
        set_={
            "slot": sa.case((is_same, c.slot), else_=new.slot),
            "latest": sa.case((is_same, c.latest + new.latest), else_=new.latest),
            "former": sa.case((is_same, c.former), (c.slot == new.slot - 1, c.latest), else_=0.0),
            "expires": new.expires,
        },
    ).returning(*counts.columns)


def _count_row(key: StateKey, seconds: int, amount: float, now: float) -> dict[str, Any]:
    return {
        "kind": key.kind,
        "name": key.name,
        "seconds": seconds,
        "slot": slot_of(now, seconds),
        "latest": amount,
        "former": 0.0,
        "expires": now + _WINDOWS_KEPT * seconds,
    }


def _expire(connection: sa.Connection, now: float) -> int:
    gone = 0
    for table in (entries, counts):
        key = sa.tuple_(*table.primary_key.columns)
        oldest = (
            sa.select(*table.primary_key.columns)
            .where(table.c.expires <= now)
            .order_by(table.c.expires)
            .limit(EXPIRE_BATCH)
        )
        gone += connection.execute(sa.delete(table).where(key.in_(oldest))).rowcount
    return gone


def _entry(row: Sequence[Any]) -> StateEntry:
    kind, name, first, last, count, expires, value = row
    return StateEntry(StateKey(kind, name), first, last, count, expires, value)


def _place(row: sa.Row[Any]) -> tuple[StateKey, int]:
    return StateKey(row.kind, row.name), row.seconds


def _window(row: sa.Row[Any]) -> Window:
    return Window(row.seconds, row.slot, row.latest, row.former)
