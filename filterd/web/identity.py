"""Who is asking: the cookie of a browser, and the token that proves that a form is ours."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Annotated

from fastapi import Depends, HTTPException
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from filterd.review.principals import Principal
from filterd.review.reviewer import Reviewer
from filterd.web.sessions import WebSession
from filterd.web.state import WebState, state_of

PLAIN_COOKIE = "filterd"
SECURE_COOKIE = "__Host-filterd"
"""The prefix makes browsers refuse it without Secure, or from another host (RFC 6265bis §4.1.3)."""

LOGIN_SUFFIX = "-login"
"""Ends the name of the cookie that proves that the login form is ours; there is no session yet."""

DEVICE_SUFFIX = "-device"
"""Ends the name of the cookie by which a browser that was logged in before is known again."""

DEVICE_SECONDS = 90 * 86400
"""For which a browser keeps that."""

FIELD_LIMIT = 1200
"""Fields of a form; a page of the list has at most 1,000 messages."""

TOO_OLD = "The form is not one of ours, or too old. Load the page again."

_login_key = secrets.token_bytes(32)


def begin_session(
    request: Request, answer: Response, account: Principal, *, outside: bool = False
) -> WebSession:
    """Begin a session. outside: the file of accounts does not know who that is."""
    state = state_of(request)
    name = cookie_name(request, state)
    # A former user of this browser has no part in the new session.
    state.sessions.end(request.cookies.get(name, ""))
    whom = account if outside else None
    token, session = state.sessions.start(account.name, account.credentials, whom)
    set_cookie(answer, request, state, name, token)
    return session


class UserOnlyError(Exception):
    """The request is by a user, and the page is not for users."""


class LoginNeededError(Exception):
    """The request has no session, or one that has ended."""


def is_secure(request: Request, state: WebState) -> bool:
    """True if cookies must not travel without TLS: all but a plain loopback address."""
    return request.url.scheme == "https" or not state.settings.web.is_local


def cookie_name(request: Request, state: WebState) -> str:
    """The name of the session's cookie."""
    return SECURE_COOKIE if is_secure(request, state) else PLAIN_COOKIE


def set_cookie(
    response: Response,
    request: Request,
    state: WebState,
    name: str,
    value: str,
    seconds: int | None = None,
    *,
    lax: bool = False,
) -> None:
    """A cookie that scripts cannot read, that no other site makes a browser send, and that ends
    with the browser (the server ends the session earlier) or after so many seconds. lax: the
    browser sends it as well where another site leads here by a link or redirect."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        httponly=True,
        samesite="lax" if lax else "strict",
        path="/",
        secure=is_secure(request, state),
    )


def session_of(request: Request, *, used: bool = True) -> WebSession:
    """The session of the request. used: the request counts as use of it. Raises
    LoginNeededError."""
    state = state_of(request)
    name = cookie_name(request, state)
    session = state.sessions.get(request.cookies.get(name, ""), used=used)
    if session is None:
        raise LoginNeededError
    if session.outside is not None:
        return session
    account = state.accounts.get(session.name)
    if account is None or account.credentials != session.credentials:
        state.sessions.end(request.cookies[name])
        raise LoginNeededError
    return session


def anybody(request: Request) -> Reviewer:
    """Who is logged in, whatever its role. Raises LoginNeededError."""
    return _reviewer(request, session_of(request))


def _reviewer(request: Request, session: WebSession) -> Reviewer:
    account = session.outside or state_of(request).accounts.get(session.name)
    if account is None:
        raise LoginNeededError
    return account.reviewer


def current(request: Request) -> Reviewer:
    """Who is logged in, for pages that are not for users. Raises LoginNeededError, and
    UserOnlyError for a user."""
    found = anybody(request)
    if found.role == "user":
        raise UserOnlyError
    return found


def watching(request: Request) -> Reviewer:
    """The same, for what a page asks by itself: that does not keep the session from ending."""
    found = _reviewer(request, session_of(request, used=False))
    if found.role == "user":
        raise UserOnlyError
    return found


def person(request: Request) -> Reviewer:
    """The user who is logged in. Raises LoginNeededError, HTTPException 404 for others."""
    found = anybody(request)
    if found.role != "user" or not state_of(request).settings.users.enabled:
        raise HTTPException(404)
    return found


def login_token(nonce: str) -> str:
    """What the login form carries beside the cookie with this nonce."""
    return hmac.new(_login_key, nonce.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def refuse_strangers(request: Request) -> None:
    """Refuse a form of which the browser says that another site, or another port of this host, has
    sent it (Fetch Metadata). Raises HTTPException 403."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "The form was sent by another site.")


async def posted(request: Request) -> FormData:
    """The form of a POST, its token checked; an empty one for GET.

    Every page's router depends on this, so that no page can forget it. Raises LoginNeededError, and
    HTTPException 403 for a form that is not ours.
    """
    if request.method in ("GET", "HEAD"):
        return FormData()
    refuse_strangers(request)
    session = session_of(request)
    form = await request.form(max_files=1, max_fields=FIELD_LIMIT)
    token = form.get("csrf")
    if not isinstance(token, str) or not session.may_post(token):
        raise HTTPException(403, TOO_OLD)
    return form


Asking = Annotated[Reviewer, Depends(current)]
Anybody = Annotated[Reviewer, Depends(anybody)]
Person = Annotated[Reviewer, Depends(person)]
Posted = Annotated[FormData, Depends(posted)]
