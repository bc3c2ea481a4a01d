"""The messages that a search finds: all of them, or the one behind another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from filterd.quarantine.query import PAGE_LIMIT, Query

if TYPE_CHECKING:
    from filterd.quarantine.index import Row
    from filterd.review.access import Access


def matching(access: Access, query: Query, limit: int) -> tuple[list[Row], bool]:
    """The messages that fit, as many as `limit`, in the order of the query; and whether there are
    more. Raises QueryError, StoreError."""
    found: list[Row] = []
    query = replace(query, limit=min(limit + 1, PAGE_LIMIT))
    while True:
        page = access.search(query)
        found += page.rows
        if len(found) > limit or not page.next:
            return found[:limit], len(found) > limit
        query = replace(query, after=page.next)


def following(access: Access, id: str, query: Query) -> str:
    """The id of the message behind this one in the list of a search, whether this one fits the
    search (any more) or not; empty if there is none. The query's own `after` does not count. Raises
    UnknownIdError, QueryError, StoreError."""
    place = access.place(id, query.sort)
    if not place:
        return ""
    query = replace(query, after=place, limit=_LOOKED_AT)
    # A page may be empty for a reviewer although the list goes on.
    for _ in range(_PAGES):
        page = access.search(query)
        if page.rows:
            return page.rows[0].id
        if not page.next:
            break
        query = replace(query, after=page.next)
    return ""


_LOOKED_AT = 10
"""Messages of a page that is searched for the next one; most often its first is that."""

_PAGES = 20
"""Pages that are searched."""
