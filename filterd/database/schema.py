"""A room's tables, and a database brought to their newest form.

Alembic's migrations make and change the tables; in a new SQLite file `filterd.database.newest`
makes them. A process that finds the database at the newest form goes on at once. Neither loads
alembic.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from filterd.database import newest
from filterd.database.sqlite import ALONE_LIMIT, SqliteFile

if TYPE_CHECKING:
    from alembic.config import Config

TypeOfColumn = type[sa.types.TypeEngine[Any]] | sa.types.TypeEngine[Any]

ADVISORY_LOCK = 0x66696C74
"""Number of the lock under which PostgreSQL lets one host migrate (`filt`, in ASCII)."""

LOCK_NOT_AVAILABLE = "55P03"
"""SQLSTATE of a lock that is not waited for."""

ONLY_POSTGRESQL = "only PostgreSQL"
"""Key in a column's `info`: SQLite's tables have it without saying so, as they have `rowid`."""


log = logging.getLogger(__name__)

_alembic_mutex = threading.Lock()
"""Alembic keeps what it works on in global names: two threads cannot migrate at the same time,
whatever their databases are."""


class WrongTablesError(Exception):
    """Tables that are not this room's, or are damaged."""


class UnknownFormError(WrongTablesError):
    """Tables of a form that this version of filterd does not know."""

    def __init__(self, revision: str | None, newest: str, file: SqliteFile | None = None) -> None:
        text = f"its form is {revision}, this version of filterd knows {newest} and older"
        copy = None if file is None or revision is None else file.copy_before(revision)
        if copy is not None and copy.is_file():
            text += f"; as it was before that, it is in {copy}"
        super().__init__(text)


def filled(kind: TypeOfColumn, *names: str) -> list[sa.Column[Any]]:
    """Columns of one type that always have a value."""
    return [sa.Column(name, kind, nullable=False) for name in names]


def refuse_foreign(connection: sa.Connection, tables: Iterable[sa.Table]) -> None:
    """For a server's database without a form: raises WrongTablesError if somebody else has tables
    of these names."""
    inspector = sa.inspect(connection)
    for table in tables:
        if inspector.has_table(table.name):
            raise WrongTablesError(f"a table {table.name} is there that filterd did not make")


def _nothing_before(_connection: sa.Connection) -> None:
    return None


@dataclass(frozen=True)
class Schema:
    """The tables of one room.

    title: as errors and the log name the database. folder: of alembic's migrations. forms: their
    revisions, in order. version_table: where alembic notes the form; each room has its own, for
    they may share a database. before: asked once about a database without a form. It returns the
    form that its tables have, None if there are none, and raises WrongTablesError for others.
    pragmas: what each connection to SQLite is told; the usual ones let readers and a writer work at
    the same time, and a power cut take the last transactions. busy: seconds that a writer to SQLite
    waits for another one, None: the usual ones. repair: what brings back rows that were lost with a
    write-ahead log.
    """

    title: str
    meta: sa.MetaData
    folder: Path
    forms: tuple[str, ...]
    version_table: str
    before: Callable[[sa.Connection], str | None] = _nothing_before
    pragmas: tuple[str, ...] = ("journal_mode = WAL", "synchronous = NORMAL")
    busy: float | None = None
    repair: str = ""

    @property
    def newest(self) -> str:
        """Revision of the newest migration."""
        return self.forms[-1]


def bring_up_to_date(engine: sa.Engine, schema: Schema) -> None:
    """Make or change the tables if the database is not at the newest form.

    In one transaction, which one process at a time can have: a crash leaves the form that was
    there. An SQLite file is copied before. Raises OSError, SQLAlchemyError, and WrongTablesError
    for tables that cannot be brought there.
    """
    file = None
    if engine.dialect.name == "sqlite" and engine.url.database not in (None, "", ":memory:"):
        file = SqliteFile(Path(str(engine.url.database)))
    with engine.connect() as connection:
        if _form(connection, schema) == schema.newest:
            return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))
        else:
            # Python's module would begin a transaction before rows are changed, not before tables.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        found = _form(connection, schema)
        if found == schema.newest:
            return
        if found is not None and found not in schema.forms:
            raise UnknownFormError(found, schema.newest, file)
        is_noted = found is not None
        if found is None:
            found = schema.before(connection)
        if file is not None and found not in (None, schema.newest):
            _save_copy(engine, file, schema)
        if found is None and engine.dialect.name == "sqlite" and newest.is_empty(connection):
            newest.make(connection, schema.folder)
            return
        if found is not None and not is_noted:
            _alembic(connection, schema, found, stamp=True)
        if found != schema.newest:
            migrate(connection, schema)


def migrate(connection: sa.Connection, schema: Schema) -> None:
    """Run the migrations up to the newest form, in the transaction that has begun. Raises
    SQLAlchemyError."""
    _alembic(connection, schema, schema.newest)


