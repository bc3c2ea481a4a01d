#!/usr/bin/env python3
"""Write `newest.sql` beside each room's migrations: the tables that they end with, in one step.

Run it after a migration was added or changed; tests/unit/database/test_newest.py compares.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from filterd.bayes.site.schema import SCHEMA as JOURNAL
from filterd.database import newest
from filterd.database.schema import Schema, migrate
from filterd.history.schema import SCHEMA as HISTORY
from filterd.quarantine.schema import SCHEMA as QUARANTINE
from filterd.state.schema import schema as state_schema

SCHEMAS = (HISTORY, QUARANTINE, JOURNAL, state_schema(1.0, 1))


def migrated(schema: Schema, file: Path) -> sa.Engine:
    """A new SQLite database, made by all migrations."""
    engine = sa.create_engine(f"sqlite:///{file}", poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        migrate(connection, schema)
    return engine


def text(schema: Schema) -> str:
    """What `newest.sql` has to be."""
    with (
        tempfile.TemporaryDirectory() as folder,
        migrated(schema, Path(folder) / "new").connect() as connection,
    ):
        return "".join(f"{statement}{newest.END}" for statement in statements(connection))


def statements(connection: sa.Connection) -> Iterator[str]:
    """What makes an SQLite database with these tables, rows and numbers."""
    # What has no text comes with its table.
    found = connection.exec_driver_sql(
        "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid"
    ).all()
    for _type, _name, made in found:
        yield made
    for kind, name, _text in found:
        if kind == "table":
            for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"'):  # noqa: S608
                values = [connection.exec_driver_sql("SELECT quote(?)", (v,)).scalar() for v in row]
                yield f"INSERT INTO {name} VALUES ({', '.join(map(str, values))})"  # noqa: S608
    for name in ("user_version", "application_id"):
        if number := connection.exec_driver_sql(f"PRAGMA {name}").scalar():
            yield f"PRAGMA {name} = {number}"


def main() -> None:
    """Write all of them."""
    for schema in SCHEMAS:
        (schema.folder / newest.FILE).write_text(text(schema), "utf-8")


if __name__ == "__main__":
    main()
