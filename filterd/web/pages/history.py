"""The history of all messages: what came, what was decided, and why."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from filterd.history import HistoryQuery, Record
from filterd.quarantine import StoreError, UnknownIdError
from filterd.quarantine.words import ACTIONS
from filterd.review.access import Access
from filterd.review.seen import all_as_seen, as_seen
from filterd.review.timeline import timeline
from filterd.web.dates import PRESETS
from filterd.web.forms import search_of
from filterd.web.identity import Asking
from filterd.web.state import state_of
from filterd.web.views import keeps_only, page

router = APIRouter()


@router.get("/history")
def list_(request: Request, asking: Asking) -> Response:
    """Messages that fit the search, newest first; a reviewer's are those to its recipients."""
    search = search_of(request.query_params)
    action = request.query_params.get("action", "")
    search.typed["action"] = action if action in ACTIONS else ""
    if action and action not in ACTIONS:
        search.errors["action"] = f"accepted: {', '.join(ACTIONS)}"
    asked = search.query
    query = HistoryQuery(
        text=asked.text,
        sender=asked.sender,
        recipient=asked.recipient,
        domain=asked.domain,
        action=search.typed["action"],
        symbol=asked.symbol,
        since=asked.since,
        until=asked.until,
        limit=asked.limit,
        after=asked.after,
        visible=asking.visible,
    )
    rows: tuple[Record, ...] = ()
    next_ = ""
    try:
        if not search.errors:
            found = state_of(request).history.search(query)
            rows, next_ = all_as_seen(found.rows, asking, query.symbol), found.next
    except ValueError as error:
        search.errors["after"] = str(error)
    return page(
        request,
        "history.html",
        asking,
        search=search,
        rows=rows,
        next=search.link(after=next_) if next_ else "",
        actions=ACTIONS,
        presets=PRESETS,
        enabled=state_of(request).settings.history.enabled,
    )


@router.get("/history/{id}")
def show(request: Request, asking: Asking, id: str) -> Response:
    """The record of one message, kept or not, and its timeline."""
    state = state_of(request)
    found = state.history.search(HistoryQuery(id=id, limit=1, visible=asking.visible)).rows
    if not found:
        raise HTTPException(404, "No such message is in the history.")
    record = as_seen(found[0], asking)
    access = Access(state.actions, asking, "web")
    own, hidden = keeps_only(asking, record.recipients)
    return page(
        request,
        "record.html",
        asking,
        record=record,
        recipients=own,
        hidden=hidden,
        timeline=timeline(record, record.received, access.events(id), state.maillog, asking.within),
        kept=_kept(access, id),
    )


def _kept(access: Access, id: str) -> Literal["message", "copy", ""]:
    """What there is to be opened."""
    try:
        entry = access.entry(id)
    except (UnknownIdError, StoreError):
        return ""
    return "copy" if access.copy_until(entry) else "message"
