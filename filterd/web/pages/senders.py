"""Allowed and blocked senders: who is listed, for whom, by whom and why; changes."""

from __future__ import annotations

from typing import get_args
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from filterd.filters.senders.list import EVERYBODY, Kind, ListEntryError, SenderEntry
from filterd.review.access import Access
from filterd.review.actions import ActionResult
from filterd.review.reviewer import Reviewer
from filterd.review.senders import NOTE_LIMIT, SendersError, SiteSenders
from filterd.web.forms import TEXT_LIMIT, text_of
from filterd.web.identity import Asking, Posted
from filterd.web.state import state_of
from filterd.web.views import back, page

router = APIRouter()

ROWS = 100
"""Entries of one page."""

FIELDS = ("kind", "sender", "recipient", "note")


@router.get("/senders")
def show(request: Request, asking: Asking) -> Response:
    """The list, and a form for one more entry, filled in as the address says."""
    given = request.query_params
    typed = {name: given.get(name, "").strip()[:TEXT_LIMIT] for name in FIELDS}
    return _shown(request, asking, typed)


@router.post("/senders/add")
def add(request: Request, asking: Asking, form: Posted) -> Response:
    """Allow or block a sender."""
    senders = _used(request)
    typed = {name: text_of(form, name, TEXT_LIMIT + 1) for name in FIELDS}
    try:
        entry = _entry(typed, proven=_proven(senders, form))
        done = senders.add(_access(request, asking), entry, typed["note"])
    except (SendersError, ListEntryError) as error:
        return _shown(request, asking, typed, 422, str(error))
    return back(request, "/senders", [ActionResult(str(entry), True, done.words)])


@router.post("/senders/remove")
def remove(request: Request, asking: Asking, form: Posted) -> Response:
    """Take an entry out of the list."""
    typed = {name: text_of(form, name, TEXT_LIMIT + 1) for name in FIELDS}
    try:
        entry = _entry(typed, proven=False)
        done = _used(request).remove(_access(request, asking), entry, typed["note"])
    except (SendersError, ListEntryError) as error:
        return _shown(request, asking, dict.fromkeys(FIELDS, ""), 422, str(error))
    return back(request, "/senders", [ActionResult(str(entry), done.changed, done.words)])


def _shown(
    request: Request, asking: Reviewer, typed: dict[str, str], status: int = 200, error: str = ""
) -> Response:
    senders = _used(request)
    text = request.query_params.get("text", "").strip()[:TEXT_LIMIT]
    after = request.query_params.get("after", "")[:9]
    first = int(after) if after.isascii() and after.isdecimal() else 0
    trouble = ""
    try:
        found = senders.all(asking, text, first)
    except SendersError as caught:
        found, trouble = [], str(caught)
    rows = found[:ROWS]
    following = {"text": text, "after": rows[-1].line} if len(found) > ROWS else None
    other = senders.stands_for(typed["sender"]) if typed["sender"] else None
    return page(
        request,
        "senders.html",
        asking,
        status,
        rows=[(one, senders.effect(one.entry), senders.trouble(one.entry)) for one in rows],
        trouble=trouble,
        error=error,
        typed=typed,
        other=other,
        text=text,
        first=first,
        following=f"/senders?{urlencode(following)}" if following else "",
        proves=senders.demands_proof("allow"),
        note_limit=NOTE_LIMIT,
        everybody=EVERYBODY,
        noun="change",
    )


def _entry(typed: dict[str, str], *, proven: bool) -> SenderEntry:
    """Raises ListEntryError, SendersError."""
    kind = next((one for one in get_args(Kind) if one == typed["kind"]), None)
    if kind is None:
        raise SendersError("expected allow or block")
    if max(map(len, typed.values())) > TEXT_LIMIT:
        # Not cut: a part of an entry may be another entry.
        raise SendersError(f"expected at most {TEXT_LIMIT} characters")
    recipient = typed["recipient"] or EVERYBODY
    return SenderEntry(kind, typed["sender"], recipient, proven and kind == "allow")


def _proven(senders: SiteSenders, form: FormData) -> bool:
    return senders.demands_proof("allow") and text_of(form, "unproven") != "yes"


def _access(request: Request, asking: Reviewer) -> Access:
    return Access(state_of(request).actions, asking, "web")


def _used(request: Request) -> SiteSenders:
    senders = state_of(request).senders
    if not senders.is_used:
        raise HTTPException(404)
    return senders
