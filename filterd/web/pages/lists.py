"""The local lists: what they say and whom it concerns, and changes; for admins."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from filterd.review.access import Access
from filterd.review.actions import ActionResult
from filterd.review.list_values import (
    ChangedMeanwhileError,
    ListChange,
    ListChangeError,
    UnknownListError,
)
from filterd.review.locallists import SiteLists
from filterd.review.reviewer import Reviewer
from filterd.web.changes import status_of
from filterd.web.forms import NOTE_LIMIT, TEXT_LIMIT, text_of
from filterd.web.identity import Asking, Posted
from filterd.web.state import state_of
from filterd.web.views import back, page

router = APIRouter()

ROWS = 100
"""Lines of one page."""

VERSION_LIMIT = 64

NOTHING_TYPED = {"entry": "", "note": "", "line": ""}

ABOUT = {
    "client": ("the SMTP client's address", "192.0.2.0/24"),
    "rdns": ("the client's name, as the MTA looked it up", ".isp.example"),
    "helo": ("what the client called itself", "mx.example"),
    "sender": ("the envelope sender", "ann@a.example"),
    "recipient": ("each envelope recipient", "joe@mx.example"),
    "from": ("the address in From", "ann@a.example"),
    "subject": ("the Subject", "/lottery/"),
    "url": ("hosts of URLs, and whole URLs", "shop.example"),
}
"""What a list is about, in words, and an example of an entry."""


@router.get("/lists")
def overview(request: Request, asking: Asking) -> Response:
    """All lists. Raises ActionError for a reviewer."""
    found = _used(request).all(_access(request, asking))
    return page(request, "lists.html", asking, lists=found, about=ABOUT)


@router.get("/lists/entries")
def show(request: Request, asking: Asking) -> Response:
    """One list. Raises ActionError for a reviewer."""
    name = request.query_params.get("name", "")
    after = request.query_params.get("after", "")[:9]
    first = int(after) if after.isascii() and after.isdecimal() else 0
    try:
        return _shown(request, asking, name, first=first)
    except UnknownListError:
        raise HTTPException(404) from None


@router.post("/lists/add")
def add(request: Request, asking: Asking, form: Posted) -> Response:
    """One more entry."""
    entry, note = _raw(form, "entry"), _note(form)

    def made(lists: SiteLists, access: Access, name: str) -> ListChange:
        return lists.add(access, name, entry, note, _version(form))

    return _changed(request, asking, form, made)


@router.post("/lists/change")
def change(request: Request, asking: Asking, form: Posted) -> Response:
    """Another entry in the place of one."""
    entry, note = _raw(form, "entry"), _note(form)

    def made(lists: SiteLists, access: Access, name: str) -> ListChange:
        return lists.change(access, name, _version(form), _number(form), entry, note)

    return _changed(request, asking, form, made)


@router.post("/lists/remove")
def remove(request: Request, asking: Asking, form: Posted) -> Response:
    """One entry less."""

    def made(lists: SiteLists, access: Access, name: str) -> ListChange:
        why = text_of(form, "why", NOTE_LIMIT)
        return lists.remove(access, name, _version(form), _number(form), why)

    return _changed(request, asking, form, made)


@router.post("/lists/undo")
def undo(request: Request, asking: Asking, form: Posted) -> Response:
    """The last change is undone."""

    def made(lists: SiteLists, access: Access, name: str) -> ListChange:
        return lists.undo(access, name, _version(form))

    return _changed(request, asking, form, made)


def _changed(
    request: Request,
    asking: Reviewer,
    form: FormData,
    made: Callable[[SiteLists, Access, str], ListChange],
) -> Response:
    """Make a change and show the list; where it is refused, with what was typed."""
    lists, access = _used(request), _access(request, asking)
    name = _raw(form, "name")
    try:
        done = made(lists, access, name)
    except UnknownListError as error:
        raise HTTPException(404, f"{str(error).capitalize()}.") from None
    except ListChangeError as error:
        typed = {key: _raw(form, key) for key in ("entry", "note", "line")}
        if typed["line"] and isinstance(error, ChangedMeanwhileError):
            # Another entry may be in that line now, which must not be replaced by a second click.
            typed = NOTHING_TYPED
        first, status = _first(_number(form)), status_of(error)
        return _shown(request, asking, name, status, first, error=str(error), typed=typed)
    where = f"{name}:{done.line}" if done.line else name
    query = urlencode({"name": name, "after": _first(done.line) or ""})
    return back(request, f"/lists/entries?{query}", [ActionResult(where, True, done.words)])


def _shown(
    request: Request, asking: Reviewer, name: str, status: int = 200, first: int = 0, **context: Any
) -> Response:
    """The page of a list, from behind a line. Raises ActionError, UnknownListError."""
    state = _used(request).one(_access(request, asking), name)
    text = request.query_params.get("text", "").strip()[:TEXT_LIMIT]
    found = list(islice(state.text.lines(text, first), ROWS + 1)) if state.text is not None else []
    rows, more = found[:ROWS], len(found) > ROWS
    following = {"name": name, "text": text, "after": rows[-1].number} if more else None
    return page(
        request,
        "list.html",
        asking,
        status,
        **{"error": "", "typed": NOTHING_TYPED, **context},
        state=state,
        seen=state.text.version if state.text is not None else "",
        rows=rows,
        text=text,
        first=first,
        following=f"/lists/entries?{urlencode(following)}" if following else "",
        about=ABOUT,
        noun="change",
    )


def _raw(form: FormData, name: str) -> str:
    """A field's text with the blanks in it. It is not cut: a part of an entry may be another
    entry."""
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def _note(form: FormData) -> str:
    return " ".join(_raw(form, "note").split())


def _version(form: FormData) -> str:
    # Never empty: without one, a change would not be compared with what the person has seen.
    return text_of(form, "version", VERSION_LIMIT) or "?"


def _number(form: FormData) -> int:
    text = text_of(form, "line", 9)
    return int(text) if text.isascii() and text.isdecimal() else 0


def _first(line: int) -> int:
    """The line behind which a page begins that has this one."""
    return max(line - 1, 0) // ROWS * ROWS


def _access(request: Request, asking: Reviewer) -> Access:
    return Access(state_of(request).actions, asking, "web")


def _used(request: Request) -> SiteLists:
    lists = state_of(request).lists
    if not lists.is_used:
        raise HTTPException(404)
    return lists
