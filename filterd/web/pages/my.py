"""A user's own mail: what is held, its text, and what becomes of it; and the user's own senders."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from filterd.digest.links import LinkError, MailboxLink, Signer
from filterd.filters.senders.list import Kind, ListEntryError
from filterd.message import Message
from filterd.message.address import readable
from filterd.quarantine import GoneError, UnknownIdError
from filterd.quarantine.words import State
from filterd.review.own_mail import (
    NOTE_LIMIT,
    SHOWN_LIMIT,
    OwnAction,
    OwnMail,
    OwnResult,
)
from filterd.review.own_strictness import OwnStrictness
from filterd.review.principals import Principal
from filterd.review.reviewer import Reviewer
from filterd.review.senders import SendersError
from filterd.system.display import printable
from filterd.web import preview
from filterd.web.forms import text_of
from filterd.web.identity import (
    Person,
    Posted,
    begin_session,
    refuse_strangers,
    session_of,
)
from filterd.web.own_words import OWN_WORDS
from filterd.web.state import WebState, state_of
from filterd.web.views import back, page, plain_page

log = logging.getLogger(__name__)

open_router = APIRouter()
"""Pages for somebody with a digest's link."""

router = APIRouter()

SENDER_LIMIT = 320
"""Characters of an address."""

ATTACHMENTS_LIMIT = 50


@dataclass(frozen=True, slots=True)
class OwnPart:
    """A text part. text: of a plain one. safe: of an HTML one, whose frame is at `number`."""

    number: int
    text: str
    is_cut: bool
    safe: preview.Safe | None


@open_router.get("/my/open/{token}")
def enter(request: Request, token: str) -> Response:
    """A button that opens the mailbox's page. Nothing happens yet: mail scanners follow links."""
    try:
        link = _mailbox(state_of(request), token)
    except LinkError as error:
        return no_link(request, error)
    return plain_page(request, "my_enter.html", address=link.address, token=token)


@open_router.post("/my/open/{token}")
def log_in(request: Request, token: str) -> Response:
    """Begin a session for the mailbox that the link was sent to."""
    refuse_strangers(request)
    state = state_of(request)
    try:
        link = _mailbox(state, token)
    except LinkError as error:
        return no_link(request, error)
    address = readable(link.address)
    person = Principal(address, "user", "", recipients=(address,))
    answer = RedirectResponse("/my", 303)
    begin_session(request, answer, person, outside=True)
    log.info("%r has come by a digest's link", address)
    return answer


def _mailbox(state: WebState, token: str) -> MailboxLink:
    """The mailbox that a link is for. Raises LinkError."""
    users = state.settings.users
    if not (users.enabled and users.links):
        raise HTTPException(404)
    return Signer(state.settings.quarantine.folder).mailbox(token, time.time())


def no_link(request: Request, error: LinkError) -> Response:
    """The page for a link that is worth nothing."""
    return plain_page(request, "no_link.html", 404, words=str(error))


@router.get("/my")
def list_(request: Request, person: Person) -> Response:
    """What is held."""
    mail = own_mail(request, person)
    found = mail.held()
    settings = state_of(request).settings
    strictness = OwnStrictness(settings, mail)
    return _page(
        request,
        "my.html",
        person,
        messages=sorted(found, key=lambda one: one.row.score),
        several=len(person.recipients) > 1,
        deliver=settings.users.deliver,
        keep_days=round(settings.quarantine.keep_days),
        most=SHOWN_LIMIT,
        steps=strictness.steps,
        step=_step(strictness),
    )


def _step(strictness: OwnStrictness) -> str | None:
    """What was chosen; the admin's list may be broken, and then nothing is shown as chosen."""
    try:
        return strictness.step() if strictness.steps else None
    except SendersError as error:
        log.error("strictness: %s", error)
        return None


@router.post("/my/strictness")
def choose(request: Request, person: Person, form: Posted) -> Response:
    """Choose how strict the filter is."""
    strictness = OwnStrictness(state_of(request).settings, own_mail(request, person))
    wanted = form.get("step")
    step = next((one for one in strictness.steps if one == wanted), None)
    if step is None:
        raise HTTPException(400)
    return _told(request, "/my", strictness.choose(step))


@router.get("/my/senders")
def senders(request: Request, person: Person) -> Response:
    """The user's own entries in the list of senders."""
    return _senders(request, person)


@router.post("/my/senders/add")
def add(request: Request, person: Person, form: Posted) -> Response:
    """Allow or block a sender."""
    sender = text_of(form, "sender", SENDER_LIMIT + 1)
    kind = _kind(form.get("kind"))
    try:
        if len(sender) > SENDER_LIMIT or not sender or sender == "*":
            raise ListEntryError("expected an address")
        done = _listing(request, person).add(kind, sender)
    except ListEntryError:
        return _senders(request, person, 422, sender)
    return _told(request, "/my/senders", done)


@router.post("/my/senders/remove")
def remove(request: Request, person: Person, form: Posted) -> Response:
    """Take an entry out of the list."""
    sender, recipient = (text_of(form, one, SENDER_LIMIT) for one in ("sender", "recipient"))
    kind = _kind(form.get("kind"))
    try:
        done = _listing(request, person).remove(kind, sender, recipient)
    except ListEntryError:
        return _senders(request, person, 422, sender)
    return _told(request, "/my/senders", done)


