"""PostgreSQL's index of trigrams, which finds the rows that hold a part of a word.

Its extension comes with the server and may be made by the database's owner; where that is not
allowed, searches are right and slower.
"""

from __future__ import annotations

import logging

import sqlalchemy as sa
from alembic import op

log = logging.getLogger(__name__)


def create_trigram_index(name: str, table: str, column: str) -> None:
    """In a migration: make the index on PostgreSQL, or say in the log how to make it later."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    try:
        with connection.begin_nested():
            connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
            op.create_index(
                name,
                table,
                [column],
                postgresql_using="gin",
                postgresql_ops={column: "gin_trgm_ops"},
            )
    except sa.exc.SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        log.warning(
            "searches in the table %s do without an index of trigrams (%s); to have one: "
            "CREATE EXTENSION pg_trgm; CREATE INDEX %s ON %s USING gin (%s gin_trgm_ops)",
            table,
            cause,
            name,
            table,
            column,
        )
