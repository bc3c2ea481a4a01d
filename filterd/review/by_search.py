"""What is done with all messages that a search finds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from filterd.quarantine.query import PAGE_LIMIT, Query

if TYPE_CHECKING:
    from filterd.review.access import Access


def matching(access: Access, query: Query, limit: int) -> tuple[list[str], bool]:
    """The ids of the messages that fit, as many as `limit`, newest first; and whether there are
    more. Raises QueryError, StoreError."""
    found: list[str] = []
    query = replace(query, limit=min(limit + 1, PAGE_LIMIT))
    while True:
        page = access.search(query)
        found += [row.id for row in page.rows]
        if len(found) > limit or not page.next:
            return found[:limit], len(found) > limit
        query = replace(query, after=page.next)
