"""The journal's tables; alembic's migrations in `migrations` make them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from filterd.database.schema import Schema, WrongTablesError, check_columns

meta = sa.MetaData()

# `current`: the generation that the journal describes. `folder`: the number of the folder in which
# the model files are.
facts = sa.Table(
    "meta",
    meta,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)

batches = sa.Table(
    "batch",
    meta,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("started", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("about", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("undone_by", sa.Integer, sa.ForeignKey("batch.id")),
)

generations = sa.Table(
    "generation",
    meta,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("batch", sa.Integer, sa.ForeignKey("batch.id"), nullable=False),
    sa.Column("written", sa.Text, nullable=False),
    sa.Column("live", sa.Boolean, nullable=False),
)

lessons = sa.Table(
    "lesson",
    meta,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.LargeBinary, nullable=False),
    sa.Column("spam", sa.Boolean, nullable=False),
    sa.Column("step", sa.Float, nullable=False),
    sa.Column("counted", sa.Boolean, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("time", sa.Text, nullable=False),
    sa.Column("batch", sa.Integer, sa.ForeignKey("batch.id"), nullable=False),
    sa.Column("born", sa.Integer, nullable=False),
    sa.Column("died", sa.Integer),
)

# Messages that were learned without a person, of the last day.
automatic = sa.Table(
    "automatic",
    meta,
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("sender", sa.Text, primary_key=True),
    sa.Column("learned", sa.Integer, nullable=False),
)


def _made_before(connection: sa.Connection) -> None:
    """Tables of versions without migrations have no form. The first migration leaves them as they
    are and makes what is missing."""
    inspector = sa.inspect(connection)
    there = [table for table in meta.sorted_tables if inspector.has_table(table.name)]
    if there and connection.dialect.name == "postgresql":
        raise WrongTablesError(f"a table {there[0].name} is there that filterd did not make")
    check_columns(connection, there)


SCHEMA = Schema(
    title="training journal",
    meta=meta,
    folder=Path(__file__).parent / "migrations",
    forms=("0001",),
    version_table="journal_version",
    before=_made_before,
    # On disk at each commit: the model's next version is put in force right after it. A page cache
    # of 64 MiB holds the index of a few hundred thousand messages.
    pragmas=("synchronous = FULL", "cache_size = -65536"),
    busy=30.0,
)
