"""The index's tables; alembic's migrations in `migrations` make them."""

from __future__ import annotations

import logging
from pathlib import Path

import sqlalchemy as sa

from filterd.database.schema import Schema, filled

log = logging.getLogger(__name__)

SENDER_LENGTH = 100
"""Characters of the envelope sender that a list is sorted by: an index has a longest entry."""

NAME_LENGTH = 64
"""Characters of a reviewer's name."""

meta = sa.MetaData()

messages = sa.Table(
    "messages",
    meta,
    sa.Column("id", sa.String(64), primary_key=True),
    *filled(sa.Float, "received", "score"),
    *filled(sa.BigInteger, "size"),
    *filled(sa.Text, "sender", "recipients", "client_address", "queue_id", "message_id"),
    *filled(sa.Text, "header_from", "subject", "symbols", "virus", "path"),
    *filled(sa.String(32), "reason"),
    *filled(sa.String(16), "action", "state"),
    *filled(sa.Boolean, "pinned"),
    # All that a free search looks at, casefolded, in one text: one comparison a row, not eight.
    *filled(sa.Text, "words"),
    sa.Index("messages_counted", "reason", "state", "size"),
    sa.Index("messages_newest", "received", "id"),  # and "words" on SQLite
    sa.Index("messages_by_state", "state", "received", "id"),
    sa.Index("messages_by_reason", "reason", "received", "id"),
)

SENDER_ORDER = sa.func.substr(
    # Written out: an index on an expression serves no other numbers, and no parameters.
    sa.func.lower(messages.c.sender),
    sa.literal_column("1"),
    sa.literal_column(str(SENDER_LENGTH)),
    type_=sa.Text,
)
"""What a list is sorted by that is sorted by sender."""

for _name, _order in (
    ("score", messages.c.score),
    ("size", messages.c.size),
    ("sender", SENDER_ORDER),
):
    # State and reason as well: rows of others are passed over without a look at them.
    sa.Index(f"messages_by_{_name}", _order, messages.c.id, messages.c.state, messages.c.reason)

deliveries = sa.Table(
    "deliveries",
    meta,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("recipient", sa.Text, primary_key=True),
    *filled(sa.String(16), "state", "form"),
    *filled(sa.Float, "changed", "again_at"),
    *filled(sa.Text, "reply", "queue_id"),
    *filled(sa.Integer, "attempts"),
    # What its recipient wants, and since when (seconds since 1970).
    *filled(sa.Float, "asked", "refused", "dismissed"),
    *filled(sa.Text, "request_note"),
    sa.Index("deliveries_by_state", "state", "again_at"),
    sa.Index("deliveries_asked", "asked"),
)

# Whom a digest has told of what came up to when, and who is at it since when (seconds since 1970).
digests = sa.Table(
    "digests",
    meta,
    sa.Column("recipient", sa.Text, primary_key=True),
    *filled(sa.Float, "told", "claimed"),
)

# Which reviewer has seen which message; goes with the message.
seen = sa.Table(
    "seen",
    meta,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("reviewer", sa.String(NAME_LENGTH), primary_key=True),
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
    forms=("0001", "0002", "0003", "0004", "0005"),
    version_table="alembic_version",
    before=_begin_anew,
    repair="`filterd quarantine fsck` adds the rows that are missing",
)
