"""One's own account: what it may see and do, another password, and a second factor."""

from __future__ import annotations

import logging
import socket
import time

import segno
from fastapi import APIRouter, HTTPException
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from filterd.review.accounts import PASSWORD_MINIMUM
from filterd.review.actions import ActionResult
from filterd.review.principals import PrincipalError
from filterd.review.reviewer import Reviewer
from filterd.review.second_factor import new_secret, step_of, uri
from filterd.system.display import without_folders
from filterd.web.forms import password_of, text_of
from filterd.web.identity import (
    Anybody,
    LoginNeededError,
    Posted,
    cookie_name,
    session_of,
    set_cookie,
)
from filterd.web.proof import unproven
from filterd.web.state import state_of
from filterd.web.views import back, page

log = logging.getLogger(__name__)

router = APIRouter()

WRONG_CODE = "That code is wrong. Is the clock of the phone right? Try the next code."
DIFFERENT = "The two new passwords differ."
THE_SAME = "The new password is the present one."

CHANGED = "Your password is changed. Everybody else who was logged in with it is logged out."
ON = "A code is asked for at each login from now on."
OFF = "No code is asked for any more."


@router.get("/account")
def show(request: Request, asking: Anybody) -> Response:
    """Role and limits, and the forms."""
    return _page(request, asking)


@router.post("/account/password")
def change(request: Request, asking: Anybody, form: Posted) -> Response:
    """Change the password. The session goes on under a new token, all others of the account end
    (OWASP, "Session Management Cheat Sheet")."""
    if refused := _unproven(request, asking, form):
        return refused
    old, new, again = (password_of(form, name) for name in ("password", "new", "again"))
    if new != again:
        return _page(request, asking, 422, DIFFERENT)
    if new == old:
        return _page(request, asking, 422, THE_SAME)
    try:
        state_of(request).accounts.set_password(asking.name, new)
    except PrincipalError as error:
        return _page(request, asking, 422, f"Not changed: {without_folders(str(error))}.")
    log.info("%r has changed the password", asking.name)
    return _session_anew(request, asking, CHANGED)


@router.post("/account/factor")
def offer(request: Request, asking: Anybody, form: Posted) -> Response:
    """Show a new secret, which counts when its first code is typed in."""
    if refused := _unproven(request, asking, form):
        return refused
    session_of(request).offered = new_secret()
    return _page(request, asking)


@router.post("/account/factor/on")
def switch_on(request: Request, asking: Anybody, form: Posted) -> Response:
    """Switch the second factor on, with the code of an app that has the secret."""
    state, session = state_of(request), session_of(request)
    if not session.offered:
        return _page(request, asking, 422, "Begin again: no secret was shown in this session.")
    step = step_of(session.offered, text_of(form, "code", 20), time.time())
    if step is None:
        return _page(request, asking, 422, WRONG_CODE)
    state.used_codes.take(asking.name, step)
    return _factor_set(request, asking, session.offered, ON)


@router.post("/account/factor/off")
def switch_off(request: Request, asking: Anybody, form: Posted) -> Response:
    """Switch it off."""
    if refused := _unproven(request, asking, form):
        return refused
    return _factor_set(request, asking, "", OFF)


def _factor_set(request: Request, asking: Reviewer, secret: str, words: str) -> Response:
    try:
        state_of(request).accounts.set_totp(asking.name, secret)
    except PrincipalError as error:
        return _page(request, asking, 422, f"Not changed: {without_folders(str(error))}.")
    log.info("%r has switched the second factor %s", asking.name, "on" if secret else "off")
    return _session_anew(request, asking, words)


def _unproven(request: Request, asking: Reviewer, form: FormData) -> Response | None:
    """The page that says so, if the present password is not in the form."""
    if session_of(request).outside is not None:
        raise HTTPException(404)
    found = unproven(request, asking.name, form)
    if found is None:
        return None
    response = _page(request, asking, found.status, found.words)
    response.headers.update(found.headers)
    return response


def _session_anew(request: Request, asking: Reviewer, words: str) -> Response:
    """Go on under a new token, with the credentials of now."""
    state = state_of(request)
    cookie = cookie_name(request, state)
    state.sessions.end(request.cookies.get(cookie, ""))
    account = state.accounts.get(asking.name)
    if account is None:
        raise LoginNeededError
    token, session = state.sessions.start(account.name, account.credentials)
    answer = back(request, "/account", [ActionResult("", True, words)], session)
    set_cookie(answer, request, state, cookie, token)
    return answer


def _page(request: Request, asking: Reviewer, status: int = 200, error: str = "") -> Response:
    session = session_of(request)
    if session.outside is not None:
        raise HTTPException(404)
    account = state_of(request).accounts.get(asking.name)
    offered = session.offered
    picture = ""
    if offered:
        link = uri(offered, asking.name, f"filterd {socket.gethostname()}")
        picture = segno.make(link, error="m").svg_inline(border=4, omitsize=True)
    return page(
        request,
        "account.html",
        asking,
        status,
        error=error,
        shortest=PASSWORD_MINIMUM,
        has_factor=account is not None and bool(account.totp),
        offered=" ".join(offered[n : n + 4] for n in range(0, len(offered), 4)),
        picture=picture,
    )
