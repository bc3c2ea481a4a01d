"""One's own account: what it may see and do, and another password."""

from __future__ import annotations

import logging
import math

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from filterd.review.accounts import PASSWORD_LIMIT, PASSWORD_MINIMUM
from filterd.review.actions import ActionResult
from filterd.review.principals import PrincipalError
from filterd.review.reviewer import Reviewer
from filterd.system.display import without_folders
from filterd.web.forms import text_of
from filterd.web.identity import (
    DEVICE_SUFFIX,
    Asking,
    LoginNeededError,
    Posted,
    cookie_name,
    set_cookie,
)
from filterd.web.state import state_of
from filterd.web.views import back, page

log = logging.getLogger(__name__)

router = APIRouter()

WRONG = "The present password is wrong."
DIFFERENT = "The two new passwords differ."
THE_SAME = "The new password is the present one."

CHANGED = "Your password is changed. Everybody else who was logged in with it is logged out."


@router.get("/account")
def show(request: Request, asking: Asking) -> Response:
    """Role and limits, and the form."""
    return _page(request, asking)


@router.post("/account/password")
def change(request: Request, asking: Asking, form: Posted) -> Response:
    """Change the password. The session goes on under a new token, all others of the account end
    (OWASP, "Session Management Cheat Sheet")."""
    old, new, again = (
        text_of(form, name, PASSWORD_LIMIT + 1) for name in ("password", "new", "again")
    )
    state = state_of(request)
    address = request.client.host if request.client else ""
    cookie = cookie_name(request, state)
    device = state.devices.known(asking.name, request.cookies.get(cookie + DEVICE_SUFFIX, ""))
    # A browser that somebody left alone must not be a way to guess.
    wait = state.throttle.attempt(address, asking.name, device)
    if wait > 0:
        log.warning("password of %r not changed from %s, too many failed", asking.name, address)
        words = f"Too many wrong passwords. Try again in {math.ceil(wait / 60)} minutes."
        response = _page(request, asking, 429, words)
        response.headers["Retry-After"] = str(math.ceil(wait))
        return response
    if state.accounts.verify(asking.name, old) is None:
        log.warning("password of %r not changed from %s: wrong password", asking.name, address)
        return _page(request, asking, 403, WRONG)
    state.throttle.succeeded(address, asking.name, device)
    if new != again:
        return _page(request, asking, 422, DIFFERENT)
    if new == old:
        return _page(request, asking, 422, THE_SAME)
    try:
        state.accounts.set_password(asking.name, new)
    except PrincipalError as error:
        return _page(request, asking, 422, f"Not changed: {without_folders(str(error))}.")
    log.info("%r has changed the password from %s", asking.name, address)
    state.sessions.end(request.cookies.get(cookie, ""))
    account = state.accounts.get(asking.name)
    if account is None:
        raise LoginNeededError
    token, session = state.sessions.start(account.name, account.secret)
    answer = back(request, "/account", [ActionResult("", True, CHANGED)], session)
    set_cookie(answer, request, state, cookie, token)
    return answer


def _page(request: Request, asking: Reviewer, status: int = 200, error: str = "") -> Response:
    return page(request, "account.html", asking, status, error=error, shortest=PASSWORD_MINIMUM)
