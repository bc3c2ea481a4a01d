"""How somebody wants the pages to look: theme and density; the browser keeps it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from filterd.web.forms import local_path
from filterd.web.identity import refuse_strangers, set_cookie
from filterd.web.look import LOOK_COOKIE, Look
from filterd.web.state import state_of

open_router = APIRouter()
"""Also for who is not logged in; nothing but the browser's own cookie changes."""

LOOK_SECONDS = 365 * 86400


@open_router.post("/look")
async def choose(request: Request) -> Response:
    """Take another theme, or another density; what is not given stays as it is."""
    refuse_strangers(request)
    form = await request.form(max_files=0, max_fields=10)
    texts = {name: value for name, value in form.items() if isinstance(value, str)}
    answer = RedirectResponse(local_path(texts.get("back", ""), "/"), 303)
    look = Look.of(request.cookies.get(LOOK_COOKIE, "")).changed(texts)
    set_cookie(answer, request, state_of(request), LOOK_COOKIE, look.value, LOOK_SECONDS)
    return answer
