"""An index for the one search, which reads all words in order of time where few messages have them.

For SQLite: it holds what is searched beside the order, and spares the rows themselves, which are
four times as long. PostgreSQL has an index of trigrams.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make it; it takes some seconds for a million messages."""
    if op.get_bind().dialect.name == "sqlite":
        op.create_index("records_searched", "records", ["received", "id", "words"])


def downgrade() -> None:
    """Take it away."""
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("records_searched", "records")
