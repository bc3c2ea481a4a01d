"""What is done with kept mail. Each answers with what became of each message; what is not permitted
or failed is said there, and does not stop the others."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.responses import JSONResponse

from filterd.review.actions import ActionRequest, ActionResult
from filterd.review.by_search import matching
from filterd.web.api.identity import Bearer
from filterd.web.api.problems import AsciiJSONResponse
from filterd.web.api.values import (
    Act,
    Acted,
    Delete,
    Learn,
    Pin,
    Release,
    Results,
    SendersRequest,
    Undelete,
)

router = APIRouter(prefix="/messages", tags=["act"])


def _answer(results: Sequence[ActionResult], **more: bool) -> JSONResponse:
    plain = [{"id": r.id, "ok": r.ok, "words": r.words, "detail": r.detail} for r in results]
    return AsciiJSONResponse({"results": plain, **more})


@router.post("/release", response_model=Results)
def release(access: Bearer, wish: Release) -> JSONResponse:
    """Release messages: original bytes, original sender, to their recipients or to others."""
    request = ActionRequest(
        note=wish.note,
        recipients=tuple(wish.to),
        form="attached" if wish.attached else "original",
        again=wish.again,
        viruses=wish.virus,
    )
    action = "release-ham" if wish.learn else "release"
    return _answer(access.perform(action, wish.ids, request))


@router.post("/learn", response_model=Results)
def learn(access: Bearer, wish: Learn) -> JSONResponse:
    """Teach the site's model that messages are spam or ham."""
    return _answer(access.perform(wish.kind, wish.ids, ActionRequest(note=wish.note)))


@router.post("/delete", response_model=Results)
def delete(access: Bearer, wish: Delete) -> JSONResponse:
    """Delete messages; for some hours they can be brought back, `until` says how long. What they
    were and what was done stays known."""
    request = ActionRequest(note=wish.note, at_once=wish.now)
    return _answer(access.perform("delete", wish.ids, request))


@router.post("/undelete", response_model=Results)
def undelete(access: Bearer, wish: Undelete) -> JSONResponse:
    """Bring deleted messages back, as they were."""
    return _answer(access.perform("undelete", wish.ids, ActionRequest(note=wish.note)))


@router.post("/pin", response_model=Results)
def pin(access: Bearer, wish: Pin) -> JSONResponse:
    """Keep messages from expiring, or let them."""
    action = "pin" if wish.pinned else "unpin"
    return _answer(access.perform(action, wish.ids, ActionRequest(note=wish.note)))


@router.post("/senders", response_model=Results)
def senders(access: Bearer, wish: SendersRequest) -> JSONResponse:
    """Allow or block the senders of messages, from the next message on."""
    request = ActionRequest(
        note=wish.note, everybody=wish.everybody, unproven=wish.unproven, off=wish.off
    )
    return _answer(access.perform(wish.kind, wish.ids, request))


@router.post("/act", response_model=Acted)
def act(access: Bearer, wish: Act) -> JSONResponse:
    """Do something with all messages that a search finds; at first only say with which."""
    rows, more = matching(access, wish.search.query(), wish.limit)
    do = access.would if wish.dry_run else access.perform
    results = do(wish.action, [row.id for row in rows], ActionRequest(note=wish.note))
    return _answer(results, dry_run=wish.dry_run, more=more)
