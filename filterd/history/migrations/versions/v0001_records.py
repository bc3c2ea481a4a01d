"""The table `records`, in SQLite as versions of filterd without migrations made it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from filterd.database.trigrams import create_trigram_index

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make table and indexes."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    number = sa.Column("rowid", sa.BigInteger, sa.Identity(), primary_key=True)
    op.create_table(
        "records",
        *(() if is_sqlite else (number,)),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("received", sa.REAL if is_sqlite else sa.Float, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("score", sa.REAL if is_sqlite else sa.Float, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("recipients", "symbols", "failed", "words", "rest")
        ),
    )
    failed = sa.text("failed <> ''")
    op.create_index("records_newest", "records", ["received", "action"])
    op.create_index("records_by_action", "records", ["action", "received"])
    op.create_index(
        "records_failed",
        "records",
        ["received"],
        sqlite_where=failed,
        postgresql_where=failed,
    )
    create_trigram_index("records_words", "records", "words")
    if is_sqlite:
        # Those versions know their tables by this number.
        op.execute("PRAGMA user_version = 2")


def downgrade() -> None:
    """Take it away."""
    op.drop_table("records")
