"""One kept message: what it is, why it is here, what became of it, and its release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from filterd.message import Message
from filterd.message.decoding import header_text
from filterd.quarantine import GoneError
from filterd.review.access import Access
from filterd.review.actions import ActionError, ActionRequest, ActionResult
from filterd.review.rights import ACTIONS, BULK
from filterd.review.timeline import timeline
from filterd.web import preview
from filterd.web.explain import ExplanationView, explain
from filterd.web.forms import DAY, NOTE_LIMIT, addresses_of, text_of, texts_of
from filterd.web.highlight import Highlighter, Piece
from filterd.web.identity import Asking, Posted, session_of
from filterd.web.neighbours import (
    list_of,
    message_path,
    neighbours,
    onward,
    posted_list,
    query_of,
)
from filterd.web.state import state_of
from filterd.web.views import back, keeps_only, page

router = APIRouter()

FIELD_LIMIT = 200
"""Header fields that are shown, and the octets of one."""

FIELD_WIDTH = 4000

RECIPIENT_LIMIT = 500
"""Recipients that the release form lists."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A text part on the page. pieces: of a plain one's text. safe: of an HTML one, whose frame is
    at `number`."""

    number: int
    pieces: Sequence[Piece]
    is_cut: bool
    safe: preview.Safe | None


@router.get("/message/{id}")
def show(request: Request, asking: Asking, id: str) -> Response:
    """The message; the journal says that it was looked at, once for a session. `list` in the
    address is the query of the list that the reviewer came from."""
    state = state_of(request)
    access = Access(state.actions, asking, "web")
    entry = access.entry(id)
    session = session_of(request)
    if id not in session.viewed:
        access.viewed(id)
        session.saw(id)
    look = access.look(id)
    message, is_gone = None, False
    try:
        if entry.size <= preview.SIZE_LIMIT:
            message = Message(access.data(id), entry.envelope, id)
    except GoneError:
        is_gone = True
    explanation = _explanation(state, message)
    highlighter = _highlighter(explanation)
    copy_until = access.copy_until(entry)
    own, hidden = keeps_only(asking, entry.recipients)
    search = list_of(request.query_params.get("list", ""))
    return page(
        request,
        "message.html",
        asking,
        entry=entry,
        recipients=own,
        hidden=hidden,
        held=asking.within(entry.held_for),
        choices=_choices(own, asking.within(entry.held_for)),
        state=look.delivery_state.state,
        pinned=look.delivery_state.pinned,
        deliveries=look.deliveries,
        events=look.events,
        timeline=timeline(
            entry, entry.received.timestamp(), look.events, state.maillog, asking.within
        ),
        gone=is_gone,
        copy_until=copy_until,
        undelete_until=access.undelete_until([id]).get(id) if is_gone else None,
        too_large=entry.size > preview.SIZE_LIMIT,
        fields=_fields(message),
        parts=list(preview.parts(message)) if message else [],
        shown=_shown(message, highlighter) if message else [],
        highlights=bool(highlighter),
        others=max(0, len(preview.text_parts(message)) - preview.OPEN_PARTS) if message else 0,
        warnings=preview.warnings(message, own) if message else (),
        explanation=explanation,
        actions=ACTIONS,
        permitted=access.permitted(entry),
        no_release=access.refusal("release", entry),
        keep_seconds=state.settings.quarantine.keep_days * DAY,
        here=message_path(id, search, page=True),
        list=query_of(search, page=True),
        neighbours=neighbours(access, id, search),
    )


@router.get("/message/{id}/part/{number}")
def part(request: Request, asking: Asking, id: str, number: int) -> Response:
    """One text part by itself: HTML for the sandboxed frame, anything else as plain text.

    Only after the message itself was looked at, which the journal has.
    """
    access = Access(state_of(request).actions, asking, "web")
    entry = access.entry(id)
    if id not in session_of(request).viewed or entry.size > preview.SIZE_LIMIT:
        raise HTTPException(404, "Open the message first.")
    message = Message(access.data(id), entry.envelope, id)
    found = preview.text_parts(message)
    if not 0 <= number < len(found):
        raise HTTPException(404, "The message has no such part.")
    entity = found[number]
    if entity.content_type == "text/html":
        safe, kind = preview.harmless(entity.text), "text/html"
        highlighter = _highlighter(_explanation(state_of(request), message))
        if highlighter:
            safe = replace(safe, html=highlighter.html(safe.html))
        text = preview.document(safe)
    else:
        text, kind = preview.plain(entity)[0], "text/plain"
    return Response(
        text.encode("utf-8", "replace"),
        media_type=f"{kind}; charset=utf-8",
        headers={"Content-Security-Policy": preview.FRAME_POLICY, "X-Frame-Options": "SAMEORIGIN"},
    )


@router.get("/message/{id}/raw")
def raw(request: Request, asking: Asking, id: str) -> Response:
    """The exact bytes, as a file."""
    data = Access(state_of(request).actions, asking, "web").download(id)
    return _download(data, f"{id}.eml")


@router.get("/message/{id}/removed/{number}")
def removed(request: Request, asking: Asking, id: str, number: int) -> Response:
    """The bytes of a removed part, its header included, as a file."""
    if number < 1:
        raise HTTPException(404, "The message has no such part.")
    data = Access(state_of(request).actions, asking, "web").download(id, number)
    return _download(data, f"{id}.part{number}")


@router.post("/message/{id}/release")
def release(request: Request, asking: Asking, id: str, form: Posted) -> Response:
    """Release to those who were chosen."""
    access = Access(state_of(request).actions, asking, "web")
    chosen = texts_of(form, "to", RECIPIENT_LIMIT)
    search = posted_list(form)
    here = message_path(id, search, page=True)
    try:
        chosen += addresses_of(text_of(form, "other", 4000))
    except ValueError as error:
        return back(request, here, [ActionResult(id, False, str(error))])
    if not chosen:
        return back(request, here, [ActionResult(id, False, "choose a recipient, or name one")])
    wanted = ActionRequest(
        note=text_of(form, "note", NOTE_LIMIT),
        recipients=tuple(chosen),
        form="attached" if text_of(form, "attached") else "original",
        again=bool(text_of(form, "again")),
        viruses=bool(text_of(form, "virus")),
    )
    results = access.perform("release", [id], wanted)
    return back(request, onward(access, BULK["release"], results, search, here), results)


@router.post("/message/{id}/do")
def do(request: Request, asking: Asking, id: str, form: Posted) -> Response:
    """Do an action that needs no confirmation. Raises ActionError for another."""
    access = Access(state_of(request).actions, asking, "web")
    name = text_of(form, "do")
    if name not in BULK or BULK[name].asks_first:
        raise ActionError("that has to be confirmed first")
    results, search = access.perform(name, [id]), posted_list(form)
    here = message_path(id, search, page=True)
    return back(request, onward(access, BULK[name], results, search, here), results)


@router.post("/message/{id}/rescan")
def rescan(request: Request, asking: Asking, id: str, form: Posted) -> Response:
    """What the chain, as it is today, says about it. Nothing is changed."""
    access = Access(state_of(request).actions, asking, "web")
    entry, search = access.entry(id), posted_list(form)
    here = message_path(id, search, page=True)
    try:
        examined = access.rescan(id)
    except ActionError as error:
        return back(request, here, [ActionResult(id, False, str(error))])
    list = query_of(search, page=True)
    return page(
        request, "rescan.html", asking, entry=entry, examined=examined, here=here, list=list
    )


def _choices(own: Sequence[str], held: Sequence[str]) -> list[tuple[str, bool]]:
    """The recipients of the release form, and whether each is chosen at first."""
    all_ = list(dict.fromkeys((*held, *own)))[:RECIPIENT_LIMIT]
    return [(one, one in held or not held) for one in all_]


def _fields(message: Message | None) -> list[tuple[str, str]]:
    if message is None:
        return []
    fields = message.header_fields[:FIELD_LIMIT]
    return [(f.name, header_text(f.raw_value[:FIELD_WIDTH])) for f in fields]


def _shown(message: Message, highlighter: Highlighter | None) -> list[Shown]:
    found = []
    for number, entity in enumerate(preview.text_parts(message)[: preview.OPEN_PARTS]):
        if entity.content_type == "text/html":
            safe = preview.harmless(entity.text)
            found.append(Shown(number, (), safe.is_cut, safe))
        else:
            text, is_cut = preview.plain(entity)
            pieces = highlighter.pieces(text) if highlighter else [Piece(text)]
            found.append(Shown(number, pieces, is_cut, None))
    return found


def _highlighter(explanation: ExplanationView | None) -> Highlighter | None:
    """None where nothing is to be marked."""
    found = None if explanation is None else Highlighter(explanation.why)
    return found or None


def _explanation(state: Any, message: Message | None) -> ExplanationView | None:
    return None if message is None else explain(state, message)


def _download(data: bytes, name: str) -> Response:
    return Response(
        data,
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )
