"""Logging in and out."""

from __future__ import annotations

import hmac
import logging
import math
import secrets
import time

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from filterd.review.outside_login import LoginUnavailableError
from filterd.review.principals import Principal
from filterd.review.second_factor import step_of
from filterd.web.forms import local_path
from filterd.web.identity import (
    DEVICE_SECONDS,
    DEVICE_SUFFIX,
    LOGIN_SUFFIX,
    LoginNeededError,
    begin_session,
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
NOT_NOW = "Logging in is not possible now. Try again later."
WRONG_CODE = "That code is wrong, or was used before. Wait for the next one."
TOO_OLD = "The form was too old, or the browser keeps no cookies. Try again."

open_router = APIRouter()
"""Pages for a visitor who is not logged in."""

router = APIRouter()


@open_router.get("/login")
def show(request: Request) -> Response:
    """The form."""
    try:
        session_of(request)
    except LoginNeededError:
        return login_form(request, next_path=request.query_params.get("next", "/"))
    return RedirectResponse("/", 303)


@open_router.post("/login")
async def log_in(request: Request) -> Response:
    """Check name and password; ask for the code of a second factor, or begin a session."""
    texts = await _texts(request)
    # Hashing takes some ten milliseconds, in which others are served.
    return await run_in_threadpool(_log_in, request, texts)


@open_router.post("/login/code")
async def log_in_by_code(request: Request) -> Response:
    """Check the code of the second factor, and begin a session."""
    texts = await _texts(request)
    return await run_in_threadpool(_log_in_by_code, request, texts)


async def _texts(request: Request) -> dict[str, str]:
    refuse_strangers(request)
    form = await request.form(max_files=0, max_fields=10)
    return {k: v for k, v in form.items() if isinstance(v, str)}


def _log_in(request: Request, texts: dict[str, str]) -> Response:
    state = state_of(request)
    cookie = cookie_name(request, state) + LOGIN_SUFFIX
    name, next_path = texts.get("name", "").strip()[:100], texts.get("next", "/")
    if not _is_ours(request, cookie, texts):
        words = TOO_OLD
        if is_secure(request, state) and request.url.scheme != "https":
            words = "Logging in needs HTTPS here; this page came without."
        return login_form(request, 403, words, name, next_path)
    address, device = _caller(request, name)
    wait = state.throttle.attempt(address, name, device)
    if wait > 0:
        return _too_many(request, name, wait, next_path)
    account = state.accounts.verify(name, texts.get("password", ""))
    if account is None and state.outside_logins and state.accounts.get(name) is None:
        try:
            person = state.verified_outside(name, texts.get("password", ""))
        except LoginUnavailableError as error:
            state.throttle.undecided(address, name, device)
            log.error("login for %r from %s: %s", name, address, error)
            return login_form(request, 503, NOT_NOW, name, next_path)
        if person is not None:
            state.throttle.succeeded(address, name, device)
            return _logged_in(request, person, next_path, outside=True)
    if account is None:
        log.warning("login for %r from %s failed", name, address)
        return login_form(request, 403, WRONG, name, next_path)
    state.throttle.succeeded(address, name, device)
    if account.totp:
        half, _ = state.half_sessions.start(account.name, account.credentials)
        return _code_form(request, half, next_path=next_path)
    return _logged_in(request, account, next_path)


def _log_in_by_code(request: Request, texts: dict[str, str]) -> Response:
    state = state_of(request)
    half, next_path = texts.get("half", "")[:100], texts.get("next", "/")
    pending = state.half_sessions.get(half)
    account = state.accounts.get(pending.name) if pending else None
    cookie = cookie_name(request, state) + LOGIN_SUFFIX
    if (
        pending is None
        or account is None
        or account.credentials != pending.credentials
        or not _is_ours(request, cookie, texts)
    ):
        return login_form(request, 403, TOO_OLD, next_path=next_path)
    address, device = _caller(request, account.name)
    # A million codes are few: each try counts as one with a password does.
    wait = state.throttle.attempt(address, account.name, device)
    if wait > 0:
        state.half_sessions.end(half)
        return _too_many(request, account.name, wait, next_path)
    step = step_of(account.totp, texts.get("code", "")[:20], time.time())
    if step is None or not state.used_codes.take(account.name, step):
        log.warning("login for %r from %s failed: wrong code", account.name, address)
        return _code_form(request, half, 403, WRONG_CODE, next_path)
    state.throttle.succeeded(address, account.name, device)
    state.half_sessions.end(half)
    return _logged_in(request, account, next_path)


def _is_ours(request: Request, cookie: str, texts: dict[str, str]) -> bool:
    """True if the browser that sends the form got it from us."""
    nonce = request.cookies.get(cookie, "")
    shown = texts.get("csrf", "").encode("utf-8", "replace")
    return bool(nonce) and hmac.compare_digest(shown, login_token(nonce).encode())


def _caller(request: Request, name: str) -> tuple[str, str]:
    """The address, and the browser if it was logged into that account before."""
    state = state_of(request)
    shown = request.cookies.get(cookie_name(request, state) + DEVICE_SUFFIX, "")
    return request.client.host if request.client else "", state.devices.known(name, shown)


def _too_many(request: Request, name: str, wait: float, next_path: str) -> Response:
    address, _ = _caller(request, name)
    log.warning("login for %r from %s refused, too many failed", name, address)
    words = f"Too many failed logins. Try again in {math.ceil(wait / 60)} minutes."
    response = login_form(request, 429, words, name, next_path)
    response.headers["Retry-After"] = str(math.ceil(wait))
    return response


def _logged_in(
    request: Request, account: Principal, next_path: str, *, outside: bool = False
) -> Response:
    """Begin a session."""
    state = state_of(request)
    address, device = _caller(request, account.name)
    log.info("%r has logged in from %s", account.name, address)
    answer = RedirectResponse(local_path(next_path, "/"), 303)
    begin_session(request, answer, account, outside=outside)
    device_cookie = cookie_name(request, state) + DEVICE_SUFFIX
    shown = request.cookies[device_cookie] if device else state.devices.new(account.name)
    set_cookie(answer, request, state, device_cookie, shown, DEVICE_SECONDS)
    login_cookie = cookie_name(request, state) + LOGIN_SUFFIX
    answer.delete_cookie(login_cookie, path="/", secure=is_secure(request, state), httponly=True)
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


def login_form(
    request: Request, status: int = 200, error: str = "", name: str = "", next_path: str = "/"
) -> Response:
    """The form for name and password."""
    state = state_of(request)
    return _before_login(
        request,
        "login.html",
        status,
        error=error,
        name=name,
        next_path=local_path(next_path, "/"),
        provider=state.settings.oidc.label if state.oidc_login.is_used else None,
    )


def _code_form(
    request: Request, half: str, status: int = 200, error: str = "", next_path: str = "/"
) -> Response:
    return _before_login(
        request, "code.html", status, error=error, half=half, next_path=local_path(next_path, "/")
    )


def _before_login(request: Request, template: str, status: int, **context: str | None) -> Response:
    """A form for a visitor without a session, with a token that belongs to the browser's cookie."""
    state = state_of(request)
    cookie = cookie_name(request, state) + LOGIN_SUFFIX
    nonce = request.cookies.get(cookie) or secrets.token_urlsafe(24)
    response = plain_page(request, template, status, csrf=login_token(nonce), **context)
    set_cookie(response, request, state, cookie, nonce)
    return response
