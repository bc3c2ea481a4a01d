"""Logging in at an OpenID Provider: the browser is sent there, and comes back with a code.

What belongs to one login (state, nonce, PKCE's verifier) is derived from a random cookie, so that
the browser that comes back must be the one that went, and nothing is kept for those who never do.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import math
import secrets
import time
from urllib.parse import quote, unquote

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from filterd.review.outside_login import LoginRefusedError, LoginUnavailableError
from filterd.web.forms import local_path
from filterd.web.identity import begin_session, cookie_name, is_secure, set_cookie
from filterd.web.pages.login import NOT_NOW, TOO_OLD, login_form
from filterd.web.state import WebState, state_of
from filterd.web.throttle import network
from filterd.web.views import plain_page

log = logging.getLogger(__name__)

COOKIE_SUFFIX = "-oidc"
"""Ends the name of the cookie of a login on its way. It is lax: the provider's redirect is another
site's, with which a browser sends no strict cookie."""

LOGIN_SECONDS = 900.0
"""From the page here until the browser is back."""

CODE_LIMIT = 4000
"""Characters of a code or state in the address."""

REFUSED = "You may not log in here. Ask your postmaster."
CANCELLED = "The login was cancelled."
TOO_MANY = "Too many failed logins. Try again later."

open_router = APIRouter(prefix="/login/oidc")
"""Pages for a visitor who is not logged in."""

_key = secrets.token_bytes(32)


@open_router.get("")
def start(request: Request) -> Response:
    """Send the browser to the provider. `again` in the query: to type the password there even if
    the provider knows the browser."""
    state = _state(request)
    next_path = local_path(request.query_params.get("next", "/"), "/")
    seed = f"{int(time.time())}.{secrets.token_urlsafe(24)}.{quote(next_path, safe='')}"
    try:
        address = state.oidc_login.authentication_request(
            _derived("state", seed),
            _derived("nonce", seed),
            _derived("verifier", seed),
            again="again" in request.query_params,
        )
    except LoginUnavailableError as error:
        log.error("login: %s", error)
        return login_form(request, 503, NOT_NOW, next_path=next_path)
    answer = RedirectResponse(address, 303)
    name = cookie_name(request, state) + COOKIE_SUFFIX
    set_cookie(answer, request, state, name, seed, int(LOGIN_SECONDS), lax=True)
    return answer


@open_router.get("/callback")
def callback(request: Request) -> Response:
    """The browser is back (OpenID Connect Core 1.0 §3.1.2.5)."""
    state = _state(request)
    cookie = cookie_name(request, state) + COOKIE_SUFFIX
    seed = request.cookies.get(cookie, "")[:CODE_LIMIT]
    next_path = _next_of(seed)
    answer = _came_back(request, state, seed, next_path)
    # A code and what belongs to it are good for once.
    secure = is_secure(request, state)
    answer.delete_cookie(cookie, path="/", secure=secure, httponly=True, samesite="lax")
    return answer


def _came_back(request: Request, state: WebState, seed: str, next_path: str) -> Response:
    given = {name: request.query_params.get(name, "") for name in ("state", "code", "error", "iss")}
    shown = given["state"].encode("utf-8", "replace")
    if (
        not hmac.compare_digest(shown, _derived("state", seed).encode())
        or not 0 <= time.time() - _begun(seed) <= LOGIN_SECONDS
        or len(given["code"]) > CODE_LIMIT
    ):
        return login_form(request, 403, TOO_OLD, next_path=next_path)
    address = request.client.host if request.client else ""
    if given["error"] or not given["code"]:
        told = [request.query_params.get(name, "")[:200] for name in ("error", "error_description")]
        log.warning("login from %s: the OpenID Provider says %r", address, told)
        is_own = given["error"] in ("access_denied", "login_required", "interaction_required")
        return login_form(
            request, 403 if is_own else 503, CANCELLED if is_own else NOT_NOW, next_path=next_path
        )
    # Counted by address alone: strangers must not lock anybody out.
    counted = f" at the provider, from {network(address)}"
    wait = state.throttle.attempt(address, counted)
    if wait > 0:
        log.warning("login from %s at the OpenID Provider refused, too many failed", address)
        refused = login_form(request, 429, TOO_MANY, next_path=next_path)
        refused.headers["Retry-After"] = str(math.ceil(wait))
        return refused
    try:
        person, is_fresh = state.oidc_login.authenticate(
            given["code"], given["iss"], _derived("nonce", seed), _derived("verifier", seed)
        )
        # Names of accounts of filterd's own belong to these alone.
        if state.accounts.get(person.name) is not None:
            raise LoginRefusedError(f"{person.name!r} is an account of filterd's own")
    except LoginRefusedError as error:
        log.warning("login from %s at the OpenID Provider refused: %s", address, error)
        return login_form(request, 403, REFUSED, next_path=next_path)
    except LoginUnavailableError as error:
        state.throttle.undecided(address, counted)
        log.error("login from %s: %s", address, error)
        return login_form(request, 503, NOT_NOW, next_path=next_path)
    state.throttle.succeeded(address, counted)
    log.info("%r has logged in from %s at the OpenID Provider", person.name, address)
    # A page, not a redirect: that would be the other site's still, without the strict cookie.
    answer = plain_page(request, "continue.html", next_path=next_path)
    session = begin_session(request, answer, person, outside=True)
    session.by_provider, session.is_fresh = True, is_fresh
    return answer


def _derived(what: str, seed: str) -> str:
    """64 characters that nobody can make of the seed; PKCE wants 43 to 128 (RFC 7636 §4.1)."""
    told = f"{what}\0{seed}".encode("utf-8", "surrogatepass")
    return hmac.new(_key, told, hashlib.sha256).hexdigest()


def _begun(seed: str) -> float:
    told = seed.partition(".")[0]
    return float(told) if told.isascii() and told.isdecimal() and len(told) < 13 else 0.0


def _next_of(seed: str) -> str:
    return local_path(unquote(seed.rpartition(".")[2]), "/")


def _state(request: Request) -> WebState:
    """Raises HTTPException 404 if there is no provider."""
    state = state_of(request)
    if not state.oidc_login.is_used:
        raise HTTPException(404)
    return state
