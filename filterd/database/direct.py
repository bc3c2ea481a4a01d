"""An SQLite file through the driver alone, for steps that a message takes several of: SQLAlchemy
takes ten times as long around a statement as SQLite takes for it."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

_LOOK_AGAIN = (0.0005, 0.002)
"""Seconds after which one looks again whether the file's lock is free; a transaction takes some
tenths of a millisecond."""

_KEPT = 64
"""Statements that are kept compiled."""

Row = Sequence[Any]

T = TypeVar("T")


class Statements(Protocol):
    """What can be asked within a transaction, or while a file is read. dialect: SQLAlchemy's name
    of the database."""

    @property
    def dialect(self) -> str: ...

    def rows(self, statement: sa.Executable, values: Mapping[str, Any]) -> Sequence[Row]:
        """All rows of a statement with these parameters. Raises SQLAlchemyError."""
        ...


class UsualStatements:
    """The same by SQLAlchemy."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.dialect = connection.dialect.name

    def rows(self, statement: sa.Executable, values: Mapping[str, Any]) -> Sequence[Row]:
        """See `Statements`."""
        return self._connection.execute(statement, dict(values)).all()


class DirectStatements:
    """Statements on one connection. Values come and go as the driver has them."""

    dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, statement: sa.Executable, values: Mapping[str, Any]) -> Sequence[Row]:
        """See `Statements`. The statement should be one that is made once: it stays compiled."""
        text, given = _compiled(statement)
        try:
            # All of them: SQLite keeps its lock for a statement that is not at its end.
            return self._connection.execute(text, given(values)).fetchall()
        except sqlite3.Error as error:
            raise sa.exc.DBAPIError(text, None, error) from error


@lru_cache(_KEPT)
def _compiled(
    statement: sa.Executable,
) -> tuple[str, Callable[[Mapping[str, Any]], Sequence[Any]]]:
    """SQL, and what puts values in the order of its parameters."""
    assert isinstance(statement, sa.ClauseElement)
    compiled = statement.compile(dialect=sqlite.dialect())
    assert isinstance(compiled, sa.sql.compiler.SQLCompiler)
    names = tuple(compiled.positiontup or ())
    if not names:
        return str(compiled), lambda _: ()
    # Values that the statement has itself.
    fixed = {name: value for name, value in compiled.params.items() if value is not None}
    ordered = itemgetter(*names, *names[:1])  # two at least, or it would give no tuple
    count = len(names)
    if not fixed:
        return str(compiled), lambda values: ordered(values)[:count]
    return str(compiled), lambda values: ordered({**values, **fixed})[:count]


class DirectConnections:
    """A connection for whoever is first, and one to read while it is taken: readers wait for no
    writer. Each is used by one thread at a time. connect: makes one, in any thread. Methods raise
    SQLAlchemyError."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._first, self._second = _Connection(connect), _Connection(connect)

    def read(self, ask: Callable[[Statements], T], deadline: float) -> T:
        """What `ask` makes of what it reads; it may be asked again. Each statement sees what was
        committed before it. deadline: on the monotonic clock, until which somebody may have the
        file alone, as who closes it last or finds it after a crash."""
        while True:
            try:
                return self._read(ask)
            except sa.exc.DBAPIError as error:
                if not _is_busy(error.orig) or time.monotonic() >= deadline:
                    raise
            _pause()

    def _read(self, ask: Callable[[Statements], T]) -> T:
        # Best the one that writes: what another one has changed would have to be read again.
        own = self._first if self._first.lock.acquire(blocking=False) else self._second
        if own is self._second:
            own.lock.acquire()
        try:
            return ask(DirectStatements(own.opened()))
        finally:
            own.lock.release()

    def write(self, ask: Callable[[Statements], T], deadline: float) -> T:
        """The same in a transaction that writes. deadline: on the monotonic clock, until which
        others may keep the file's lock."""
        with self._first.lock:
            connection = self._first.opened()
            try:
                _begin(connection, deadline)
                found = ask(DirectStatements(connection))
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise sa.exc.DBAPIError("transaction", None, error) from error
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        return found

    def close(self) -> None:
        """Close them, once nobody uses them."""
        self._first.close()
        self._second.close()


class _Connection:
    """One that is made when it is needed. lock: of who uses it."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self.lock = threading.Lock()
        self._connect = connect
        self._made: sqlite3.Connection | None = None

    def opened(self) -> sqlite3.Connection:
        if self._made is None:
            try:
                self._made = self._connect()
                # Who has to wait looks for himself when it is his turn, see `_begin`.
                self._made.execute("PRAGMA busy_timeout = 0")
            except sqlite3.Error as error:
                raise sa.exc.DBAPIError("connect", None, error) from error
        return self._made

    def close(self) -> None:
        with self.lock:
            if self._made is not None:
                self._made.close()
                self._made = None


def _begin(connection: sqlite3.Connection, deadline: float) -> None:
    """SQLite itself would look for the lock ever more seldom, up to ten times a second; others that
    keep writing would never let it in."""
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() >= deadline:
                raise
        _pause()


def _is_busy(error: BaseException | None) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _pause() -> None:
    time.sleep(random.uniform(*_LOOK_AGAIN))  # noqa: S311  (so that two do not keep step)
