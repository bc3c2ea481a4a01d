"""Who has seen which message."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "seen",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("reviewer", sa.String(64), primary_key=True),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("seen")
