"""Accounts and clients whose mail is held for its share of refused messages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from fastapi import Query as Parameter
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from filterd.filters.rates.settings import SenderParty
from filterd.review.rates import HeldParties
from filterd.state.facts import StateError
from filterd.web.api.identity import Admin
from filterd.web.api.problems import AsciiJSONResponse
from filterd.web.api.values import TEXT_LIMIT, Strict
from filterd.web.state import state_of

router = APIRouter(tags=["rates"])


class Free(Strict):
    """Let somebody's mail through again. by, party: as the list has them."""

    by: SenderParty
    party: Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT)]


class HeldSender(BaseModel):
    """One whose mail is held. since, until: seconds since 1970."""

    by: str
    party: str
    why: str
    since: float
    until: float


class HeldSenders(BaseModel):
    """Those whose mail is held, newest first."""

    held: list[HeldSender]


class Freed(BaseModel):
    """was_held: false if no mail of that name was held."""

    was_held: bool


@router.get("/rates", response_model=HeldSenders)
def held(
    request: Request, access: Admin, limit: Annotated[int, Parameter(ge=1, le=1000)] = 50
) -> JSONResponse:
    """Whose mail is held; for admins."""
    try:
        found = _used(request).held(access, limit)
    except StateError:
        raise HTTPException(503, "the state cannot be read now") from None
    return AsciiJSONResponse({"held": [asdict(one) for one in found]})


@router.post("/rates/free", response_model=Freed)
def free(request: Request, access: Admin, wish: Free) -> JSONResponse:
    """Let somebody's mail through again, and begin to count from nothing; for admins. What was held
    stays in the quarantine."""
    try:
        was_held = _used(request).free(access, wish.by, wish.party)
    except StateError:
        raise HTTPException(503, "the state cannot be written now") from None
    return AsciiJSONResponse({"was_held": was_held})


def _used(request: Request) -> HeldParties:
    held = state_of(request).held_parties
    if not held.is_used:
        raise HTTPException(404, "no filter rates is in the chain")
    return held
