"""The table of records; alembic's migrations in `migrations` make it."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from filterd.database.schema import (
    ONLY_POSTGRESQL,
    Schema,
    WrongTablesError,
    filled,
    refuse_foreign,
)

UNRECORDED = 2
"""`user_version` of SQLite files whose table is that of form 0001. Versions of filterd without
migrations made such files."""

meta = sa.MetaData()

records = sa.Table(
    "records",
    meta,
    # The order in which records came; what SQLite gives every row of itself.
    sa.Column(
        "rowid", sa.BigInteger, sa.Identity(), primary_key=True, info={ONLY_POSTGRESQL: True}
    ),
    *filled(sa.Float, "received", "score"),
    *filled(sa.Text, "id", "action"),
    # A JSON list, casefolded.
    *filled(sa.Text, "recipients"),
    # Names, each between two spaces.
    *filled(sa.Text, "symbols", "failed"),
    # All that a free search looks at, casefolded, a line for each: the sender, then `FIXED`, the
    # recipients, the Subject with header From, virus and names of attachments.
    *filled(sa.Text, "words"),
    # What `Record.encode` makes.
    *filled(sa.Text, "rest"),
)


def _made_before(connection: sa.Connection) -> str | None:
    """The form of a table that a version of filterd without migrations made."""
    if connection.dialect.name == "postgresql":
        refuse_foreign(connection, meta.sorted_tables)
        return None
    if not connection.exec_driver_sql("SELECT COUNT(*) FROM sqlite_schema").scalar():
        return None
    version = connection.exec_driver_sql("PRAGMA user_version").scalar()
    if version != UNRECORDED:
        raise WrongTablesError(
            f"its tables are of version {version}, this filterd's are of {UNRECORDED}"
        )
    # An error about a column is one about what is in the file.
    connection.exec_driver_sql(
        "SELECT id, received, action, score, recipients, symbols, failed, words, rest "
        "FROM records LIMIT 0"
    )
    return "0001"


SCHEMA = Schema(
    title="history",
    meta=meta,
    folder=Path(__file__).parent / "migrations",
    forms=("0001", "0002"),
    version_table="history_version",
    before=_made_before,
)
