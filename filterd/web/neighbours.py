"""From one message to the next: the list that a reviewer came from, and what is before and behind a
message there.

The list is part of the address (`?list=`) and of the forms: no state on the server, and two lists
may be worked through in two windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import FormData

from filterd.quarantine import StoreError, UnknownIdError
from filterd.quarantine.query import QueryError
from filterd.review.access import Access
from filterd.review.actions import ActionResult
from filterd.review.by_search import following
from filterd.review.rights import ReviewAction
from filterd.web.forms import SearchForm, search_of, text_of

FIELD_LIMIT = 50
"""Fields of a list's address."""

LIST_LIMIT = 1000
"""Characters of it: each link of a list has it once more. A longer search has no next message."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Paths of the messages before and behind one; empty where there is none."""

    previous: str = ""
    next: str = ""


def list_of(text: str) -> SearchForm | None:
    """The list whose address has this query; None for nothing, and for what no list has."""
    if not text or len(text) > LIST_LIMIT:
        return None
    try:
        given = dict(parse_qsl(text, max_num_fields=FIELD_LIMIT))
    except ValueError:
        return None
    search = search_of(given)
    return None if search.errors else search


def posted_list(form: FormData, name: str = "list") -> SearchForm | None:
    """The same of a form's field."""
    return list_of(text_of(form, name, LIST_LIMIT + 1))


def query_of(search: SearchForm | None, *, page: bool = False) -> str:
    """The query of a list's address, empty for no list. page: of the page, not of the first one."""
    if search is None:
        return ""
    return search.link(after=search.query.after if page else "").removeprefix("?")


def message_path(id: str, search: SearchForm | None, *, page: bool = False) -> str:
    """The address of a message that was reached from this list."""
    query = query_of(search, page=page)
    has_list = 0 < len(query) <= LIST_LIMIT
    return f"/message/{id}" + ("?" + urlencode({"list": query}) if has_list else "")


def neighbours(access: Access, id: str, search: SearchForm | None) -> Neighbours:
    """The messages before and behind this one in its list."""
    if search is None:
        return Neighbours()
    try:
        found = (following(access, id, query) for query in (search.query.turned, search.query))
        return Neighbours(*(message_path(one, search) if one else "" for one in found))
    except (QueryError, StoreError):
        # The message itself can be looked at without the index.
        return Neighbours()


def onward(
    access: Access,
    action: ReviewAction,
    results: Sequence[ActionResult],
    search: SearchForm | None,
    here: str,
) -> str:
    """Where to go on after an action on one message: if it is decided, to the next one of its list,
    behind the last one to the list itself; else it stays `here`."""
    if search is None or not action.decides or len(results) != 1 or not results[0].ok:
        return here
    try:
        next = following(access, results[0].id, search.query)
    except (QueryError, StoreError, UnknownIdError):
        next = ""
    return message_path(next, search) if next else f"/quarantine?{query_of(search)}"