def _save_copy(engine: sa.Engine, file: SqliteFile, schema: Schema) -> None:
    """Keep the file as it is for who goes back to the former version of filterd. The transaction
    that is to change it has begun, on another connection."""
    with engine.connect() as connection:

        def write(path: Path) -> None:
            connection.exec_driver_sql("VACUUM INTO ?", (str(path),))

        kept = file.save_copy(schema.newest, write)
    log.info("%s: kept in %s, before its tables are changed", schema.title, kept)


def check(connection: sa.Connection, schema: Schema) -> None:
    """Look whether the tables are those of the newest form. Raises WrongTablesError,
    SQLAlchemyError."""
    if (found := _form(connection, schema)) != schema.newest:
        raise UnknownFormError(found, schema.newest)
    check_columns(connection, schema.meta.sorted_tables)


def check_columns(
    connection: sa.Connection, tables: Iterable[sa.Table], later: Container[str] = ()
) -> None:
    """Look whether these tables have their columns and no others. Raises WrongTablesError,
    SQLAlchemyError. later: columns that a migration adds which these tables have not seen."""
    inspector = sa.inspect(connection)
    is_sqlite = connection.dialect.name == "sqlite"
    for table in tables:
        wanted = {
            column.name
            for column in table.columns
            if not (is_sqlite and column.info.get(ONLY_POSTGRESQL)) and column.name not in later
        }
        found = set[str]()
        if inspector.has_table(table.name):
            found = {column["name"] for column in inspector.get_columns(table.name)}
        if found != wanted:
            wrong = ", ".join(sorted(found ^ wanted))
            raise WrongTablesError(f"its table {table.name} has other columns ({wrong})")


def put_tables_aside(engine: sa.Engine, schema: Schema, now: float) -> str:
    """Move a room's tables in a PostgreSQL database, with their indexes, into a schema of their
    own, and make new ones; the schema's name. Raises SQLAlchemyError."""
    name = f"filterd_broken_{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}".lower()
    deadline = time.monotonic() + ALONE_LIMIT
    while True:
        try:
            with engine.begin() as connection:
                return _move_tables(connection, schema, name)
        except sa.exc.OperationalError as error:
            busy = getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE
            if not busy or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def run_migrations() -> None:
    """For the `env.py` of each room: run alembic's migrations on the connection that it was given.

    A connection is given as the attribute `connection` of alembic's configuration, and the schema
    as the attribute `schema`.
    """
    from alembic import context  # noqa: PLC0415  (see `_alembic`)

    given = context.config.attributes
    schema: Schema = given["schema"]
    context.configure(
        connection=given["connection"],
        target_metadata=schema.meta,
        version_table=schema.version_table,
    )
    with context.begin_transaction():
        context.run_migrations()


def alembic_config(connection: sa.Connection, schema: Schema) -> Config:
    """What alembic's commands need to know."""
    from alembic.config import Config  # noqa: PLC0415  (see `_alembic`)

    config = Config()
    _set_location(config, schema.folder)
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    return config


def _set_location(config: Config, folder: Path) -> None:
    # A percent sign would begin a reference to another option.
    config.set_main_option("script_location", str(folder).replace("%", "%%"))


def _form(connection: sa.Connection, schema: Schema) -> str | None:
    table = schema.version_table
    if not sa.inspect(connection).has_table(table):
        return None
    found = connection.scalar(sa.select(sa.column("version_num")).select_from(sa.table(table)))
    return None if found is None else str(found)


def _alembic(connection: sa.Connection, schema: Schema, form: str, *, stamp: bool = False) -> None:
    """Upgrade to a form; stamp: only note that the tables have it."""
    # It tells of its plugins and of every step, as if that were news of the mail flow.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command  # noqa: PLC0415  (costs 0.1 s, needed once in a database's life)

    config = alembic_config(connection, schema)
    with _alembic_mutex, _accessible(schema.folder) as folder:
        _set_location(config, folder)
        (command.stamp if stamp else command.upgrade)(config, form)


@contextlib.contextmanager
def _accessible(folder: Path) -> Iterator[Path]:
    """The folder, or a copy of it: alembic asks access(2) for it, which does not count that root,
    acting as another user, may read all files (see `filterd.system.privileges`)."""
    if os.access(folder, os.F_OK):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="filterd-migrations-") as place:
        copy = Path(place) / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
        yield copy


def _move_tables(connection: sa.Connection, schema: Schema, wanted: str) -> str:
    """Into a schema of the wanted name, or of that and a number where it is taken; its name."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))
    inspector = sa.inspect(connection)
    taken, name, number = set(inspector.get_schema_names()), wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    tables = (*schema.meta.tables, schema.version_table)
    present = [table for table in tables if inspector.has_table(table)]
    if present:
        # To wait for one table with another one locked would be a deadlock with anybody who uses
        # both.
        connection.execute(
            sa.text(f"LOCK TABLE {', '.join(present)} IN ACCESS EXCLUSIVE MODE NOWAIT")
        )
    connection.execute(sa.schema.CreateSchema(name))
    for table in present:
        connection.execute(sa.text(f"ALTER TABLE {table} SET SCHEMA {name}"))
    migrate(connection, schema)
    return name


def _after_fork() -> None:
    global _alembic_mutex  # noqa: PLW0603
    _alembic_mutex = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
