"""The index's tables; alembic's migrations in `migrations` make them."""

from __future__ import annotations

import logging
from pathlib import Path

import sqlalchemy as sa

from filterd.database.schema import Schema

log = logging.getLogger(__name__)

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


def _begin_anew(connection: sa.Connection) -> None:
    """Tables without a form are a migration that an older version of filterd had not finished. What
    the index holds can be made again."""
    if sa.inspect(connection).has_table(messages.name):
        log.warning("the quarantine's index is new and empty; `filterd quarantine fsck` fills it")
        meta.drop_all(connection)


SCHEMA = Schema(
    title="quarantine index",
    meta=meta,
    folder=Path(__file__).parent / "migrations",
    forms=("0001", "0002"),
    version_table="alembic_version",
    before=_begin_anew,
    # Files and journal are fsynced and bring back any row: the index need not wait for the disk.
    pragmas=("journal_mode = WAL", "synchronous = NORMAL"),
    repair="`filterd quarantine fsck` adds the rows that are missing",
)
