"""The table of records; alembic's migrations in `migrations` make it."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from filterd.database.schema import ONLY_POSTGRESQL, Schema, WrongTablesError

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
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("received", sa.Float, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    # A JSON list, casefolded.
    sa.Column("recipients", sa.Text, nullable=False),
    # Names, each between two spaces.
    sa.Column("symbols", sa.Text, nullable=False),
    sa.Column("failed", sa.Text, nullable=False),
    # All that a free search looks at, casefolded, a line for each: the sender, then `FIXED`, the
    # recipients, the Subject.
    sa.Column("words", sa.Text, nullable=False),
    # What `Record.encode` makes.
    sa.Column("rest", sa.Text, nullable=False),
)


def _made_before(connection: sa.Connection) -> str | None:
    """The form of a table that a version of filterd without migrations made."""
    if connection.dialect.name == "postgresql":
        if sa.inspect(connection).has_table(records.name):
            raise WrongTablesError(f"a table {records.name} is there that filterd did not make")
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
    forms=("0001",),
    version_table="history_version",
    before=_made_before,
    # A lost record is not lost mail.
    pragmas=("journal_mode = WAL", "synchronous = NORMAL"),
)
