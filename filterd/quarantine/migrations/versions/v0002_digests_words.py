"""The table `digests`, and indexes that make a search for parts of words quick.

SQLite looks at every row, newest first; an index that holds the searched text beside the order
spares it the rows themselves, most of the time that a search takes. PostgreSQL has an index of
trigrams.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from filterd.database.trigrams import create_trigram_index

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make table and index."""
    op.create_table(
        "digests",
        sa.Column("recipient", sa.Text, primary_key=True),
        sa.Column("told", sa.Float, nullable=False),
        sa.Column("claimed", sa.Float, nullable=False),
    )
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        op.drop_index("messages_newest")
        op.create_index("messages_newest", "messages", ["received", "id", "words"])
    create_trigram_index("messages_words", "messages", "words")


def downgrade() -> None:
    """Take them away; the extension may serve others as well."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX IF EXISTS messages_words")
    else:
        op.drop_index("messages_newest")
        op.create_index("messages_newest", "messages", ["received", "id"])
    op.drop_table("digests")
