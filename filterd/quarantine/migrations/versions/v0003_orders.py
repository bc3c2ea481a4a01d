"""Indexes of a list that is sorted by points, size or sender."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_ORDERS = {"score": "score", "size": "size", "sender": "substr(lower(sender), 1, 100)"}


def upgrade() -> None:
    """Make them; it takes some seconds for 100,000 messages."""
    for name, order in _ORDERS.items():
        op.create_index(
            f"messages_by_{name}", "messages", [sa.text(order), "id", "state", "reason"]
        )


def downgrade() -> None:
    """Take them away."""
    for name in _ORDERS:
        op.drop_index(f"messages_by_{name}", "messages")
