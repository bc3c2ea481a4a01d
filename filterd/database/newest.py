"""A new SQLite database at the newest form in one step, without alembic.

For the tables that migrations end with alembic takes fifty times as long as SQLite. So the
statements that make them, and the rows that a new database has, stand in `newest.sql` beside each
room's migrations. scripts/newest_tables.py writes these files from databases that the migrations
have made, and a test compares both.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

FILE = "newest.sql"

END = ";\n"
"""Ends each statement, and stands within none."""


def is_empty(connection: sa.Connection) -> bool:
    """Whether an SQLite database has no tables at all."""
    return connection.exec_driver_sql("SELECT COUNT(*) FROM sqlite_schema").scalar() == 0


def make(connection: sa.Connection, folder: Path) -> None:
    """Make the tables of the newest form in an empty SQLite database, in the transaction that has
    begun. folder: of the migrations. Raises OSError, SQLAlchemyError."""
    for statement in (folder / FILE).read_text("utf-8").split(END):
        if statement:
            connection.exec_driver_sql(statement)
