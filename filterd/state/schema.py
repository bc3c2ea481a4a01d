"""The state's tables; alembic's migrations in `migrations` make them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from filterd.database.schema import Schema, filled, refuse_foreign

PAGE_SIZE = 4096
"""Octets of a page of SQLite's files, https://www.sqlite.org/pragma.html#pragma_page_size"""

LOG_SIZE = 16 << 20
"""Octets of the write-ahead log from which it is written into the file, which waits for the disk:
every message changes some pages, most of them the same ones."""

meta = sa.MetaData()

entries = sa.Table(
    "state_entry",
    meta,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    *filled(sa.Double, "first", "last"),
    *filled(sa.BigInteger, "count"),
    *filled(sa.Double, "expires"),
    *filled(sa.Text, "value"),
)

counts = sa.Table(
    "state_count",
    meta,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("seconds", sa.Integer, primary_key=True),
    *filled(sa.BigInteger, "slot"),
    *filled(sa.Double, "latest", "former", "expires"),
)


def _made_before(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        refuse_foreign(connection, meta.sorted_tables)


def schema(timeout: float, size_limit: int) -> Schema:
    """The tables. timeout: seconds that a writer to SQLite waits for another one. size_limit: MiB
    of an SQLite file."""
    return Schema(
        title="state",
        meta=meta,
        folder=Path(__file__).parent / "migrations",
        forms=("0001",),
        version_table="state_version",
        before=_made_before,
        pragmas=(
            "journal_mode = WAL",
            "synchronous = NORMAL",
            f"wal_autocheckpoint = {LOG_SIZE // PAGE_SIZE}",
            f"max_page_count = {(size_limit << 20) // PAGE_SIZE}",
        ),
        busy=timeout,
    )
