"""Mail that waits to be sent again, and letting it in."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from filterd.review.greylist import WaitingMail
from filterd.state.facts import StateError
from filterd.web.forms import ID_LIMIT, TEXT_LIMIT, texts_of
from filterd.web.identity import Asking, Posted
from filterd.web.state import state_of
from filterd.web.views import back, page

router = APIRouter()

ROWS = 100
"""Triplets that the page shows, the newest ones; others are found by text."""

AWAY = "The state cannot be read or written now; filterd doctor says why."


@router.get("/greylist")
def list_(request: Request, asking: Asking) -> Response:
    """What waits."""
    mail = _used(request)
    text = request.query_params.get("text", "").strip()[:TEXT_LIMIT]
    try:
        found = mail.waiting(asking, ROWS, text)
    except StateError:
        raise HTTPException(503, AWAY) from None
    return page(request, "greylist.html", asking, text=text, rows=found, most=ROWS)


@router.post("/greylist/allow")
def allow(request: Request, asking: Asking, form: Posted) -> Response:
    """Let mail in, and show the list again."""
    mail = _used(request)
    ids = texts_of(form, "id", ID_LIMIT)
    if not ids:
        raise HTTPException(400, "Choose what is to be let in.")
    try:
        results = mail.allow(asking, ids, f"web:{asking.name}")
    except StateError:
        raise HTTPException(503, AWAY) from None
    return back(request, "/greylist", results)


def _used(request: Request) -> WaitingMail:
    mail = state_of(request).waiting
    if not mail.is_used:
        raise HTTPException(404)
    return mail
