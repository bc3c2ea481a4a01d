"""The site: what a message would get, every message's record, the state of filterd."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from fastapi import Query as Parameter
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from filterd.chain.report_codec import plain
from filterd.config.assembly import check_filter_name
from filterd.history import HistoryQuery
from filterd.message import Client, Envelope, Recipient
from filterd.ops.status import status as found
from filterd.review.seen import all_as_seen
from filterd.web.api.identity import Admin, Bearer
from filterd.web.api.looking import Id
from filterd.web.api.problems import AsciiJSONResponse, documented
from filterd.web.api.values import ADDRESSES_LIMIT, TEXT_LIMIT, plain_report, seconds, within
from filterd.web.state import state_of

router = APIRouter(tags=["site"])

_Word = Annotated[str, Parameter(max_length=TEXT_LIMIT)]


@router.post("/messages/{id}/rescan", response_model=dict[str, Any], responses=documented(410))
def rescan(access: Bearer, id: Id) -> JSONResponse:
    """Examine a kept message with the chain as it is today. Nothing is changed."""
    return AsciiJSONResponse(plain_report(access.rescan(id), access.reviewer))


@router.post(
    "/scan",
    response_model=dict[str, Any],
    responses=documented(413),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"message/rfc822": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def scan(
    request: Request,
    access: Bearer,
    sender: _Word = "",
    recipient: Annotated[list[str] | None, Parameter(max_length=ADDRESSES_LIMIT)] = None,
    client: _Word = "",
) -> JSONResponse:
    """What a message would get if it came now: the body of the request, as a file has it. Nothing
    is delivered, changed or stored."""
    try:
        data = await request.body()
    except ClientDisconnect:
        raise HTTPException(413) from None
    if not data:
        raise HTTPException(422, "the body of the request is empty; it should be a message")
    envelope = Envelope(sender, tuple(map(Recipient, recipient or ())), Client(address=client))
    return AsciiJSONResponse(plain(await run_in_threadpool(access.scan, data, envelope)))


@router.get("/history", response_model=dict[str, Any])
def history(
    request: Request,
    access: Bearer,
    sender: _Word = "",
    recipient: _Word = "",
    domain: _Word = "",
    text: _Word = "",
    action: _Word = "",
    symbol: _Word = "",
    failed: _Word = "",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 50,
    after: _Word = "",
) -> JSONResponse:
    """Every message of the last days, kept or not, newest first."""

    query = HistoryQuery(
        text=text,
        sender=sender,
        recipient=recipient,
        domain=domain,
        action=action,
        symbol=symbol,
        failed=failed,
        since=seconds(since),
        until=seconds(until),
        limit=limit,
        after=after,
        visible=access.reviewer.visible,
    )
    state = state_of(request)
    try:
        check_filter_name("failed", failed, state.settings)
        page = state.history.search(query)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    seen = all_as_seen(page.rows, access.reviewer, symbol)
    rows = [within(record.to_json(), access.reviewer) for record in seen]
    return AsciiJSONResponse({"messages": rows, "next": page.next})


@router.get("/status", response_model=dict[str, Any])
def status(request: Request, _access: Admin) -> JSONResponse:
    """How daemon, filters, clamd, model and store do."""

    return AsciiJSONResponse(found(state_of(request).settings).to_json())
