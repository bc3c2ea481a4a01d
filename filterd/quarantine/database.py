"""The database under the index: one engine for each process and database, whoever asks for it.

An SQLite file is used as `filterd.sqlite` says: nothing but SQLite opens it, and another process
may put it aside between two transactions. A database that cannot be used is told apart from one
that cannot be had (locked, no permission, no server): `filterd quarantine fsck` makes the first one
again from files and journal.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from filterd.database.sqlite import Identity, InheritedError, SqliteFile, is_broken
from filterd.quarantine.files import StoreError
from filterd.quarantine.query import matches
from filterd.quarantine.rows import tune_sqlite
from filterd.quarantine.schema import (
    UnknownFormError,
    WrongTablesError,
    bring_up_to_date,
    check,
    put_tables_aside,
)

log = logging.getLogger(__name__)

_ABOUT_CONTENT = ("42", "XX", "22", "0A")
"""Classes of PostgreSQL's SQLSTATE that speak of tables and what is in them: an unknown table or
column, a damaged page, data of a wrong kind, a kind of table that cannot do this."""

_NOT_ALLOWED = "42501"
"""SQLSTATE of what the user may not do: that is not mended by other tables."""


class BrokenIndexError(StoreError):
    """What is in the database cannot be used; files and journal make it again. is_newer: a newer
    version of filterd made it, perhaps on another host."""

    def __init__(self, cause: str, *, is_newer: bool = False) -> None:
        self.cause, self.is_newer = cause, is_newer
        option = " --rebuild" if is_newer else ""
        super().__init__(
            0,
            f"quarantine index: {cause}; `filterd quarantine fsck{option}` puts it aside and "
            "makes it again from the files",
        )


class Database:
    """One process's way to one database. Safe for threads."""

    def __init__(self, url: URL, folder: Path) -> None:
        self._url = url
        self._folder = folder
        is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
        self._file = SqliteFile(Path(str(url.database))) if is_file else None
        self._engine: sa.Engine | None = None
        self._ready = False
        self._is_inherited = False
        self._identity: Identity | None = None
        self._mutex = threading.RLock()
        self._users: weakref.WeakSet[Any] = weakref.WeakSet()

    @contextmanager
    def transaction(self, user: object) -> Iterator[sa.Connection]:
        """One transaction. user: who has to `leave` before the connections are closed.

        Raises StoreError for whatever the database says, BrokenIndexError if `put_aside` helps.
        """
        with self._errors(), self._in_use(), self._ready_engine(user).begin() as connection:
            yield connection

    def leave(self, user: object) -> None:
        """Close the connections if nobody else in this process uses them."""
        with self._mutex:
            self._users.discard(user)
            if not self._users:
                self._close()

    def check(self, user: object) -> None:
        """Read all of an SQLite file, and look at the tables. Raises as `transaction` does."""
        with self.transaction(user) as connection:
            if self._file is not None:
                found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
                if found != "ok":
                    raise WrongTablesError(str(found))
            check(connection)

    def put_aside(self, user: object, now: float) -> str:
        """Put away what cannot be used, so that the next transaction begins with empty tables; the
        name under which it is kept. Raises StoreError."""
        with self._errors():
            if self._file is None:
                return put_tables_aside(self._joined(user), now)
            with self._file.in_use(alone=True):
                aside = self._file.put_aside(now)
            with self._mutex:
                self._close()
            return aside.name

    @contextmanager
    def raw(self, user: object) -> Iterator[sa.Connection]:
        """A connection to tables of any kind, as they are. Raises StoreError."""
        with self._errors(), self._in_use(), self._joined(user).connect() as connection:
            yield connection

    def leave_to_parent(self) -> object:
        """In a process that was forked: forget, without closing."""
        self._mutex = threading.RLock()
        inherited, self._engine, self._ready = self._engine, None, False
        if self._file is not None and inherited is not None:
            self._is_inherited = True
        return inherited

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except WrongTablesError as error:
            is_newer = self._file is None and isinstance(error, UnknownFormError)
            raise BrokenIndexError(str(error), is_newer=is_newer) from error
        except sa.exc.SQLAlchemyError as error:
            cause = str(getattr(error, "orig", None) or error).splitlines()[0]
            if _is_about_content(error):
                raise BrokenIndexError(cause) from error
            raise StoreError(0, f"quarantine index: {cause}") from error
        except StoreError:
            raise
        except OSError as error:
            path = error.filename or (self._file.path if self._file else self._folder)
            raise StoreError(
                error.errno or 0, f"quarantine index: {error.strerror or error}", str(path)
            ) from error

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        if self._file is None:
            yield
            return
        with self._file.in_use():
            yield

    def _ready_engine(self, user: object) -> sa.Engine:
        """An engine whose tables are as they should be."""
        with self._mutex:
            engine = self._joined(user)
            if not self._ready:
                bring_up_to_date(engine, self._folder)
                self._ready = True
                self._identity = self._file.identity() if self._file else None
            return engine

    def _joined(self, user: object) -> sa.Engine:
        with self._mutex:
            self._users.add(user)
            if self._file is not None and self._engine is not None and self._ready:
                now = self._file.identity()
                if now != self._identity:
                    if now and self._identity and now[:2] == self._identity[:2] and self._is_open():
                        log.error(
                            "the write-ahead log of %s was removed by another program; "
                            "`filterd quarantine fsck` adds the rows that are missing",
                            self._file.path,
                        )
                    self._close()
            if self._engine is None:
                self._engine = self._new_engine()
            return self._engine

    def _new_engine(self) -> sa.Engine:
        if self._file is not None:
            if self._is_inherited:
                raise InheritedError(self._file.path)
            if fault := self._file.fault():
                raise WrongTablesError(fault)
            self._file.create()
        engine = sa.create_engine(self._url, pool_size=1, pool_pre_ping=self._file is None)
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", tune_sqlite)
            sa.event.listen(engine, "connect", _teach_matching)
        return engine

    def _is_open(self) -> bool:
        pool = None if self._engine is None else self._engine.pool
        return isinstance(pool, sa.pool.QueuePool) and pool.checkedin() > 0

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
        self._engine, self._ready, self._identity = None, False, None


_databases: weakref.WeakValueDictionary[str, Database] = weakref.WeakValueDictionary()
_databases_mutex = threading.Lock()
_inherited: list[object] = []
"""Engines of the process from which this one was forked: their connections must not be closed
here."""


def database(url: str, folder: Path) -> Database:
    """This process's way to the database; an empty URL is the SQLite file in the folder."""
    path = (folder / "index.sqlite").absolute()
    made = make_url(url) if url else URL.create("sqlite", database=str(path))
    key = f"{made.render_as_string(hide_password=False)} {folder.absolute()}"
    with _databases_mutex:
        found = _databases.get(key)
        if found is None:
            found = _databases[key] = Database(made, folder)
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


def _teach_matching(connection: Any, _record: object) -> None:
    connection.create_function("matches", 2, matches, deterministic=True)
