"""The language that somebody chooses for its pages; the browser keeps it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from filterd.web.forms import local_path
from filterd.web.identity import refuse_strangers, set_cookie
from filterd.web.languages import LANGUAGE_COOKIE
from filterd.web.state import state_of

open_router = APIRouter()
"""Also for who is not logged in; nothing but the browser's own cookie changes."""

LANGUAGE_SECONDS = 365 * 86400


@open_router.post("/language")
async def choose(request: Request) -> Response:
    """Take one of the languages that there are."""
    refuse_strangers(request)
    form = await request.form(max_files=0, max_fields=10)
    state = state_of(request)
    path, to = form.get("back"), form.get("to")
    # Not back to a page that only a POST has shown.
    back = local_path(path, "/") if isinstance(path, str) and path.startswith("/") else "/"
    answer = RedirectResponse(back, 303)
    if isinstance(to, str) and to in state.languages.names:
        set_cookie(answer, request, state, LANGUAGE_COOKIE, to, LANGUAGE_SECONDS)
    return answer
