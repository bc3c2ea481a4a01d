"""The page behind a digest's link: one message, one recipient, and buttons. No login."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import get_args

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from filterd.digest.links import LinkError, ReleaseLink, Signer
from filterd.message import Message
from filterd.quarantine import Entry, GoneError, UnknownIdError
from filterd.quarantine.entry import for_admins_only
from filterd.quarantine.words import State
from filterd.review.actions import ActionError, ActionRequest
from filterd.review.own_mail import NOTE_LIMIT, OwnAction, OwnMail, OwnMessage, OwnResult
from filterd.review.reviewer import Reviewer
from filterd.state.facts import StateError
from filterd.web import preview
from filterd.web.forms import text_of
from filterd.web.own_words import OWN_WORDS
from filterd.web.pages.my import no_link
from filterd.web.state import WebState, state_of
from filterd.web.views import plain_page

open_router = APIRouter()
"""Pages for a recipient who has a link and is not logged in."""

GONE = "This message is not held any more."

TEXT_LIMIT = 4000
"""Characters of the text that the page shows."""


@dataclass(frozen=True, slots=True)
class LinkedMail:
    """What a link leads to. own: what the recipient may do where users have pages; None else."""

    link: ReleaseLink
    entry: Entry
    mail: OwnMail
    own: OwnMessage | None
    had: bool

    @property
    def refused(self) -> str:
        """Why the recipient cannot have it delivered; empty if it can."""
        return for_admins_only(self.entry)

    @property
    def may(self) -> frozenset[OwnAction]:
        """What the page has buttons for."""
        found: set[OwnAction] = set(self.own.may if self.own is not None else ())
        found.discard("deliver")
        if not self.refused and not self.had:
            # What a digest lists can be delivered by its link, as `[digest] reasons` say.
            found.add("deliver")
            found.discard("request")
        return frozenset(found)


@open_router.get("/held/{token}")
def show(request: Request, token: str) -> Response:
    """What the message is. Nothing happens yet: mail scanners follow links too."""
    try:
        return _page(request, token, _found(state_of(request), token))
    except LinkError as error:
        return no_link(request, error)
    except (GoneError, UnknownIdError):
        return no_link(request, LinkError(GONE))


@open_router.post("/held/{token}")
async def act(request: Request, token: str) -> Response:
    """Do what a button says, for that recipient; without a button's name it is delivered. A second
    time changes nothing."""
    from starlette.concurrency import run_in_threadpool  # noqa: PLC0415

    form = await request.form(max_files=0, max_fields=10)
    given = form.get("do", "deliver")
    action = next((one for one in get_args(OwnAction) if one == given), None)
    if action is None or action == "undelete":
        raise HTTPException(400)
    return await run_in_threadpool(_act, request, token, action, text_of(form, "note", NOTE_LIMIT))


def _act(request: Request, token: str, action: OwnAction, note: str) -> Response:
    state = state_of(request)
    try:
        found = _found(state, token)
        if action == "deliver" and found.refused:
            return _page(request, token, found, 403)
        done = _deliver(state, found) if action == "deliver" else _other(found, action, note)
        after = _found(state, token, gone_too=True)
    except LinkError as error:
        return no_link(request, error)
    except (GoneError, UnknownIdError, ActionError):
        return no_link(request, LinkError(GONE))
    return _page(request, token, after, 200 if done.ok else 503, done)


def _other(found: LinkedMail, action: OwnAction, note: str) -> OwnResult:
    if action not in found.may:
        return OwnResult(found.link.id, "not_permitted", ok=False)
    return found.mail.do(action, found.link.id, note)


def _deliver(state: WebState, found: LinkedMail) -> OwnResult:
    link = found.link
    if state.settings.users.enabled:
        try:
            if not state.user_limits.admit(found.mail.person.name, "action"):
                return OwnResult(link.id, "too_many", ok=False)
        except StateError:
            # Mail goes before counts.
            pass
    wanted = ActionRequest(
        f"digest:{link.recipient}", "digest", "by a digest's link", (link.recipient,)
    )
    (done,) = state.actions.release([link.id], wanted)
    # Somebody who clicks twice asks again while the first question is carried out.
    ok = done.ok or any(
        one["state"] == State.RELEASING for one in done.detail.get("recipients", ())
    )
    return OwnResult(link.id, "delivered" if ok else "not_delivered", ok)


def _found(state: WebState, token: str, *, gone_too: bool = False) -> LinkedMail:
    """What the link is for. gone_too: also if it was just deleted. Raises LinkError,
    UnknownIdError."""
    link = Signer(state.settings.quarantine.folder).link(token, time.time())
    entry = state.actions.store.get(link.id)
    if not gone_too and not state.actions.store.path(link.id).exists():
        raise UnknownIdError(link.id)
    if entry.virus or link.recipient not in (*entry.held_for, *entry.recipients):
        raise UnknownIdError(link.id)
    person = Reviewer(link.recipient, "user", recipients=frozenset([link.recipient]))
    mail = OwnMail(state.actions, state.senders, state.user_limits, person, "digest")
    own = None
    if state.settings.users.enabled and entry.reason in state.settings.users.reasons:
        own = mail.message(link.id)
    copies = state.actions.store.delivery_state(link.id).deliveries
    had = any(one.recipient == link.recipient and one.state == "released" for one in copies)
    return LinkedMail(link, entry, mail, own, had)


def _page(
    request: Request,
    token: str,
    found: LinkedMail,
    status: int = 200,
    done: OwnResult | None = None,
) -> Response:
    state, own = state_of(request), found.own
    asked = own.asked if own is not None else 0.0
    is_over = done is not None and done.ok and done.word != "allowed"
    text = ""
    if own is not None and not is_over and found.entry.size <= preview.SIZE_LIMIT:
        data = state.actions.store.read(found.link.id)
        text = _text(Message(data, found.entry.envelope, found.link.id))
    first = request.query_params.get("do", "deliver")
    return plain_page(
        request,
        "held.html",
        status,
        entry=found.entry,
        link=found.link,
        token=token,
        had=found.had,
        results=() if done is None else (done,),
        own_words=OWN_WORDS,
        refused="" if asked or is_over else found.refused,
        asked=0.0 if is_over else asked,
        refusal=None if is_over or own is None else own.refusal,
        may=frozenset() if is_over or found.had else found.may,
        first=first if first in found.may else "deliver",
        text=text,
    )


def _text(message: Message) -> str:
    """The beginning of its plain text."""
    for entity in preview.text_parts(message):
        if entity.content_type != preview.HTML:
            return preview.plain(entity)[0][:TEXT_LIMIT]
    return ""
