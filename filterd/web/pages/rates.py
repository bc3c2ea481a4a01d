"""Whose mail is held for its share of refused messages, and letting it through again; for
admins."""

from __future__ import annotations

from typing import get_args

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from filterd.filters.rates.settings import SenderParty
from filterd.review.access import Access
from filterd.review.actions import ActionResult
from filterd.review.rates import HeldParties
from filterd.review.reviewer import Reviewer
from filterd.state.facts import StateError
from filterd.web.forms import text_of
from filterd.web.identity import Asking, Posted
from filterd.web.state import state_of
from filterd.web.views import back, page

router = APIRouter()

ROWS = 200
"""Accounts and clients that the page shows, the newest ones."""

NAME_LIMIT = 1000
"""Characters of a name; the state has shorter ones."""

AWAY = "The state cannot be read or written now; filterd doctor says why."


@router.get("/rates")
def list_(request: Request, asking: Asking) -> Response:
    """Whose mail is held. Raises ActionError for a reviewer."""
    try:
        found = _used(request).held(_access(request, asking), ROWS)
    except StateError:
        raise HTTPException(503, AWAY) from None
    return page(request, "rates.html", asking, rows=found, most=ROWS, noun="account")


@router.post("/rates/free")
def free(request: Request, asking: Asking, form: Posted) -> Response:
    """Let somebody's mail through again, and show the list. Raises ActionError for a reviewer."""
    held = _used(request)
    access = _access(request, asking)
    access.require("rates")
    typed, party = text_of(form, "by"), form.get("party")
    by: SenderParty | None = next((one for one in get_args(SenderParty) if one == typed), None)
    if by is None or not isinstance(party, str) or not 0 < len(party) <= NAME_LIMIT:
        raise HTTPException(400, "Choose whose mail is to go through again.")
    try:
        was_held = held.free(access, by, party)
    except StateError:
        raise HTTPException(503, AWAY) from None
    words = "its mail goes through again" if was_held else "its mail is not held"
    return back(request, "/rates", [ActionResult(f"{by} {party}", was_held, words)])


def _access(request: Request, asking: Reviewer) -> Access:
    return Access(state_of(request).actions, asking, "web")


def _used(request: Request) -> HeldParties:
    held = state_of(request).held_parties
    if not held.is_used:
        raise HTTPException(404)
    return held
