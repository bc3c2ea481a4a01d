"""The present password, asked for once more: a browser that somebody left alone must not be a way
to take an account over, nor to guess its password."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from starlette.datastructures import FormData
from starlette.requests import Request

from filterd.review.oidc_login import FRESH_SECONDS
from filterd.review.outside_login import LoginUnavailableError
from filterd.web.forms import password_of
from filterd.web.identity import DEVICE_SUFFIX, cookie_name, session_of
from filterd.web.state import state_of

log = logging.getLogger(__name__)

WRONG = "The present password is wrong."
NOT_NOW = "The password cannot be checked now. Try again later."
AGAIN = "That needs a login just before. Log in again and repeat it."


@dataclass(frozen=True, slots=True)
class Unproven:
    """Why nothing is done. status: of HTTP. wait: seconds until the next try counts, 0 for now."""

    status: int
    words: str
    wait: float = 0.0

    @property
    def headers(self) -> dict[str, str]:
        """Fields of the answer's header."""
        return {"Retry-After": str(math.ceil(self.wait))} if self.wait else {}


def unproven(request: Request, name: str, form: FormData) -> Unproven | None:
    """None if the form's field `password` is the password of the account; a wrong one counts as a
    failed login does. Somebody who has logged in at an OpenID Provider has no password
    here: None if it was typed there just before."""
    state = state_of(request)
    session = session_of(request)
    if session.by_provider:
        return None if not wanted_proof(request) else Unproven(403, AGAIN)
    address = request.client.host if request.client else ""
    shown = request.cookies.get(cookie_name(request, state) + DEVICE_SUFFIX, "")
    device = state.devices.known(name, shown)
    wait = state.throttle.attempt(address, name, device)
    if wait > 0:
        log.warning("account of %r not changed from %s, too many failed", name, address)
        words = f"Too many wrong passwords. Try again in {math.ceil(wait / 60)} minutes."
        return Unproven(429, words, wait)
    password = password_of(form, "password")
    try:
        if session.outside is None:
            account = state.accounts.verify(name, password)
        else:
            account = state.verified_outside(name, password)
    except LoginUnavailableError as error:
        state.throttle.undecided(address, name, device)
        log.error("account of %r not changed from %s: %s", name, address, error)
        return Unproven(503, NOT_NOW)
    if account is None:
        log.warning("account of %r not changed from %s: wrong password", name, address)
        return Unproven(403, WRONG)
    state.throttle.succeeded(address, name, device)
    return None


def wanted_proof(request: Request) -> str:
    """What the person must do before a change: `password` in the form, `login` again at the OpenID
    Provider, or nothing more, if the password was typed there just before."""
    session = session_of(request)
    if not session.by_provider:
        return "password"
    age = state_of(request).sessions.age(session)
    return "" if session.is_fresh and age <= FRESH_SECONDS else "login"
