"""People who ask for the release of their mail, and the answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from fastapi import Query as Parameter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from filterd.review.access import Access
from filterd.review.actions import ActionRequest
from filterd.review.requests import RequestQueue
from filterd.web.api.identity import Bearer
from filterd.web.api.problems import AsciiJSONResponse
from filterd.web.api.values import TEXT_LIMIT, Strict, moment, plain_row
from filterd.web.state import state_of

router = APIRouter(prefix="/requests", tags=["requests"])


class RequestAnswer(Strict):
    """An answer to one who asks. recipient: who that is, to the letter. note: the reason; of a
    refusal the recipient reads it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "01j9zq3v5k8r2x7c4n6m1p0abc",
                    "recipient": "joe@mx.example",
                    "note": "this is advertising",
                }
            ]
        }
    )

    id: Annotated[str, Field(min_length=1, max_length=64)]
    recipient: Annotated[str, Field(min_length=1, max_length=1000)]
    note: Annotated[str, Field(max_length=TEXT_LIMIT)] = ""


class OpenRequest(BaseModel):
    """A message that somebody asks for. asked: since when. note: what that person wrote. message:
    as in the list of messages."""

    id: str
    recipient: str
    asked: datetime
    note: str
    message: dict[str, Any]


class OpenRequests(BaseModel):
    """The oldest ones first."""

    requests: list[OpenRequest]


class Answered(BaseModel):
    """ok: it was done. words: what was done, or why nothing was."""

    id: str
    recipient: str
    ok: bool
    words: str


@router.get("", response_model=OpenRequests)
def asked(
    request: Request, access: Bearer, limit: Annotated[int, Parameter(ge=1, le=1000)] = 100
) -> JSONResponse:
    """Open requests for mail to the caller's own recipients, the oldest first."""
    access.require("requests")
    found = _queue(request).open(access, limit)
    rows = [
        {
            "id": one.row.id,
            "recipient": one.copy.recipient,
            "asked": moment(one.copy.asked),
            "note": one.copy.request_note,
            "message": plain_row(one.row, access.reviewer, seen=True),
        }
        for one in found
    ]
    return AsciiJSONResponse({"requests": rows})


@router.post("/release", response_model=Answered)
def release(request: Request, access: Bearer, wish: RequestAnswer) -> JSONResponse:
    """Release the message to the one who asks for it."""
    _asked_for(request, access, wish)
    wanted = ActionRequest(note=wish.note, recipients=(wish.recipient,))
    (done,) = access.perform("release", [wish.id], wanted)
    return _told(wish, done.ok, done.words)


@router.post("/refuse", response_model=Answered)
def refuse(request: Request, access: Bearer, wish: RequestAnswer) -> JSONResponse:
    """Do not release it; the recipient reads why."""
    queue = _asked_for(request, access, wish)
    done = queue.refuse(access, wish.id, wish.recipient, wish.note)
    return _told(wish, done, "refused" if done else "nobody asks for it any more")


def _asked_for(request: Request, access: Access, wish: RequestAnswer) -> RequestQueue:
    """The queue. Raises HTTPException 404 where nobody asks for that."""
    access.require("requests")
    queue = _queue(request)
    if not queue.is_open(access, wish.id, wish.recipient):
        raise HTTPException(404, "nobody asks for that message")
    return queue


def _told(wish: RequestAnswer, ok: bool, words: str) -> JSONResponse:
    return AsciiJSONResponse({"id": wish.id, "recipient": wish.recipient, "ok": ok, "words": words})


def _queue(request: Request) -> RequestQueue:
    state = state_of(request)
    if not state.settings.users.enabled:
        raise HTTPException(404, "users have no pages here: [users] is not enabled")
    return RequestQueue(state.actions.store)
