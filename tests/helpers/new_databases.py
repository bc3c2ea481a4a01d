"""New SQLite databases without alembic, which takes fifty times as long as their tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from filterd.database.schema import Schema, bring_up_to_date

OWN = "sqlite_%"
"""Names of SQLite's own tables and indexes, which come by themselves."""


@dataclass(frozen=True)
class Content:
    """What a new database has: the statements that make it, and its rows by table."""

    statements: tuple[str, ...]
    rows: dict[str, list[tuple[Any, ...]]]

    @classmethod
    def of(cls, connection: sa.Connection) -> Content:
        """All that is in a database."""
        found = connection.exec_driver_sql(
            f"SELECT name, type, sql FROM sqlite_master WHERE name NOT LIKE '{OWN}' ORDER BY rowid"
        ).all()
        tables = [name for name, kind, _ in found if kind == "table"]
        rows = {
            name: [tuple(row) for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"')]
            for name in tables
        }
        return cls(tuple(sql for *_, sql in found if sql), {k: v for k, v in rows.items() if v})

    def put(self, connection: sa.Connection) -> None:
        """Into an empty database."""
        for statement in self.statements:
            connection.exec_driver_sql(statement)
        for table, rows in self.rows.items():
            places = ", ".join("?" * len(rows[0]))
            connection.exec_driver_sql(f'INSERT INTO "{table}" VALUES ({places})', rows)


class NewDatabases:
    """Stands for `bring_up_to_date`. The first new database of a schema is migrated, and what that
    has made is what later ones get. Databases in which something is go the usual way."""

    def __init__(self, real: Callable[[sa.Engine, Schema], None] = bring_up_to_date) -> None:
        self._real = real
        self._known: dict[str, Content] = {}

    def __call__(self, engine: sa.Engine, schema: Schema) -> None:
        """Raises what bring_up_to_date raises."""
        if engine.dialect.name != "sqlite" or not self._is_new(engine):
            self._real(engine, schema)
            return
        key = f"{schema.version_table} {schema.newest}"
        if key in self._known:
            with engine.begin() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                if self._count(connection) == 0:
                    self._known[key].put(connection)
                    return
        self._real(engine, schema)
        if key not in self._known:
            with engine.connect() as connection:
                self._known[key] = Content.of(connection)

    def _is_new(self, engine: sa.Engine) -> bool:
        with engine.connect() as connection:
            return self._count(connection) == 0

    @staticmethod
    def _count(connection: sa.Connection) -> int:
        return int(connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one())
