"""One engine for each process and database, shared by all its users.

An SQLite file is used as `filterd.sqlite` says: nothing but SQLite opens it, and another process
may put it aside between two transactions. A database that cannot be used is told apart from one
that cannot be reached (locked, no permission, no server): putting the first one aside helps.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from filterd.database.direct import DirectConnections, Statements
from filterd.database.schema import (
    ADVISORY_LOCK,
    Schema,
    UnknownFormError,
    WrongTablesError,
    bring_up_to_date,
    check,
    put_tables_aside,
)
from filterd.database.search import matches
from filterd.database.sqlite import Identity, InheritedError, SqliteFile, is_broken

log = logging.getLogger(__name__)

BUSY_LIMIT = 5.0
"""Seconds that a writer waits for another one, where a schema says nothing else."""

_ABOUT_CONTENT = ("42", "XX", "22", "0A")
"""Classes of PostgreSQL's SQLSTATE that speak of tables and what is in them: an unknown table or
column, a damaged page, data of a wrong kind, a kind of table that cannot do this."""

_NOT_ALLOWED = "42501"
"""SQLSTATE of what the user may not do: other tables would not help."""

_SOLE_SESSION = {
    "tcp_keepalives_idle": 60,
    "tcp_keepalives_interval": 10,
    "tcp_keepalives_count": 6,
    "statement_timeout": 0,
    "lock_timeout": 0,
    "idle_in_transaction_session_timeout": 0,
}
"""Of a session that has a lock for long. If its host vanishes, the server gives up the lock after
two minutes, not after hours (seconds, seconds, probes); and who waits for it, or for mail to be
read, has as much time as with a file (0: no limit).
https://www.postgresql.org/docs/15/runtime-config-connection.html, runtime-config-client.html"""

_BACKENDS = ("sqlite", "postgresql")

T = TypeVar("T")


class DatabaseError(Exception):
    """A database cannot be read or written. errno, path: of a file, if the system said so."""

    def __init__(self, cause: str, errno: int = 0, path: str = "") -> None:
        super().__init__(cause)
        self.cause, self.errno, self.path = cause, errno, path


class BrokenDatabaseError(DatabaseError):
    """What is in the database cannot be used; `put_aside` helps. is_newer: a newer version of
    filterd made it, perhaps on another host."""

    def __init__(self, cause: str, *, is_newer: bool = False) -> None:
        super().__init__(cause)
        self.is_newer = is_newer


