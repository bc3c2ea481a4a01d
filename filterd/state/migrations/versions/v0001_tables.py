"""Entries and counts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make both tables and the indexes by expiry."""
    op.create_table(
        "state_entry",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("first", sa.Double, nullable=False),
        sa.Column("last", sa.Double, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("state_entry_expires", "state_entry", ["expires"])
    op.create_table(
        "state_count",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("seconds", sa.Integer, primary_key=True),
        sa.Column("slot", sa.BigInteger, nullable=False),
        sa.Column("latest", sa.Double, nullable=False),
        sa.Column("former", sa.Double, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("state_count_expires", "state_count", ["expires"])
