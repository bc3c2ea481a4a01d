"""The table `digests`, and indexes that make a search for parts of words quick.

SQLite looks at every row, newest first; an index that holds the searched text beside the order
spares it the rows themselves, most of the time that a search takes. PostgreSQL has an index of
trigrams, which finds the rows that hold a part of a word. Its extension comes with the server and
may be made by the database's owner; where that is not allowed, searches are right and slower.
"""

from __future__ import annotations

import logging

import sqlalchemy as sa
from alembic import op

log = logging.getLogger("filterd.quarantine")

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
        return
    try:
        with connection.begin_nested():
            connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
            op.create_index(
                "messages_words",
                "messages",
                ["words"],
                postgresql_using="gin",
                postgresql_ops={"words": "gin_trgm_ops"},
            )
    except sa.exc.SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        log.warning(
            "the quarantine's searches do without an index of trigrams (%s); to have one: "
            "CREATE EXTENSION pg_trgm; "
            "CREATE INDEX messages_words ON messages USING gin (words gin_trgm_ops)",
            cause,
        )


def downgrade() -> None:
    """Take them away; the extension may serve others as well."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX IF EXISTS messages_words")
    else:
        op.drop_index("messages_newest")
        op.create_index("messages_newest", "messages", ["received", "id"])
    op.drop_table("digests")