class Database:
    """One process's way to one database. Safe for threads. Methods raise DatabaseError, and
    BrokenDatabaseError if `put_aside` helps."""

    def __init__(self, url: URL, schema: Schema) -> None:
        self.schema = schema
        self._url = url
        is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
        self.file = SqliteFile(Path(str(url.database))) if is_file else None
        """The SQLite file; None for a server."""
        self._engine: sa.Engine | None = None
        self._direct: DirectConnections | None = None
        self._ready = False
        self._is_inherited = False
        self._identity: Identity | None = None
        self._mutex = threading.RLock()
        self._users: weakref.WeakSet[Any] = weakref.WeakSet()

    @contextmanager
    def transaction(self, user: object) -> Iterator[sa.Connection]:
        """One transaction. user: who has to `leave` before the connections are closed."""
        with ExitStack() as stack:
            engine = self._opened(stack, user, ready=True)
            yield stack.enter_context(engine.begin())

    @contextmanager
    def connection(self, user: object, *, ready: bool = True) -> Iterator[sa.Connection]:
        """A connection, whose transactions are the caller's affair. ready: False for tables of any
        kind, as they are."""
        with ExitStack() as stack:
            engine = self._opened(stack, user, ready=ready)
            yield stack.enter_context(engine.connect())

    def read(self, user: object, ask: Callable[[Statements], T], deadline: float) -> T:
        """What `ask` makes of what it reads in an SQLite file, in a fraction of the time that a
        transaction takes. deadline: on the monotonic clock, until which others may have the file
        alone."""
        return self._directly(user, lambda direct: direct.read(ask, deadline))

    def write(self, user: object, ask: Callable[[Statements], T], deadline: float) -> T:
        """The same in a transaction that writes. deadline: on the monotonic clock, until which
        others may keep the file's lock."""
        return self._directly(user, lambda direct: direct.write(ask, deadline))

    def _directly(self, user: object, ask: Callable[[DirectConnections], T]) -> T:
        # One function for what `transaction` has a context for each of: they would take longer than
        # SQLite does.
        file = self.file
        assert file is not None
        try:
            file.join()
            try:
                direct = self._ready_direct(user)
                return ask(direct)
            finally:
                file.leave()
        except OSError as error:
            raise self._of_files(error) from error
        except (sa.exc.SQLAlchemyError, WrongTablesError) as error:
            raise _told(error) from error

    def _ready_direct(self, user: object) -> DirectConnections:
        with self._mutex:
            self._ready_engine(user)
            if self._direct is None:
                self._direct = DirectConnections(self._connected)
            return self._direct

    def _connected(self) -> sqlite3.Connection:
        """A connection without transactions of Python's module."""
        assert self.file is not None
        made = sqlite3.connect(self.file.path, isolation_level=None, check_same_thread=False)
        self._prepare(made, None)
        return made

    @contextmanager
    def sole_connection(self, user: object) -> Iterator[sa.Connection]:
        """A connection of which there is one at a time for these tables on PostgreSQL, whatever the
        process and the host; waits for it. Users of an SQLite file need a lock of their own."""
        with ExitStack() as stack:
            engine = self._opened(stack, user, ready=True)
            connection = stack.enter_context(engine.connect())
            if engine.dialect.name == "postgresql":
                # The lock is the session's. In the pool the session would outlive its user.
                connection.detach()
                for name, value in _SOLE_SESSION.items():
                    connection.exec_driver_sql(f"SET {name} = {value}")
                key = sa.func.hashtextextended(self.schema.version_table, ADVISORY_LOCK)
                connection.execute(sa.select(sa.func.pg_advisory_lock(key)))
                connection.commit()
            yield connection

    def leave(self, user: object) -> None:
        """Close the connections if nobody else in this process uses them."""
        with self._mutex:
            self._users.discard(user)
            if not self._users:
                self._close()

    def check(self, user: object) -> None:
        """Read all of an SQLite file, and look at the tables. Raises DatabaseError."""
        with self.transaction(user) as connection:
            if self.file is not None:
                found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
                if found != "ok":
                    raise WrongTablesError(str(found))
            check(connection, self.schema)

    def put_aside(self, user: object, now: float) -> str:
        """Set aside what cannot be used, so that the next transaction begins with empty tables;
        return the name under which it is kept."""
        with errors(is_shared=self.file is None), self._errors_of_files():
            if self.file is None:
                return put_tables_aside(self._joined(user), self.schema, now)
            with self.file.in_use(alone=True):
                aside = self.file.put_aside(now)
            with self._mutex:
                self._close()
            return aside.name

    def leave_to_parent(self) -> object:
        """In a process that was forked: forget, without closing."""
        self._mutex = threading.RLock()
        inherited = self._engine, self._direct
        self._engine, self._direct, self._ready = None, None, False
        if self.file is not None:
            self.file.leave_to_parent()
            if inherited[0] is not None:
                self._is_inherited = True
        return inherited

    def __del__(self) -> None:
        self._close()

    def _opened(self, stack: ExitStack, user: object, *, ready: bool) -> sa.Engine:
        """The engine; the file is in use until the stack is left."""
        stack.enter_context(errors(is_shared=self.file is None))
        with self._errors_of_files():
            if self.file is not None:
                stack.enter_context(self.file.in_use())
            return self._ready_engine(user) if ready else self._joined(user)

    @contextmanager
    def _errors_of_files(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._of_files(error) from error

    def _of_files(self, error: OSError) -> DatabaseError:
        path = error.filename or (self.file.path if self.file else "")
        return DatabaseError(error.strerror or str(error), error.errno or 0, str(path))

    def _ready_engine(self, user: object) -> sa.Engine:
        """An engine whose tables are as they should be."""
        with self._mutex:
            engine = self._joined(user)
            if not self._ready:
                bring_up_to_date(engine, self.schema)
                self._ready = True
                self._identity = self.file.identity() if self.file else None
            return engine

    def _joined(self, user: object) -> sa.Engine:
        with self._mutex:
            self._users.add(user)
            if self.file is not None and self._engine is not None:
                self._close_if_replaced(self.file)
            if self._engine is None:
                self._engine = self._new_engine()
                self._identity = self.file.identity() if self.file else None
            return self._engine

    def _close_if_replaced(self, file: SqliteFile) -> None:
        """Leave a file that has another name now, or whose write-ahead log is gone."""
        now, opened = file.identity(), self._identity
        is_same_file = now is not None and opened is not None and now[:2] == opened[:2]
        # Before the tables are ready there may have been no log yet.
        if now == opened or (is_same_file and not self._ready):
            return
        if is_same_file and self._is_open():
            log.error(
                "the write-ahead log of %s was removed by another program%s",
                file.path,
                f"; {self.schema.repair}" if self.schema.repair else "",
            )
        self._close()

    def _new_engine(self) -> sa.Engine:
        if self.file is not None:
            if self._is_inherited:
                raise InheritedError(self.file.path)
            if fault := self.file.fault():
                raise WrongTablesError(fault)
            self.file.create()
        try:
            engine = sa.create_engine(self._url, pool_size=1, pool_pre_ping=self.file is None)
        except ImportError as error:
            raise DatabaseError(
                f"{error.name} is not installed; expected `pip install filterd[postgresql]`"
            ) from None
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", self._prepare)
        return engine

    def _prepare(self, connection: Any, _record: object) -> None:
        """What each new connection to SQLite is told."""
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int((self.schema.busy or BUSY_LIMIT) * 1000)}")
        for pragma in self.schema.pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        connection.create_function("matches", 2, matches, deterministic=True)

    def _is_open(self) -> bool:
        pool = None if self._engine is None else self._engine.pool
        if self._direct is not None:
            return True
        return isinstance(pool, sa.pool.QueuePool) and pool.checkedin() > 0

    def _close(self) -> None:
        if self._direct is not None:
            self._direct.close()
            self._direct = None
        if self._engine is not None:
            self._engine.dispose()
        self._engine, self._ready, self._identity = None, False, None


