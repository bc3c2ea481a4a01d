"""Pages of a list: how long one is, and where the next one begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from filterd.database.storable import storable

PAGE_LIMIT = 1000
"""Rows of one page at most; a person reads some tens, a script asks for the next page."""

_MOST = (1 << 63) - 1
"""The largest number that a database takes."""


@dataclass(frozen=True, slots=True)
class Paging:
    """The order of a list. order: what rows are sorted by, numbers or text. key: a unique column,
    of text or numbers, for rows that are equal in that."""

    order: sa.ColumnElement[Any]
    key: sa.Column[Any]

    def page(
        self, found: sa.Select[Any], limit: int, after: str, *, ascending: bool = False
    ) -> sa.Select[Any]:
        """A page of a query, with one row more than `limit`, so that one sees whether it goes on.

        after: the end of the page before (`end`), empty for the first page. Raises ValueError.
        """
        if not 1 <= limit <= PAGE_LIMIT:
            raise ValueError(f"limit is {limit}; expected 1 to {PAGE_LIMIT}")
        if after:
            place = sa.tuple_(*map(sa.literal, self._place(after)))
            row = sa.tuple_(self.order, self.key)
            found = found.where(row > place if ascending else row < place)
            if not isinstance(self.order, sa.Column):
                # Of a pair with something else than a column SQLite would read all the index.
                value = place.clauses[0]
                found = found.where(self.order >= value if ascending else self.order <= value)
        columns = (self.order, self.key)
        order = columns if ascending else [column.desc() for column in columns]
        return found.order_by(*order).limit(limit + 1)

    def _place(self, after: str) -> tuple[float | str, str | int]:
        value, comma, key = after.rpartition(",")
        try:
            if not comma:
                raise ValueError
            return self._number(self.order, value), self._number(self.key, key)
        except ValueError:
            raise ValueError("after is not the `next` of a page") from None

    @staticmethod
    def _number(column: sa.ColumnElement[Any], text: str) -> Any:
        """The text as a value of that column. Raises ValueError."""
        kind = column.type.python_type
        if kind is str:
            return storable(text)
        value = kind(text)
        if kind is int and abs(value) > _MOST:
            raise ValueError
        return value


def end(value: float | str, key: str | int) -> str:
    """Where a page ends, by what its last row is sorted by, and that row's key."""
    return f"{value if isinstance(value, str) else repr(value)},{key}"
