"""People who ask for the release of their mail, and the answers."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from filterd.review.access import Access
from filterd.review.actions import ActionRequest, ActionResult
from filterd.review.requests import RequestQueue
from filterd.web.forms import NOTE_LIMIT, text_of
from filterd.web.identity import Asking, Posted
from filterd.web.state import state_of
from filterd.web.views import back, page

router = APIRouter()

ROWS = 100
"""Requests of one page, the oldest ones."""


@router.get("/requests")
def list_(request: Request, asking: Asking) -> Response:
    """What is asked for."""
    queue, access = _queue(request), _access(request, asking)
    found = queue.open(access, ROWS)
    return page(request, "requests.html", asking, rows=found, most=ROWS, note_limit=NOTE_LIMIT)


@router.post("/requests/answer")
def answer(request: Request, asking: Asking, form: Posted) -> Response:
    """Release it to the one who asks, or refuse that."""
    queue, access = _queue(request), _access(request, asking)
    id, recipient = text_of(form, "id", 100), text_of(form, "recipient", 1000)
    note, word = text_of(form, "note", NOTE_LIMIT), text_of(form, "do", 20)
    if word == "release":
        wanted = ActionRequest(note=note, recipients=(recipient,))
        results = access.perform("release", [id], wanted)
    elif word == "refuse":
        done = queue.refuse(access, id, recipient, note)
        words = "refused" if done else "nobody asks for it any more"
        results = [ActionResult(id, done, f"{recipient}: {words}")]
    else:
        raise HTTPException(400, "Expected release or refuse.")
    return back(request, "/requests", results)


def _access(request: Request, asking: Asking) -> Access:
    access = Access(state_of(request).actions, asking, "web")
    access.require("requests")
    return access


def _queue(request: Request) -> RequestQueue:
    state = state_of(request)
    if not state.settings.users.enabled:
        raise HTTPException(404)
    return RequestQueue(state.actions.store)
