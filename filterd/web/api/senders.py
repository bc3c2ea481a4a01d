"""The list of allowed and blocked senders: what it says, and changes; a reviewer's own only."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi import Query as Parameter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from filterd.filters.senders.list import EVERYBODY, ListEntryError, SenderEntry
from filterd.review.senders import NOTE_LIMIT, SenderChange, SendersError, SiteSenders
from filterd.web.api.identity import Bearer
from filterd.web.api.problems import AsciiJSONResponse
from filterd.web.api.values import Strict, Text
from filterd.web.state import state_of

router = APIRouter(prefix="/senders", tags=["senders"])

_Pattern = Annotated[str, Field(min_length=1, max_length=320)]


class SenderListEntry(Strict):
    """An entry. sender, recipient: an address, a domain, or `.domain` for it and all below it; `*`
    for everybody. proven: of an allow entry, that it counts only for mail that proves to come from
    the sender's domain; null for that where the chain finds proofs."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "block",
                    "sender": "news@shop.example",
                    "recipient": "joe@mx.example",
                    "note": "asked for by phone",
                }
            ]
        }
    )

    kind: Literal["allow", "block"]
    sender: _Pattern
    recipient: _Pattern = EVERYBODY
    proven: bool | None = None
    note: Annotated[str, Field(max_length=NOTE_LIMIT)] = ""


class Listed(BaseModel):
    """An entry of the list. line: where it stands. note: the comment behind it. effect: what it
    does to mail. trouble: why it has no effect."""

    line: int
    kind: str
    sender: str
    recipient: str
    proven: bool
    note: str
    effect: str
    trouble: str


class AllListed(BaseModel):
    """Entries in order; for each recipient the first one that fits counts. next: `after` of the
    following ones, 0 at the end."""

    entries: list[Listed]
    next: int


class SenderMeaning(BaseModel):
    """What an envelope sender stands for. scheme: `BATV`, `SRS` or `VERP`, empty for a sender that
    stands for itself. pattern: what to list."""

    scheme: str
    pattern: str


class EntryChanged(BaseModel):
    """words: what happens from now on. changed: false if it was so already."""

    words: str
    changed: bool


@router.get("", response_model=AllListed)
def listed(
    request: Request,
    access: Bearer,
    text: Text = "",
    after: Annotated[int, Parameter(ge=0, le=1 << 30)] = 0,
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 50,
) -> JSONResponse:
    """The entries; a reviewer's are those for its own recipients and domains. text: a part of entry
    or note."""
    senders = _used(request)
    try:
        found = senders.all(access.reviewer, text, after)
    except SendersError as error:
        raise HTTPException(503, str(error)) from None
    plain = [
        {
            "line": one.line,
            "kind": one.entry.kind,
            "sender": one.entry.sender,
            "recipient": one.entry.recipient,
            "proven": one.entry.proven,
            "note": one.note,
            "effect": senders.effect(one.entry),
            "trouble": senders.trouble(one.entry),
        }
        for one in found[:limit]
    ]
    following = found[limit - 1].line if len(found) > limit else 0
    return AsciiJSONResponse({"entries": plain, "next": following})


@router.get("/meaning", response_model=SenderMeaning)
def meaning(
    request: Request, _access: Bearer, sender: Annotated[str, Parameter(max_length=320)]
) -> JSONResponse:
    """What to list for an envelope sender: one that BATV, SRS or VERP made for one message would
    fit no other."""
    found = _used(request).stands_for(sender)
    scheme, pattern = (found.scheme, found.pattern) if found is not None else ("", sender)
    return AsciiJSONResponse({"scheme": scheme, "pattern": pattern})


@router.post("/add", response_model=EntryChanged)
def add(request: Request, access: Bearer, wish: SenderListEntry) -> JSONResponse:
    """Allow or block a sender, from the next message on. It takes the place of an entry about the
    same sender and recipient."""
    senders = _used(request)
    try:
        return _changed(senders.add(access, _entry(senders, wish), wish.note))
    except SendersError as error:
        raise HTTPException(422, str(error)) from None


@router.post("/remove", response_model=EntryChanged)
def remove(request: Request, access: Bearer, wish: SenderListEntry) -> JSONResponse:
    """Take an entry out of the list."""
    senders = _used(request)
    try:
        return _changed(senders.remove(access, _entry(senders, wish), wish.note))
    except SendersError as error:
        raise HTTPException(422, str(error)) from None


def _entry(senders: SiteSenders, wish: SenderListEntry) -> SenderEntry:
    try:
        if wish.proven and wish.kind == "block":
            raise ListEntryError("proven is for allow; expected a block entry without it")
        proven = senders.demands_proof(wish.kind) if wish.proven is None else wish.proven
        return SenderEntry(wish.kind, wish.sender, wish.recipient, proven)
    except ListEntryError as error:
        raise SendersError(str(error)) from None


def _changed(change: SenderChange) -> JSONResponse:
    return AsciiJSONResponse({"words": change.words, "changed": change.changed})


def _used(request: Request) -> SiteSenders:
    senders = state_of(request).senders
    if not senders.is_used:
        raise HTTPException(404, "no filter senders is in the chain")
    return senders
