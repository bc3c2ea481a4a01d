"""All tables, in SQLite as versions of filterd without migrations made them.

What exists stays: those versions made one table after the other, and could be killed
between two.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make tables and indexes that are missing."""
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    # SQLite numbers rows by itself, and an unused number is used again.
    number = () if is_sqlite else (sa.Identity(),)
    truth = sa.Integer if is_sqlite else sa.Boolean
    real = sa.REAL if is_sqlite else sa.Float
    key = sa.BLOB if is_sqlite else sa.LargeBinary
    meta = sa.MetaData()
    sa.Table(
        "meta",
        meta,
        sa.Column("name", sa.Text, primary_key=True, nullable=is_sqlite),
        sa.Column("value", sa.Integer if is_sqlite else sa.BigInteger, nullable=False),
    )
    sa.Table(
        "batch",
        meta,
        sa.Column("id", sa.Integer, *number, primary_key=True, nullable=is_sqlite),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("started", "source", "about")),
        sa.Column(
            "state",
            sa.Text,
            sa.CheckConstraint("state IN ('in force', 'undone', 'rolled back', 'an undo')"),
            nullable=False,
        ),
        # Of the batch that undid it, which is entered later.
        sa.Column("undone_by", sa.Integer, sa.ForeignKey("batch.id", **_deferred(is_sqlite))),
    )
    sa.Table(
        "generation",
        meta,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False, nullable=is_sqlite),
        sa.Column("batch", sa.Integer, sa.ForeignKey("batch.id"), nullable=False),
        sa.Column("written", sa.Text, nullable=False),
        sa.Column("live", truth, nullable=False),
    )
    lesson = sa.Table(
        "lesson",
        meta,
        sa.Column("id", sa.Integer, *number, primary_key=True, nullable=is_sqlite),
        sa.Column("key", key, nullable=False),
        sa.Column("spam", truth, nullable=False),
        sa.Column("step", real, nullable=False),
        sa.Column("counted", truth, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("time", sa.Text, nullable=False),
        sa.Column("batch", sa.Integer, sa.ForeignKey("batch.id"), nullable=False),
        sa.Column("born", sa.Integer, nullable=False),
        sa.Column("died", sa.Integer),
    )
    sa.Table(
        "automatic",
        meta,
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("sender", sa.Text, primary_key=True),
        sa.Column("learned", sa.Integer, nullable=False),
    )
    meta.create_all(connection)
    for column in (lesson.c.key, lesson.c.batch):
        sa.Index(f"lesson_{column.name}", column).create(connection, checkfirst=True)


def _deferred(is_sqlite: bool) -> dict[str, Any]:
    return {} if is_sqlite else {"deferrable": True, "initially": "DEFERRED"}


def downgrade() -> None:
    """Take them away. The model's files cannot be learned on then."""
    for name in ("automatic", "lesson", "generation", "batch", "meta"):
        op.drop_table(name)
