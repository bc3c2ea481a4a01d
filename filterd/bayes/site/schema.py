"""The journal's tables; alembic's migrations in `migrations` make them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from filterd.database.schema import Schema, check_columns, filled, refuse_foreign

meta = sa.MetaData()

# `current`: the generation that the journal describes. `folder`: the number of the folder in which
# the model files are.
facts = sa.Table(
    "meta",
    meta,
    sa.Column("name", sa.Text, primary_key=True),
    *filled(sa.BigInteger, "value"),
)

batches = sa.Table(
    "batch",
    meta,
    sa.Column("id", sa.Integer, primary_key=True),
    *filled(sa.Text, "started", "source", "about", "state"),
    sa.Column("undone_by", sa.Integer, sa.ForeignKey("batch.id")),
)

generations = sa.Table(
    "generation",
    meta,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("batch", sa.Integer, sa.ForeignKey("batch.id"), nullable=False),
    *filled(sa.Text, "written"),
    *filled(sa.Boolean, "live"),
)

lessons = sa.Table(
    "lesson",
    meta,
    sa.Column("id", sa.Integer, primary_key=True),
    *filled(sa.LargeBinary, "key"),
    *filled(sa.Boolean, "spam", "counted"),
    *filled(sa.Float, "step"),
    *filled(sa.Text, "source", "time"),
    sa.Column("batch", sa.Integer, sa.ForeignKey("batch.id"), nullable=False),
    *filled(sa.Integer, "born"),
    sa.Column("died", sa.Integer),
    # What one window was taught besides: its words, and the step; all NULL if none was.
    sa.Column("window_start", sa.Integer),
    sa.Column("window_end", sa.Integer),
    sa.Column("window_step", sa.Float),
)
WINDOW = (lessons.c.window_start, lessons.c.window_end, lessons.c.window_step)

# Messages that were learned without a person, of the last day.
automatic = sa.Table(
    "automatic",
    meta,
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("sender", sa.Text, primary_key=True),
    *filled(sa.Integer, "learned"),
)


def _made_before(connection: sa.Connection) -> None:
    """Tables of versions without migrations have no form. The first migration leaves them as they
    are and makes what is missing."""
    if connection.dialect.name == "postgresql":
        refuse_foreign(connection, meta.sorted_tables)
    inspector = sa.inspect(connection)
    made = [table for table in meta.sorted_tables if inspector.has_table(table.name)]
    check_columns(connection, made, later=[column.name for column in WINDOW])


SCHEMA = Schema(
    title="training journal",
    meta=meta,
    folder=Path(__file__).parent / "migrations",
    forms=("0001", "0002"),
    version_table="journal_version",
    before=_made_before,
    # On disk at each commit: the model's next version is put in force right after it. A page cache
    # of 64 MiB holds the index of a few hundred thousand messages.
    pragmas=("synchronous = FULL", "cache_size = -65536"),
    busy=30.0,
)
