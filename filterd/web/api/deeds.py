"""What is done with kept mail. Each answers with what became of each message; one that must not be
or could not be is told there, and does not stop the others."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.responses import JSONResponse

from filterd.review.actions import Done
from filterd.web.api.identity import Bearer
from filterd.web.api.problems import Plain
from filterd.web.api.values import Delete, Learn, Pin, Release, Results, Senders

router = APIRouter(prefix="/messages", tags=["act"])


def _told(done: Sequence[Done]) -> JSONResponse:
    results = [{"id": d.id, "ok": d.ok, "words": d.words, "detail": d.detail} for d in done]
    return Plain({"results": results})


def _both(first: Done, second: Done) -> Done:
    """Two deeds to one message as one."""
    words = f"{first.words}; {second.words}"
    return Done(first.id, first.ok and second.ok, words, {**first.detail, **second.detail})


@router.post("/release", response_model=Results)
def release(access: Bearer, wish: Release) -> JSONResponse:
    """Release messages: original bytes, original sender, to their recipients or to others."""
    ids = list(dict.fromkeys(wish.ids))
    done = access.release(
        ids, wish.to, note=wish.note, attached=wish.attached, again=wish.again, virus=wish.virus
    )
    if wish.learn and (good := [one.id for one in done if one.ok]):
        learned = {one.id: one for one in access.learn(good, spam=False, note=wish.note)}
        done = [_both(one, learned[one.id]) if one.id in learned else one for one in done]
    return _told(done)


@router.post("/learn", response_model=Results)
def learn(access: Bearer, wish: Learn) -> JSONResponse:
    """Teach the site's model that messages are spam or ham."""
    return _told(access.learn(wish.ids, spam=wish.kind == "spam", note=wish.note))


@router.post("/delete", response_model=Results)
def delete(access: Bearer, wish: Delete) -> JSONResponse:
    """Delete messages' bytes; what they were and what was done stays known."""
    return _told(access.delete(wish.ids, note=wish.note))


@router.post("/pin", response_model=Results)
def pin(access: Bearer, wish: Pin) -> JSONResponse:
    """Keep messages from expiring, or let them."""
    return _told(access.pin(wish.ids, note=wish.note, pinned=wish.pinned))


@router.post("/senders", response_model=Results)
def senders(access: Bearer, wish: Senders) -> JSONResponse:
    """Allow or block the senders of messages, from the next message on."""
    return _told(
        access.list_senders(
            wish.kind, wish.ids, everybody=wish.everybody, off=wish.off, note=wish.note
        )
    )
