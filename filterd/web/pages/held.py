"""The page behind a digest's link: one message, one recipient, a button that releases. No login."""

from __future__ import annotations

import time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from filterd.digest.links import LinkError, ReleaseLink, Signer
from filterd.quarantine import Entry, UnknownIdError
from filterd.quarantine.entry import for_admins_only
from filterd.quarantine.words import State
from filterd.review.actions import ActionError, ActionRequest
from filterd.web.state import WebState, state_of
from filterd.web.views import plain_page

open_router = APIRouter()
"""Pages for a recipient who has a link and is not logged in."""

NOT_NOW = "It could not be delivered now. It is still kept: try later, or ask your postmaster."
GONE = "This message is not held any more."


@open_router.get("/held/{token}")
def show(request: Request, token: str) -> Response:
    """What the message is. Nothing happens yet: mail scanners follow links too."""
    state = state_of(request)
    try:
        link, entry = _found(state, token)
    except (LinkError, UnknownIdError) as error:
        return _error(request, error)
    had = any(
        copy.recipient == link.recipient and copy.state == "released"
        for copy in state.actions.store.delivery_state(link.id).deliveries
    )
    words = "It was delivered to you already." if had else ""
    return plain_page(
        request,
        "held.html",
        entry=entry,
        link=link,
        token=token,
        words=words,
        ok=True,
        refused=_refused(entry),
    )


@open_router.post("/held/{token}")
def release(request: Request, token: str) -> Response:
    """Release it to that recipient. A second time changes nothing."""
    state = state_of(request)
    try:
        link, entry = _found(state, token)
        if refused := _refused(entry):
            return plain_page(
                request,
                "held.html",
                403,
                entry=entry,
                link=link,
                token=token,
                words="",
                ok=False,
                refused=refused,
            )
        wanted = ActionRequest(
            f"digest:{link.recipient}", "digest", "by a digest's link", (link.recipient,)
        )
        (done,) = state.actions.release([link.id], wanted)
    except (LinkError, UnknownIdError, ActionError) as error:
        return _error(request, error)
    # Somebody who clicks twice asks again while the first question is carried out.
    ok = done.ok or any(
        one["state"] == State.RELEASING for one in done.detail.get("recipients", ())
    )
    return plain_page(
        request,
        "held.html",
        200 if ok else 503,
        entry=entry,
        link=link,
        token=token,
        words="It is on its way to you." if ok else NOT_NOW,
        ok=ok,
        refused="",
    )


def _found(state: WebState, token: str) -> tuple[ReleaseLink, Entry]:
    """The message and recipient that the link is for. Raises LinkError, UnknownIdError."""
    link = Signer(state.settings.quarantine.folder).link(token, time.time())
    entry = state.actions.store.get(link.id)
    if not state.actions.store.path(link.id).exists():
        raise UnknownIdError(link.id)
    if entry.virus or link.recipient not in (*entry.held_for, *entry.recipients):
        raise UnknownIdError(link.id)
    return link, entry


def _refused(entry: Entry) -> str:
    """Why the recipient cannot have it delivered, as a sentence; empty if it can."""
    why = for_admins_only(entry)
    return f"It is not delivered because {why}. Ask your postmaster." if why else ""


def _error(request: Request, error: Exception) -> Response:
    words = str(error) if isinstance(error, LinkError) else GONE
    return plain_page(request, "error.html", 404, head="Nothing to release", words=words)
