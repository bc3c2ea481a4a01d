"""A room's tables, copied from one database into another."""

from __future__ import annotations

import sqlalchemy as sa

from filterd.database.schema import Schema

_CHUNK = 1000
"""Rows in memory at a time."""


def copy_tables(source: sa.Connection, target: sa.Connection, schema: Schema) -> int:
    """Add all rows of the source's tables to those of the target, which has none of them; how many.
    Both have the newest form. Raises SQLAlchemyError."""
    copied = 0
    for table in schema.meta.sorted_tables:
        query = sa.select(table).execution_options(stream_results=True)
        for rows in source.execute(query).mappings().partitions(_CHUNK):
            target.execute(sa.insert(table), [dict(row) for row in rows])
            copied += len(rows)
        number = table.autoincrement_column
        if number is not None and target.dialect.name == "postgresql":
            _count_on(target, number)
    return copied


def _count_on(connection: sa.Connection, number: sa.Column[int]) -> None:
    """Let PostgreSQL number new rows behind those that came with numbers."""
    sequence = sa.func.pg_get_serial_sequence(number.table.name, number.name)
    following = sa.func.coalesce(sa.func.max(number) + 1, 1)
    connection.execute(sa.select(sa.func.setval(sequence, following, False)))
