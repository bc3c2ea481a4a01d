"""Upload a message and see its verdict; nothing is delivered or stored."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from filterd.message import Client, Envelope, Message, Recipient
from filterd.message.outlook import OLE_MAGIC
from filterd.review.access import Access
from filterd.review.actions import ActionError, uploaded
from filterd.review.reviewer import Reviewer
from filterd.web.explain import explain
from filterd.web.forms import addresses_of, text_of
from filterd.web.identity import Asking, Posted
from filterd.web.state import state_of
from filterd.web.views import page

router = APIRouter()


@router.get("/scan")
def ask(request: Request, asking: Asking) -> Response:
    """The form."""
    return _page(request, asking)


@router.post("/scan")
async def scan(request: Request, asking: Asking, form: Posted) -> Response:
    """The verdict."""
    file, pasted = form.get("message"), form.get("text", "")
    if not isinstance(file, UploadFile) and not isinstance(pasted, str):
        raise HTTPException(400, "Choose a file with a message, or paste one.")
    typed = {name: text_of(form, name, 4000) for name in ("sender", "recipients", "client")}
    if isinstance(pasted, str) and pasted.strip():
        data = pasted.lstrip("\r\n").encode("utf-8", "replace")
        return await run_in_threadpool(_scanned, request, asking, "Pasted message", data, typed)
    if not isinstance(file, UploadFile):
        return await run_in_threadpool(_scanned, request, asking, "", b"", typed)
    limit = state_of(request).settings.web.upload_megabytes << 20
    data = await file.read(limit + 1)
    if len(data) > limit:
        raise HTTPException(413, f"The message is larger than {limit >> 20} MiB.")
    return await run_in_threadpool(_scanned, request, asking, file.filename or "", data, typed)


def _scanned(
    request: Request, asking: Reviewer, name: str, data: bytes, typed: dict[str, str]
) -> Response:
    state = state_of(request)
    if not data:
        return _page(
            request,
            asking,
            typed,
            error="The file is empty, or none was chosen; or paste a message.",
        )
    try:
        recipients = addresses_of(typed["recipients"])
    except ValueError as error:
        return _page(request, asking, typed, error=f"Recipients: {error}")
    envelope = Envelope(
        typed["sender"], tuple(map(Recipient, recipients)), Client(address=typed["client"])
    )
    try:
        examined = Access(state.actions, asking, "web").scan(data, envelope)
    except ActionError as error:
        return _page(request, asking, typed, error=str(error))
    message = Message(uploaded(data), envelope)
    return _page(
        request,
        asking,
        typed,
        name=name,
        size=len(data),
        is_of_outlook=data.startswith(OLE_MAGIC),
        examined=examined,
        explanation=explain(state, message),
    )


def _page(
    request: Request, asking: Reviewer, typed: dict[str, str] | None = None, **context: object
) -> Response:
    empty = {"sender": "", "recipients": "", "client": ""}
    rest = {
        "error": "",
        "name": "",
        "size": 0,
        "is_of_outlook": False,
        "examined": None,
        "explanation": None,
        **context,
    }
    megabytes = state_of(request).settings.web.upload_megabytes
    return page(
        request,
        "scan.html",
        asking,
        422 if rest["error"] else 200,
        typed=typed or empty,
        megabytes=megabytes,
        **rest,
    )
