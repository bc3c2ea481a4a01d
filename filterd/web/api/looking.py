"""Looking at kept mail: search, one message, its bytes, its history."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi import Query as Parameter
from starlette.responses import JSONResponse, Response

from filterd.message import Message
from filterd.quarantine import GoneError, StoreError
from filterd.quarantine.entry import Entry
from filterd.quarantine.query import Query
from filterd.review.access import Access
from filterd.review.audit import AuditQuery, audited
from filterd.review.search import PAGE_LIMIT as RESULTS_LIMIT
from filterd.review.search import search as find
from filterd.review.search_words import SearchError, read
from filterd.review.timeline import timeline
from filterd.review.warnings import MessageWarning
from filterd.system.display import utc
from filterd.web import preview
from filterd.web.api.identity import Admin, Bearer
from filterd.web.api.problems import AsciiJSONResponse, documented
from filterd.web.api.values import (
    Messages,
    Text,
    plain_entry,
    plain_row,
    plain_timeline,
    question,
    seconds,
)
from filterd.web.state import state_of

EVENTS_LIMIT = 1000
"""Events of one page of the audit trail."""

router = APIRouter(tags=["look"])

Id = Annotated[str, Path(min_length=1, max_length=64)]
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "The exact octets"},
    **documented(410),
}


@router.get("/messages", response_model=Messages)
def search(access: Bearer, query: Annotated[Query, Depends(question)]) -> JSONResponse:
    """Kept messages, newest first or as `sort` says."""
    page = access.search(query)
    seen = access.seen_ids([row.id for row in page.rows])
    rows = [plain_row(row, access.reviewer, seen=row.id in seen) for row in page.rows]
    return AsciiJSONResponse({"messages": rows, "next": page.next})


@router.get("/search", response_model=dict[str, Any])
def search_all(
    request: Request,
    access: Bearer,
    q: Text,
    limit: Annotated[int, Parameter(ge=1, le=RESULTS_LIMIT)] = 50,
    after: Text = "",
) -> JSONResponse:
    """Kept mail and the history together, newest first. q: words and phrases, in any order, and
    conditions such as `from:`, as the pages take them. A page may have fewer messages than `limit`
    and still a `next` one."""
    try:
        found = find(access, state_of(request).history, read(q), limit=limit, after=after)
    except SearchError as error:
        raise HTTPException(422, str(error)) from None
    return AsciiJSONResponse(
        {"messages": [one.to_json() for one in found.results], "next": found.next}
    )


@router.get("/messages/{id}", response_model=dict[str, Any])
def message(request: Request, access: Bearer, id: Id) -> JSONResponse:
    """Envelope, verdict with every symbol, the state of each copy, and what was done with it."""
    look = access.look(id)
    plain = plain_entry(look.entry, access.reviewer)
    plain["deliveries"] = [
        {
            "recipient": d.recipient,
            "state": d.state,
            "reply": d.reply,
            "queue_id": d.queue_id,
            "attempts": d.attempts,
        }
        for d in look.deliveries
    ]
    plain["events"] = [event.to_json() for event in look.events]
    told = timeline(
        look.entry,
        look.entry.received.timestamp(),
        look.events,
        state_of(request).maillog,
        access.reviewer.within,
    )
    plain |= plain_timeline(told, access.reviewer)
    plain["warnings"] = [asdict(one) for one in _warnings(access, look.entry)]
    until = access.undelete_until([id]).get(id) if look.delivery_state.gone else None
    plain["undelete_until"] = None if until is None else utc(until)
    access.viewed(id)
    return AsciiJSONResponse(state_of(request).descriptions.describe(plain))


def _warnings(access: Access, entry: Entry) -> tuple[MessageWarning, ...]:
    """None of a message that is too large to be taken apart, or whose bytes are gone."""
    if entry.size > preview.SIZE_LIMIT:
        return ()
    try:
        message = Message(access.data(entry.id), entry.envelope, entry.id)
    except (GoneError, StoreError):
        return ()
    return preview.warnings(message, access.reviewer.within(entry.recipients))


@router.get("/messages/{id}/raw", responses=_BYTES, response_class=Response)
def raw(access: Bearer, id: Id) -> Response:
    """The message, octet by octet."""
    return _octets(access.download(id), f"{id}.eml")


@router.get("/messages/{id}/parts/{number}", responses=_BYTES, response_class=Response)
def part(access: Bearer, id: Id, number: Annotated[int, Path(ge=1, le=100_000)]) -> Response:
    """The N-th part that was removed, from 1, as it stood in the message."""
    return _octets(access.download(id, number), f"{id}.{number}.part")


def _octets(data: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type="application/octet-stream", headers=headers)


@router.get("/audit", response_model=dict[str, Any])
def audit(
    access: Bearer,
    who: Text = "",
    what: Text = "",
    id: Text = "",
    text: Text = "",
    since: datetime | None = None,
    until: datetime | None = None,
    order: Literal["newest", "oldest"] = "newest",
    skip: Annotated[int, Parameter(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Parameter(ge=1, le=EVENTS_LIMIT)] = 100,
) -> JSONResponse:
    """Who did what, newest first; a reviewer sees its own actions. who, text: a part. For pages
    that do not shift while more is done, name `until`."""
    try:
        query = AuditQuery(who, what, id, text, seconds(since), seconds(until), order == "oldest")
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    events = islice(audited(access, query), skip, skip + limit)
    return AsciiJSONResponse({"events": [event.to_json() for event in events]})


@router.get("/stats", response_model=dict[str, Any])
def stats(access: Admin) -> JSONResponse:
    """Kept messages and their octets by reason and state."""
    counts = [
        {"reason": reason, "state": state, "messages": number, "octets": octets}
        for reason, state, number, octets in access.counts()
    ]
    return AsciiJSONResponse({"counts": counts})
