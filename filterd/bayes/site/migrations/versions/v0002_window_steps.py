"""What one window of a message was taught besides the whole."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; lessons of before taught no window."""
    real = sa.REAL if op.get_bind().dialect.name == "sqlite" else sa.Float
    op.add_column("lesson", sa.Column("window_start", sa.Integer))
    op.add_column("lesson", sa.Column("window_end", sa.Integer))
    op.add_column("lesson", sa.Column("window_step", real))


def downgrade() -> None:
    """Take them away. What windows were taught cannot be forgotten any more."""
    for name in ("window_start", "window_end", "window_step"):
        op.drop_column("lesson", name)
