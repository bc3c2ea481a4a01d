"""What recipients want of their copies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TIMES = ("asked", "refused", "dismissed")


def upgrade() -> None:
    """Add the columns."""
    for name in TIMES:
        column = sa.Column(name, sa.Float(), nullable=False, server_default="0")
        op.add_column("deliveries", column)
    note = sa.Column("request_note", sa.Text(), nullable=False, server_default="")
    op.add_column("deliveries", note)
    op.create_index("deliveries_asked", "deliveries", ["asked"])


def downgrade() -> None:
    """Take them away."""
    op.drop_index("deliveries_asked", "deliveries")
    for name in (*TIMES, "request_note"):
        op.drop_column("deliveries", name)