@router.post("/my/do")
def do(request: Request, person: Person, form: Posted) -> Response:
    """Do something with a message, then show the list again; where it was not done, the message."""
    mail = own_mail(request, person)
    id, action = text_of(form, "id", 100), _action(form.get("do"))
    try:
        done = mail.do(action, id, text_of(form, "note", NOTE_LIMIT))
    except UnknownIdError:
        done = OwnResult(id, "gone", ok=False)
    if done.ok:
        stays = action in ("allow", "request")
    else:
        stays = done.word not in ("gone", "not_permitted")
    return _told(request, f"/my/{id}" if stays else "/my", done)


@router.get("/my/{id}")
def show(request: Request, person: Person, id: str) -> Response:
    """One message, its text made harmless. The journal says that it was looked at, once for a
    session."""
    mail, session = own_mail(request, person), session_of(request)
    found = mail.message(id)
    shown: list[OwnPart] = []
    attachments: list[str] = []
    is_gone = False
    try:
        if found.entry.size <= preview.SIZE_LIMIT:
            message = Message(mail.data(id), found.entry.envelope, id)
            shown = _parts(message)
            attachments = [printable(name, 200) for name in found.entry.attachments]
        if id not in session.viewed:
            mail.viewed(id)
            session.saw(id)
    except GoneError:
        is_gone = True
    return _page(
        request,
        "my_message.html",
        person,
        entry=found.entry,
        to=person.within(found.entry.recipients),
        may=found.may,
        delivered=found.is_delivered,
        asked=found.asked,
        refusal=found.refusal,
        gone=is_gone or not _is_held(found.copies),
        shown=shown,
        attachments=attachments[:ATTACHMENTS_LIMIT],
    )


@router.get("/my/{id}/part/{number}")
def part(request: Request, person: Person, id: str, number: int) -> Response:
    """One HTML part for the sandboxed frame, after the message itself was looked at."""
    mail = own_mail(request, person)
    entry = mail.message(id).entry
    if id not in session_of(request).viewed or entry.size > preview.SIZE_LIMIT:
        raise HTTPException(404)
    found = preview.text_parts(Message(mail.data(id), entry.envelope, id))
    if not 0 <= number < len(found) or found[number].content_type != preview.HTML:
        raise HTTPException(404)
    text = preview.document(preview.harmless(found[number].text))
    return Response(
        text.encode("utf-8", "replace"),
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": preview.FRAME_POLICY, "X-Frame-Options": "SAMEORIGIN"},
    )


def own_mail(request: Request, person: Reviewer) -> OwnMail:
    """The mail of somebody who has logged in."""
    state = state_of(request)
    return OwnMail(state.actions, state.senders, state.user_limits, person)


def _parts(message: Message) -> list[OwnPart]:
    """The text to be shown: of the plain and the HTML form of one text the plain one."""
    parts = preview.text_parts(message)[: preview.OPEN_PARTS]
    has_plain = any(one.content_type != preview.HTML and one.text.strip() for one in parts)
    found = []
    for number, entity in enumerate(parts):
        if entity.content_type != preview.HTML:
            text, is_cut = preview.plain(entity)
            found.append(OwnPart(number, text, is_cut, None))
        elif not has_plain:
            safe = preview.harmless(entity.text)
            found.append(OwnPart(number, "", safe.is_cut, safe))
    return found


def _is_held(copies: Sequence[object]) -> bool:
    gone = (State.DELETED, State.EXPIRED)
    return any(getattr(one, "state", "") not in gone for one in copies)


def _senders(request: Request, person: Reviewer, status: int = 200, typed: str = "") -> Response:
    mail = _listing(request, person)
    trouble = False
    try:
        rows = mail.entries()
    except SendersError:
        rows, trouble = [], True
    return _page(
        request,
        "my_senders.html",
        person,
        status,
        rows=rows,
        trouble=trouble,
        error=status != 200,
        typed=typed,
        may_allow=mail.may_allow,
        several=len(person.recipients) > 1,
    )


def _listing(request: Request, person: Reviewer) -> OwnMail:
    mail = own_mail(request, person)
    if not mail.has_list:
        raise HTTPException(404)
    return mail


def _kind(text: object) -> Kind:
    found = next((one for one in get_args(Kind) if one == text), None)
    if found is None:
        raise HTTPException(400)
    return found  # type: ignore[no-any-return]  # of get_args


def _action(text: object) -> OwnAction:
    found = next((one for one in get_args(OwnAction) if one == text), None)
    if found is None:
        raise HTTPException(400)
    return found  # type: ignore[no-any-return]  # of get_args


def _told(request: Request, path: str, done: OwnResult) -> Response:
    return back(request, path, [done])


def _page(
    request: Request, template: str, person: Reviewer, status: int = 200, /, **context: object
) -> Response:
    results = session_of(request).notices.pop(request.query_params.get("done", ""), ())
    return page(request, template, person, status, results=results, own_words=OWN_WORDS, **context)
