"""Statements that are run once a message, where a message itself costs a tenth of a millisecond."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


class PreparedStatement:
    """A statement compiled once for a connection and handed to the driver's own cursor, without
    what SQLAlchemy does around each execution. Values come and go as the driver has them: a truth
    value is a number on SQLite."""

    def __init__(self, connection: sa.Connection, statement: sa.ClauseElement) -> None:
        compiled = statement.compile(dialect=connection.dialect)
        assert isinstance(compiled, sa.sql.compiler.SQLCompiler)
        self._sql, self._order = str(compiled), compiled.positiontup
        self._values = dict(compiled.params)
        dbapi = connection.dialect.dbapi
        assert dbapi is not None
        self._trouble = dbapi.Error
        self._cursor = connection.connection.cursor()

    def first(self, **values: Any) -> tuple[Any, ...] | None:
        """The first row with these parameters, None if there is none. Raises SQLAlchemyError."""
        named = {**self._values, **values}
        given = named if self._order is None else [named[name] for name in self._order]
        try:
            self._cursor.execute(self._sql, given)
            # All of them: SQLite keeps its lock for a statement that is not at its end.
            found = self._cursor.fetchall()
        except self._trouble as error:
            raise sa.exc.DBAPIError(self._sql, None, error) from error
        return found[0] if found else None
