"""Mail that greylisting delays, and letting it in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from fastapi import Query as Parameter
from pydantic import BaseModel
from starlette.responses import JSONResponse

from filterd.review.greylist import WaitingMail
from filterd.state.facts import StateError
from filterd.web.api.identity import Bearer
from filterd.web.api.problems import AsciiJSONResponse
from filterd.web.api.values import TEXT_LIMIT, Ids, Results, Strict
from filterd.web.state import state_of

router = APIRouter(tags=["greylist"])


class LetIn(Strict):
    """Let mail in when it is next sent. ids: as the list has them."""

    ids: Ids


class Triplet(BaseModel):
    """What waits. client: its network, or the domain of a big sender. since, tried, passes,
    expires: seconds since 1970; passes: from when on it is accepted. attempts: how often it was
    sent."""

    id: str
    client: str
    sender: str
    recipient: str
    since: float
    tried: float
    passes: float
    expires: float
    attempts: int


class Waiting(BaseModel):
    """What waits, newest first."""

    waiting: list[Triplet]


@router.get("/greylist", response_model=Waiting)
def waiting(
    request: Request,
    access: Bearer,
    text: Annotated[str, Parameter(max_length=TEXT_LIMIT)] = "",
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 50,
) -> JSONResponse:
    """Mail that waits to be sent again. text: a part of client, sender or recipient."""
    mail = _used(request)
    try:
        found = mail.waiting(access.reviewer, limit, text)
    except StateError:
        raise HTTPException(503, "the state cannot be read now") from None
    return AsciiJSONResponse({"waiting": [asdict(one) for one in found]})


@router.post("/greylist/allow", response_model=Results)
def allow(request: Request, access: Bearer, wish: LetIn) -> JSONResponse:
    """Let mail in when it is next sent, without waiting for the delay."""
    mail = _used(request)
    try:
        results = mail.allow(access.reviewer, wish.ids, access.who)
    except StateError:
        raise HTTPException(503, "the state cannot be written now") from None
    return AsciiJSONResponse({"results": [asdict(one) for one in results]})


def _used(request: Request) -> WaitingMail:
    mail = state_of(request).waiting
    if not mail.is_used:
        raise HTTPException(404, "no filter greylist is in the chain")
    return mail
