"""Pages of a list, the newest rows first: how long one is, and where the next one begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

PAGE_LIMIT = 1000
"""Rows of one page at most; a person reads some tens, a script asks for the next page."""

_MOST = (1 << 63) - 1
"""The largest number that a database takes."""


@dataclass(frozen=True, slots=True)
class Paging:
    """The order of a list. received: a column of seconds. key: a unique one, of text or numbers,
    for rows of the same moment."""

    received: sa.Column[float]
    key: sa.Column[Any]

    def page(self, found: sa.Select[Any], limit: int, after: str) -> sa.Select[Any]:
        """A page of a query, with one row more than `limit`, so that one sees whether it goes on.

        after: the end of the page before (`end`), empty for the first page. Raises ValueError.
        """
        if not 1 <= limit <= PAGE_LIMIT:
            raise ValueError(f"limit is {limit}; expected 1 to {PAGE_LIMIT}")
        if after:
            place = sa.tuple_(*map(sa.literal, self._place(after)))
            found = found.where(sa.tuple_(self.received, self.key) < place)
        return found.order_by(self.received.desc(), self.key.desc()).limit(limit + 1)

    def _place(self, after: str) -> tuple[float, str | int]:
        moment, _, key = after.partition(",")
        try:
            if self.key.type.python_type is not int:
                return float(moment), key
            place = float(moment), int(key)
            if abs(place[1]) > _MOST:
                raise ValueError
        except ValueError:
            raise ValueError("after is not the `next` of a page") from None
        return place


def end(received: float, key: str | int) -> str:
    """Where a page ends, by the last row that it shows."""
    return f"{received!r},{key}"
