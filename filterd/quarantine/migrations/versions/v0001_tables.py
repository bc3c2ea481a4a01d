"""The tables `messages` and `deliveries`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make both tables."""
    text, number = sa.Text, sa.Float
    op.create_table(
        "messages",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("received", number, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, text, nullable=False)
            for name in (
                "sender",
                "recipients",
                "client_address",
                "queue_id",
                "message_id",
                "header_from",
                "subject",
            )
        ),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("score", number, nullable=False),
        *(sa.Column(name, text, nullable=False) for name in ("symbols", "virus", "path")),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("pinned", sa.Boolean, nullable=False),
        sa.Column("words", text, nullable=False),
    )
    op.create_index("messages_counted", "messages", ["reason", "state", "size"])
    op.create_index("messages_newest", "messages", ["received", "id"])
    op.create_index("messages_by_state", "messages", ["state", "received", "id"])
    op.create_index("messages_by_reason", "messages", ["reason", "received", "id"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("recipient", text, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("changed", number, nullable=False),
        sa.Column("reply", text, nullable=False),
        sa.Column("queue_id", text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("again_at", number, nullable=False),
        sa.Column("form", sa.String(16), nullable=False),
    )
    op.create_index("deliveries_by_state", "deliveries", ["state", "again_at"])


def downgrade() -> None:
    """Take them away; files and journal keep everything."""
    op.drop_table("deliveries")
    op.drop_table("messages")