_databases: weakref.WeakValueDictionary[str, Database] = weakref.WeakValueDictionary()
_databases_mutex = threading.Lock()
_inherited: list[object] = []
"""Engines of the process from which this one was forked: their connections must not be closed
here."""


@contextmanager
def errors(*, is_shared: bool = False) -> Iterator[None]:
    """Raise errors of a database as DatabaseError, those of its content as BrokenDatabaseError.

    is_shared: other hosts may use it.
    """
    try:
        yield
    except (sa.exc.SQLAlchemyError, WrongTablesError) as error:
        raise _told(error, is_shared=is_shared) from error


def _told(error: Exception, *, is_shared: bool = False) -> DatabaseError:
    """The error as `errors` raises it."""
    if isinstance(error, WrongTablesError):
        is_newer = is_shared and isinstance(error, UnknownFormError)
        return BrokenDatabaseError(str(error), is_newer=is_newer)
    cause = str(getattr(error, "orig", None) or error).splitlines()[0]
    return BrokenDatabaseError(cause) if _is_about_content(error) else DatabaseError(cause)


def database(url: str, file: Path, schema: Schema) -> Database:
    """This process's way to a database. An empty URL is the SQLite file.

    Raises DatabaseError for a URL that cannot be one.
    """
    try:
        made = make_url(url) if url else URL.create("sqlite", database=str(file.absolute()))
    except sa.exc.ArgumentError:
        made = URL.create("")
    if made.get_backend_name() not in _BACKENDS:
        # The URL may contain a password.
        raise DatabaseError(
            "not a URL of a database; expected postgresql+psycopg://USER@HOST/NAME or "
            "sqlite:////PATH"
        )
    # The file as well: who has another folder may have come for other tables by the same URL.
    key = f"{made.render_as_string(hide_password=False)} {schema.version_table} {file.absolute()}"
    with _databases_mutex:
        found = _databases.get(key)
        if found is None:
            found = _databases[key] = Database(made, schema)
        return found


def _after_fork() -> None:
    global _databases_mutex  # noqa: PLW0603
    _databases_mutex = threading.Lock()
    _inherited.extend(one.leave_to_parent() for one in list(_databases.values()))


os.register_at_fork(after_in_child=_after_fork)


def _is_about_content(error: BaseException) -> bool:
    """True if the database's content is at fault, and not a lock, a permission or the server."""
    cause = getattr(error, "orig", None)
    if isinstance(error, sa.exc.IntegrityError) or cause is None:
        return False
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return state != _NOT_ALLOWED and str(state).startswith(_ABOUT_CONTENT)
    return type(cause).__module__.startswith("sqlite3") and is_broken(cause)
