"""The index's tables, and a database brought to their newest form.

Alembic's migrations make and change the tables; `HEAD` is the newest one. A worker that finds the
database at `HEAD` goes on at once and never loads alembic.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from filterd.database.sqlite import ALONE_LIMIT

log = logging.getLogger(__name__)

FORMS = ("0001", "0002")
"""Revisions of the migrations in `migrations/versions`, in order."""

HEAD = FORMS[-1]
"""Revision of the newest one."""

ADVISORY_LOCK = 0x66696C74
"""Number of the lock under which PostgreSQL lets one host migrate (`filt`, in ASCII)."""

LOCK_NOT_AVAILABLE = "55P03"
"""SQLSTATE of a lock that is not waited for."""

meta = sa.MetaData()

messages = sa.Table(
    "messages",
    meta,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("received", sa.Float, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sender", sa.Text, nullable=False),
    sa.Column("recipients", sa.Text, nullable=False),
    sa.Column("client_address", sa.Text, nullable=False),
    sa.Column("queue_id", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("header_from", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("reason", sa.String(32), nullable=False),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("symbols", sa.Text, nullable=False),
    sa.Column("virus", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("pinned", sa.Boolean, nullable=False),
    # All that a free search looks at, casefolded, in one text: one comparison a row, not eight.
    sa.Column("words", sa.Text, nullable=False),
    sa.Index("messages_counted", "reason", "state", "size"),
    sa.Index("messages_newest", "received", "id"),  # and "words" on SQLite
    sa.Index("messages_by_state", "state", "received", "id"),
    sa.Index("messages_by_reason", "reason", "received", "id"),
)

deliveries = sa.Table(
    "deliveries",
    meta,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("recipient", sa.Text, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("changed", sa.Float, nullable=False),
    sa.Column("reply", sa.Text, nullable=False),
    sa.Column("queue_id", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("again_at", sa.Float, nullable=False),
    sa.Column("form", sa.String(16), nullable=False),
    sa.Index("deliveries_by_state", "state", "again_at"),
)

# Whom a digest has told of what came up to when, and who is at it since when (seconds since 1970).
digests = sa.Table(
    "digests",
    meta,
    sa.Column("recipient", sa.Text, primary_key=True),
    sa.Column("told", sa.Float, nullable=False),
    sa.Column("claimed", sa.Float, nullable=False),
)


class WrongTablesError(Exception):
    """Tables that are not the index's, or are damaged."""


class UnknownFormError(WrongTablesError):
    """Tables of a form that this version of filterd does not know."""

    def __init__(self, revision: str | None) -> None:
        super().__init__(f"its form is {revision}, this version of filterd knows {HEAD} and older")


def bring_up_to_date(engine: sa.Engine, folder: Path) -> None:
    """Make or change the tables if the database is not at `HEAD`. folder: where a lock may be.

    Raises SQLAlchemyError, OSError, and WrongTablesError for a form that this version of filterd
    does not know.
    """
    if _revision(engine) == HEAD:
        return
    with _lock(engine, folder), engine.begin() as connection:
        revision = _revision(engine)
        if revision == HEAD:
            return
        if revision is not None and revision not in FORMS:
            raise UnknownFormError(revision)
        if revision is None and sa.inspect(connection).has_table("messages"):
            # A migration that was cut short. What the index holds can be made again.
            log.warning("the quarantine's index begins anew; `filterd quarantine fsck` fills it")
            meta.drop_all(connection)
        _migrate(connection)


def check(connection: sa.Connection) -> None:
    """Look whether the tables are those of `HEAD`. Raises WrongTablesError, SQLAlchemyError."""
    if (revision := _revision_of(connection)) != HEAD:
        raise UnknownFormError(revision)
    inspector = sa.inspect(connection)
    for table in meta.sorted_tables:
        wanted, found = set(table.columns.keys()), set[str]()
        if inspector.has_table(table.name):
            found = {column["name"] for column in inspector.get_columns(table.name)}
        if found != wanted:
            wrong = ", ".join(sorted(found ^ wanted))
            raise WrongTablesError(f"its table {table.name} has other columns ({wrong})")


def put_tables_aside(engine: sa.Engine, now: float) -> str:
    """Move the tables of a PostgreSQL database, with their indexes, into a schema of their own, and
    make new ones; the schema's name. Raises SQLAlchemyError."""
    name = f"filterd_broken_{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}".lower()
    deadline = time.monotonic() + ALONE_LIMIT
    while True:
        try:
            with engine.begin() as connection:
                return _move_tables(connection, name)
        except sa.exc.OperationalError as error:
            busy = getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE
            if not busy or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _move_tables(connection: sa.Connection, wanted: str) -> str:
    """Into a schema of the wanted name, or of that and a number where it is taken; its name."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))
    inspector = sa.inspect(connection)
    taken, name, number = set(inspector.get_schema_names()), wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    present = [table for table in (*meta.tables, "alembic_version") if inspector.has_table(table)]
    if present:
        # To wait for one table with another one locked would be a deadlock with who uses both.
        connection.execute(
            sa.text(f"LOCK TABLE {', '.join(present)} IN ACCESS EXCLUSIVE MODE NOWAIT")
        )
    connection.execute(sa.schema.CreateSchema(name))
    for table in present:
        connection.execute(sa.text(f"ALTER TABLE {table} SET SCHEMA {name}"))
    _migrate(connection)
    return name


def _revision(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        return _revision_of(connection)


def _revision_of(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def _migrate(connection: sa.Connection) -> None:
    # It tells of its plugins and of every step, as if that were news of the mail flow.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command  # noqa: PLC0415  (costs 0.1 s, needed once in a database's life)
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


@contextmanager
def _lock(engine: sa.Engine, folder: Path) -> Iterator[None]:
    """One process at a time: by the database on PostgreSQL, by a file beside SQLite's."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_lock(ADVISORY_LOCK)))
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(ADVISORY_LOCK)))
        return
    folder.mkdir(0o700, parents=True, exist_ok=True)
    handle = os.open(folder / ".index.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
