"""The local lists: what they say, and changes; for admins."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi import Query as Parameter
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from filterd.filters.locallists.text import LINE_LIMIT
from filterd.review.list_values import ListChange, ListChangeError, ListState
from filterd.review.locallists import SiteLists
from filterd.web.api.identity import Admin
from filterd.web.api.problems import AsciiJSONResponse, documented
from filterd.web.api.values import TEXT_LIMIT, Strict
from filterd.web.changes import status_of
from filterd.web.state import state_of

router = APIRouter(prefix="/lists", tags=["lists"])

_Name = Annotated[str, Field(min_length=1, max_length=4096)]
_Entry = Annotated[str, Field(min_length=1, max_length=LINE_LIMIT)]
_Note = Annotated[str, Field(max_length=TEXT_LIMIT)]
_Version = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Line = Annotated[int, Field(ge=1, le=1 << 30)]


class AddEntry(Strict):
    """Put an entry at the end of a list. note: a comment. version: of the file that was read, if
    nothing may have changed since."""

    name: _Name
    entry: _Entry
    note: _Note = ""
    version: _Version | Literal[""] = ""


class ChangeEntry(Strict):
    """Put another entry in the place of one. version: of the file that was read."""

    name: _Name
    version: _Version
    line: _Line
    entry: _Entry
    note: _Note = ""


class RemoveEntry(Strict):
    """Take a line out of a list."""

    name: _Name
    version: _Version
    line: _Line
    note: _Note = ""


class UndoChange(Strict):
    """Undo the last change that was made here."""

    name: _Name
    version: _Version


class MistakeIn(BaseModel):
    """Why a list cannot be used. line: 0 for the list as a whole."""

    line: int
    what: str


class ListUse(BaseModel):
    """What a list is used for, as the settings say. early: at RCPT."""

    filter: str
    about: str
    kind: str
    symbol: str
    points: float
    action: str
    early: bool
    proven: bool


class OneList(BaseModel):
    """A list. file: its last name. version: SHA-256 of its file, empty if that cannot be read, for
    what `error` says. wrong: how many mistakes there are; mistakes: the first ones. last_change:
    what can be undone."""

    name: str
    file: str
    uses: list[ListUse]
    version: str
    entries: int
    wrong: int
    mistakes: list[MistakeIn]
    last_change: str
    error: str


class AllLists(BaseModel):
    """All lists, in the order of the settings."""

    lists: list[OneList]


class ListLine(BaseModel):
    """A line: an entry and for whom it is (`*` for all), a comment alone (`entry` is empty), or a
    mistake, with the line as `entry`."""

    line: int
    entry: str
    recipient: str
    note: str
    mistake: str


class ListLines(BaseModel):
    """Lines in order. next: `after` of the following ones, 0 at the end."""

    version: str
    lines: list[ListLine]
    next: int


class Changed(BaseModel):
    """A change that was made. version: of the file now. line: 0 where it is about no line that is
    there."""

    version: str
    line: int
    words: str


@router.get("", response_model=AllLists)
def all_(request: Request, access: Admin) -> JSONResponse:
    """All lists, with their mistakes."""
    return AsciiJSONResponse({"lists": [_plain(one) for one in _used(request).all(access)]})


@router.get("/entries", response_model=ListLines)
def entries(
    request: Request,
    access: Admin,
    name: Annotated[str, Parameter(min_length=1, max_length=4096)],
    text: Annotated[str, Parameter(max_length=TEXT_LIMIT)] = "",
    after: Annotated[int, Parameter(ge=0, le=1 << 30)] = 0,
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 50,
) -> JSONResponse:
    """The lines of a list that are not empty, in order. text: a part of the line."""
    with _told():
        state = _used(request).one(access, name)
    if state.text is None:
        raise HTTPException(503, state.error)
    found = [*islice(state.text.lines(text, after), limit + 1)]
    lines = [
        {
            "line": one.number,
            "entry": one.entry.pattern if one.entry else one.text if one.mistake else "",
            "recipient": one.entry.recipient if one.entry else "",
            "note": one.note,
            "mistake": one.mistake,
        }
        for one in found[:limit]
    ]
    following = found[limit - 1].number if len(found) > limit else 0
    return AsciiJSONResponse({"version": state.text.version, "lines": lines, "next": following})


@router.post("/add", response_model=Changed, responses=documented(409))
def add(request: Request, access: Admin, wish: AddEntry) -> JSONResponse:
    """Put an entry at the end of a list."""
    with _told():
        return _changed(_used(request).add(access, wish.name, wish.entry, wish.note, wish.version))


@router.post("/change", response_model=Changed, responses=documented(409))
def change(request: Request, access: Admin, wish: ChangeEntry) -> JSONResponse:
    """Put another entry, or another note, in the place of a line."""
    with _told():
        return _changed(
            _used(request).change(access, wish.name, wish.version, wish.line, wish.entry, wish.note)
        )


@router.post("/remove", response_model=Changed, responses=documented(409))
def remove(request: Request, access: Admin, wish: RemoveEntry) -> JSONResponse:
    """Take a line out of a list."""
    with _told():
        return _changed(
            _used(request).remove(access, wish.name, wish.version, wish.line, wish.note)
        )


@router.post("/undo", response_model=Changed, responses=documented(409))
def undo(request: Request, access: Admin, wish: UndoChange) -> JSONResponse:
    """Undo the last change that was made here."""
    with _told():
        return _changed(_used(request).undo(access, wish.name, wish.version))


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Say as a problem why a change is not made."""
    try:
        yield
    except ListChangeError as error:
        raise HTTPException(status_of(error), str(error)) from None


def _changed(change: ListChange) -> JSONResponse:
    plain = {"version": change.version, "line": change.line, "words": change.words}
    return AsciiJSONResponse(plain)


def _plain(state: ListState) -> dict[str, Any]:
    return {
        "name": state.list.name,
        "file": state.list.path.name,
        "uses": [
            {
                "filter": use.filter,
                "about": use.own.about,
                "kind": use.own.kind,
                "symbol": use.own.name,
                "points": use.own.score,
                "action": use.own.action,
                "early": use.early,
                "proven": use.own.proven,
            }
            for use in state.list.uses
        ],
        "version": state.text.version if state.text is not None else "",
        "entries": state.summary.entries,
        "wrong": state.summary.wrong,
        "mistakes": [{"line": one.line, "what": one.what} for one in state.summary.mistakes],
        "last_change": state.former.change if state.former else "",
        "error": state.error,
    }


def _used(request: Request) -> SiteLists:
    lists = state_of(request).lists
    if not lists.is_used:
        raise HTTPException(404, "no filter locallists with a list is in the chain")
    return lists
