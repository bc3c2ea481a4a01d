"""The audit trail: who did what, when and why, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import get_args

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from filterd.quarantine.journal import Event, What
from filterd.review.access import Access
from filterd.web.forms import TEXT_LIMIT, moment_of
from filterd.web.identity import Asking
from filterd.web.state import state_of
from filterd.web.views import page

router = APIRouter()

ROWS = 100
"""Events of one page."""

LAST_PAGE = 1000
"""Older ones are found by date: turning pages must not make the server read all events."""

DISORDER = 3600.0
"""Seconds by which an event may stand before an older one in the journal: several write to it, and
clocks are set."""

FIELDS = ("who", "what", "id", "text", "since", "until")


@router.get("/audit")
def list_(request: Request, asking: Asking) -> Response:
    """Events, newest first."""
    access = Access(state_of(request).actions, asking, "web")
    given = request.query_params
    typed = {name: given.get(name, "").strip()[:TEXT_LIMIT] for name in FIELDS}
    errors: dict[str, str] = {}
    moments: dict[str, float | None] = {}
    for name in ("since", "until"):
        try:
            moments[name] = moment_of(typed[name])
        except ValueError as error:
            errors[name], moments[name] = str(error), None
    number = given.get("page", "1")[:5]
    number_of_page = min(int(number), LAST_PAGE) if number.isdecimal() and int(number) else 1
    events = access.newest(typed["id"] or typed["what"] or typed["who"])
    fitting = _fitting(events, typed, moments["since"], moments["until"])
    first = (number_of_page - 1) * ROWS
    # One more than is shown tells whether there is more.
    rows = list(islice(fitting, first, first + ROWS + 1))
    return page(
        request,
        "audit.html",
        asking,
        typed=typed,
        errors=errors,
        events=rows[:ROWS],
        number=number_of_page,
        has_more=len(rows) > ROWS and number_of_page < LAST_PAGE,
        kinds=get_args(What),
    )


def _fitting(
    events: Iterator[Event], typed: dict[str, str], since: float | None, until: float | None
) -> Iterator[Event]:
    text = typed["text"].casefold()
    for event in events:
        if since is not None and event.time < since - DISORDER:
            return
        if (
            (since is None or event.time >= since)
            and (not typed["who"] or typed["who"] in event.who)
            and (not typed["what"] or typed["what"] == event.what)
            and (not typed["id"] or typed["id"] == event.id)
            and (until is None or event.time < until)
            and (not text or text in _words(event))
        ):
            yield event


def _words(event: Event) -> str:
    told = (event.note, event.reply, event.queue_id, *event.recipients)
    return "\n".join(told).casefold()
