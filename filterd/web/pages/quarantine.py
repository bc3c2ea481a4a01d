"""The list of kept mail: search, paging, and what is done with several messages at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from fastapi import APIRouter, HTTPException
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from filterd.quarantine import StoreError, UnknownIdError
from filterd.quarantine.index import Page
from filterd.quarantine.query import COUNT_LIMIT, SORTS, Query, QueryError
from filterd.quarantine.words import REASONS, State
from filterd.review.access import Access
from filterd.review.actions import ActionRequest
from filterd.review.by_search import matching
from filterd.review.rights import BULK, ReviewAction, role_refusal
from filterd.web.dates import PRESETS
from filterd.web.forms import (
    DAY,
    ID_LIMIT,
    LIMITS,
    NOTE_LIMIT,
    PATH_LIMIT,
    STATE_CHOICES,
    local_path,
    search_of,
    text_of,
    texts_of,
)
from filterd.web.identity import Asking, Posted
from filterd.web.neighbours import message_path, onward, posted_list, query_of
from filterd.web.state import state_of
from filterd.web.views import back, page

router = APIRouter()

SHOWN_LIMIT = 100
"""Messages that the page that asks lists; of more it tells the number."""

ORDERS = (
    ("-received", "newest first"),
    ("received", "oldest first"),
    ("-score", "most points first"),
    ("score", "fewest points first"),
    ("sender", "by envelope sender"),
    ("-sender", "by envelope sender, from the end"),
    ("-size", "largest first"),
    ("size", "smallest first"),
)
"""The orders of the list in words; the first one is that where no other is asked for. On a phone
there are no headings of columns."""


VIEWS = (
    ("To decide", "state=waiting"),
    ("Not seen", "state=waiting&seen=no"),
    ("Spam of today", "state=any&reason=spam&when=today"),
    ("Virus", "state=any&reason=virus"),
    ("Stripped", "state=any&reason=stripped"),
    ("Released, last 7 days", "state=released&when=last-7-days"),
    ("Deleted", "state=deleted"),
    ("Everything", "state=any"),
)
"""The saved views of the list: a name, and what it asks for as the query of an address."""


@router.get("/quarantine")
def list_(request: Request, asking: Asking) -> Response:
    """What is kept and fits the search, in the order that is asked for, else newest first; without
    a search what waits for a decision."""
    access = Access(state_of(request).actions, asking, "web")
    search = search_of(request.query_params)
    found, total, is_kept = Page((), ""), None, True
    try:
        if not search.errors:
            found, total = access.search(search.query), access.count(search.query)
        if search.is_empty and not found.rows:
            is_kept = bool(access.search(Query(limit=1)).rows)
    except QueryError as error:
        search.errors["after"] = str(error)
    deleted = [row.id for row in found.rows if row.state == State.DELETED]
    undelete_until = access.undelete_until(deleted) if deleted else {}
    keep_days = state_of(request).settings.quarantine.keep_days
    return page(
        request,
        "quarantine.html",
        asking,
        search=search,
        rows=found.rows,
        next=search.link(after=found.next) if found.next else "",
        here=f"/quarantine{search.link(after=search.query.after)}",
        path_of=lambda id: message_path(id, search, page=True),
        actions=[
            name
            for name, one in BULK.items()
            if not role_refusal(asking, one) and (name != "undelete" or undelete_until)
        ],
        action_of=BULK,
        undelete_until=undelete_until,
        seen=access.seen_ids([row.id for row in found.rows]),
        orders=ORDERS,
        sorts={name for name in SORTS if access.may_sort(name)},
        reasons=REASONS,
        states=STATE_CHOICES,
        limits=LIMITS,
        views=VIEWS,
        presets=PRESETS,
        total=total,
        count_limit=COUNT_LIMIT,
        act_limit=ID_LIMIT,
        query=query_of(search),
        is_kept=is_kept,
        keep_seconds=keep_days * DAY,
    )


@router.post("/quarantine/confirm")
def confirm(request: Request, asking: Asking, form: Posted) -> Response:
    """Ask once more, and for a reason. Nothing is done yet. What is done then is done with the
    messages that are counted here, also where a search has found them: what comes in meanwhile is
    not among them."""
    access = Access(state_of(request).actions, asking, "web")
    name, action = _action(form)
    states, more = Counter[str](), False
    found = posted_list(form, "search") if text_of(form, "matching") else None
    if found is not None:
        rows, more = matching(access, replace(found.query, after=""), ID_LIMIT)
        ids, states = [row.id for row in rows], Counter(row.state for row in rows)
    elif text_of(form, "matching"):
        raise HTTPException(400, "The search cannot be understood, or is too long.")
    else:
        ids = texts_of(form, "id", ID_LIMIT)
    entries = []
    for id in ids[:SHOWN_LIMIT]:
        try:
            entry = access.entry(id)
        except (UnknownIdError, StoreError):
            continue
        entries.append((entry, access.refusal(name, entry)))
    return page(
        request,
        "confirm.html",
        asking,
        action=action,
        name=name,
        ids=ids,
        entries=entries,
        found=found,
        states=states.most_common(),
        more=more,
        undelete_hours=state_of(request).settings.quarantine.undelete_hours,
        refused=[] if asking.is_admin or found is None else _refused(access, name, ids),
        back=local_path(text_of(form, "back", PATH_LIMIT), "/quarantine"),
        list=query_of(posted_list(form), page=True),
    )


def _refused(access: Access, name: str, ids: list[str]) -> list[tuple[str, int]]:
    """Why some of the messages will be left alone, and how many each time."""
    words = Counter(one.words for one in access.would(name, ids) if not one.ok)
    return words.most_common()


@router.post("/quarantine/do")
def do(request: Request, asking: Asking, form: Posted) -> Response:
    """Do it, and show the results on the page that it came from, or on that of the next message."""
    access = Access(state_of(request).actions, asking, "web")
    name, action = _action(form)
    ids = texts_of(form, "id", ID_LIMIT)
    wanted = ActionRequest(
        note=text_of(form, "note", NOTE_LIMIT),
        everybody=action.for_everybody and bool(text_of(form, "everybody")),
        unproven=action.without_proof and bool(text_of(form, "unproven")),
        at_once=bool(text_of(form, "now")),
    )
    results = access.perform(name, ids, wanted)
    path = local_path(text_of(form, "back", PATH_LIMIT), "/quarantine")
    search = posted_list(form)
    return back(request, onward(access, action, results, search, path), results)


def _action(form: FormData) -> tuple[str, ReviewAction]:
    """The action that was chosen, and its name."""
    name = text_of(form, "do")
    action = BULK.get(name)
    if action is None:
        raise HTTPException(400, "Choose what to do with the messages.")
    return name, action
