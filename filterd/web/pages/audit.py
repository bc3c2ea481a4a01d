"""The audit trail: who did what, when and why, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from filterd.quarantine.journal import Event
from filterd.review.access import Access
from filterd.review.audit import KINDS, AuditQuery, audited
from filterd.web.forms import TEXT_LIMIT, moment_of
from filterd.web.identity import Asking
from filterd.web.state import state_of
from filterd.web.views import page

router = APIRouter()

ROWS = 100
"""Events of one page."""

LAST_PAGE = 1000
"""Older ones are found by date: turning pages must not make the server read all events."""

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
    fitting: Iterator[Event] = iter(())
    try:
        query = AuditQuery(
            typed["who"],
            typed["what"],
            typed["id"],
            typed["text"],
            moments["since"],
            moments["until"],
        )
        if not errors:
            fitting = audited(access, query)
    except ValueError as error:
        errors["what"] = str(error)
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
        kinds=KINDS,
    )
