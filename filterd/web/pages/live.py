"""Messages as they come: a page with the newest ones, and a stream of events that adds to it.

The stream is of server-sent events (HTML Standard, 9.2). Without a script the page is loaded
again and again. A stream ends when the session ends, and does not keep it from ending.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from filterd.chain.headers import points
from filterd.chain.stages import COMMANDS
from filterd.history import HistoryError, HistoryQuery, Record
from filterd.history.following import Follower
from filterd.review.principals import PrincipalError
from filterd.review.reviewer import Reviewer
from filterd.review.seen import as_seen
from filterd.system.display import printable, when
from filterd.web.identity import Asking, LoginNeededError, watching
from filterd.web.state import WebState, state_of
from filterd.web.views import keeps_only, page

log = logging.getLogger(__name__)

router = APIRouter()

ROWS = 50
"""Messages of the page, and of one look of a stream; of more only the number is told."""

INTERVAL = 2.0
"""Seconds between two looks."""

QUIET_LOOKS = 7
"""Looks without news after which a comment is sent, so that a proxy does not end the stream."""

STREAM_SECONDS = 3600.0
"""After which a stream ends; the browser begins another one."""

STREAMS_LIMIT = 40
OWN_STREAMS_LIMIT = 4
"""Streams at a time, and of one person."""

TEXT_LIMIT = 200
"""Characters of an address or Subject."""

HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
"""nginx would keep what comes until there is more of it."""


@router.get("/live")
def show(request: Request, asking: Asking) -> Response:
    """The newest messages; a reviewer's are those to its recipients."""
    state = state_of(request)
    found = state.history.search(HistoryQuery(limit=ROWS, visible=asking.visible)).rows
    return page(
        request,
        "live.html",
        asking,
        rows=[_row(one, asking) for one in found],
        most=ROWS,
        enabled=state.settings.history.enabled,
    )


@router.get("/live/events")
async def events(
    request: Request, watcher: Annotated[Reviewer, Depends(watching)]
) -> StreamingResponse:
    """The newest messages, oldest first, and then each that comes. Raises HTTPException 503 where
    there are too many streams."""
    state = state_of(request)
    own = state.streams.get(watcher.name, 0)
    if own >= OWN_STREAMS_LIMIT or sum(state.streams.values()) >= STREAMS_LIMIT:
        raise HTTPException(503, "There are too many live pages now.", {"Retry-After": "60"})
    return StreamingResponse(
        _stream(request, state, watcher), media_type="text/event-stream", headers=HEADERS
    )


async def _stream(request: Request, state: WebState, watcher: Reviewer) -> AsyncIterator[str]:
    """Events until the session, the process or the time ends."""
    streams, name = state.streams, watcher.name
    streams[name] = streams.get(name, 0) + 1
    try:
        query = HistoryQuery(limit=ROWS, visible=watcher.visible)
        follower, quiet, end = Follower(state.history, query), 0, time.monotonic() + STREAM_SECONDS
        yield "retry: 5000\n\n"
        while time.monotonic() < end and not state.is_stopping():
            try:
                if await run_in_threadpool(watching, request) != watcher:
                    raise LoginNeededError
                found = await run_in_threadpool(follower.look)
            except (LoginNeededError, PrincipalError):
                yield "event: end\ndata: The session has ended.\n\n"
                return
            except HistoryError as error:
                log.error("%s", error)
                yield "event: end\ndata: The history cannot be read now.\n\n"
                return
            for record in found[-ROWS:]:
                yield f"data: {json.dumps(_row(record, watcher))}\n\n"
            if len(found) > ROWS:
                yield f"event: more\ndata: {len(found) - ROWS}\n\n"
            quiet = 0 if found else quiet + 1
            if quiet >= QUIET_LOOKS:
                quiet = 0
                yield ":\n\n"
            await asyncio.sleep(INTERVAL)
    finally:
        streams[name] -= 1
        if not streams[name]:
            del streams[name]


def _row(record: Record, reviewer: Reviewer) -> dict[str, str]:
    """A message as a line of the page, all of it text."""
    seen = as_seen(record, reviewer)
    own, hidden = keeps_only(reviewer, seen.recipients)
    to = ", ".join(own[:5])
    others = len(own[5:]) + hidden
    subject = seen.subject or "(no subject)"
    if seen.stage:
        more = f", and {seen.repeated:,} more like it" if seen.repeated else ""
        subject = f"(refused at {COMMANDS[seen.stage]}{more})"
    return {
        "id": seen.id,
        "when": when(seen.received),
        "sender": printable(seen.sender or "<>", TEXT_LIMIT),
        "to": printable(to + (f" and {others} more" if others else ""), TEXT_LIMIT),
        "subject": printable(subject, TEXT_LIMIT),
        "action": str(seen.action.word),
        "points": points(seen.score),
    }
