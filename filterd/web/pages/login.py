"""Logging in and out."""

from __future__ import annotations

import hmac
import logging
import math
import secrets

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from filterd.web.forms import local_path
from filterd.web.identity import (
    DEVICE_SECONDS,
    DEVICE_SUFFIX,
    LOGIN_SUFFIX,
    LoginNeededError,
    cookie_name,
    is_secure,
    login_token,
    refuse_strangers,
    session_of,
    set_cookie,
)
from filterd.web.state import state_of
from filterd.web.views import plain_page

log = logging.getLogger(__name__)

WRONG = "Name or password is wrong."

open_router = APIRouter()
"""Pages for a visitor who is not logged in."""

router = APIRouter()


@open_router.get("/login")
def show(request: Request) -> Response:
    """The form."""
    try:
        session_of(request)
    except LoginNeededError:
        return _form(request, next_path=request.query_params.get("next", "/"))
    return RedirectResponse("/", 303)


@open_router.post("/login")
async def log_in(request: Request) -> Response:
    """Check name and password, and begin a session."""
    refuse_strangers(request)
    form = await request.form(max_files=0, max_fields=10)
    texts = {k: v for k, v in form.items() if isinstance(v, str)}
    # Hashing takes some ten milliseconds, in which others are served.
    return await run_in_threadpool(_log_in, request, texts)


def _log_in(request: Request, texts: dict[str, str]) -> Response:
    state = state_of(request)
    cookie = cookie_name(request, state) + LOGIN_SUFFIX
    name, next_path = texts.get("name", "").strip()[:100], texts.get("next", "/")
    nonce = request.cookies.get(cookie, "")
    if not nonce or not hmac.compare_digest(
        texts.get("csrf", "").encode(), login_token(nonce).encode()
    ):
        words = "The form was too old, or the browser keeps no cookies. Try again."
        if is_secure(request, state) and request.url.scheme != "https":
            words = "Logging in needs HTTPS here; this page came without."
        return _form(request, 403, words, name, next_path)
    address = request.client.host if request.client else ""
    device_cookie = cookie_name(request, state) + DEVICE_SUFFIX
    device = state.devices.known(name, request.cookies.get(device_cookie, ""))
    wait = state.throttle.attempt(address, name, device)
    if wait > 0:
        log.warning("login for %r from %s refused, too many failed", name, address)
        words = f"Too many failed logins. Try again in {math.ceil(wait / 60)} minutes."
        response = _form(request, 429, words, name, next_path)
        response.headers["Retry-After"] = str(math.ceil(wait))
        return response
    account = state.accounts.verify(name, texts.get("password", ""))
    if account is None:
        log.warning("login for %r from %s failed", name, address)
        return _form(request, 403, WRONG, name, next_path)
    state.throttle.succeeded(address, name, device)
    log.info("%r has logged in from %s", name, address)
    # A former user of this browser has no part in the new session.
    state.sessions.end(request.cookies.get(cookie_name(request, state), ""))
    token, _ = state.sessions.start(account.name, account.secret)
    answer = RedirectResponse(local_path(next_path, "/"), 303)
    set_cookie(answer, request, state, cookie_name(request, state), token)
    shown = request.cookies[device_cookie] if device else state.devices.new(name)
    set_cookie(answer, request, state, device_cookie, shown, DEVICE_SECONDS)
    answer.delete_cookie(cookie, path="/", secure=is_secure(request, state), httponly=True)
    return answer


@router.post("/logout")
def log_out(request: Request) -> Response:
    """End the session."""
    state = state_of(request)
    name = cookie_name(request, state)
    state.sessions.end(request.cookies.get(name, ""))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(name, path="/", secure=is_secure(request, state), httponly=True)
    # Pages that the browser still holds would show mail to the next user.
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


def _form(
    request: Request, status: int = 200, error: str = "", name: str = "", next_path: str = "/"
) -> Response:
    state = state_of(request)
    cookie = cookie_name(request, state) + LOGIN_SUFFIX
    nonce = request.cookies.get(cookie) or secrets.token_urlsafe(24)
    response = plain_page(
        request,
        "login.html",
        status,
        error=error,
        name=name,
        next_path=local_path(next_path, "/"),
        csrf=login_token(nonce),
    )
    set_cookie(response, request, state, cookie, nonce)
    return response
