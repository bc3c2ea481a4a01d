"""The site: what a message would get, every message's record, the state of filterd."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from datetime import datetime
from math import ceil
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from fastapi import Query as Parameter
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from filterd.chain.report_codec import plain
from filterd.chain.sentence import sentence
from filterd.config.assembly import check_filter_name
from filterd.history import HistoryQuery
from filterd.message import Client, Envelope, Recipient
from filterd.ops.status import status as found
from filterd.review.seen import all_as_seen, as_seen
from filterd.review.timeline import timeline
from filterd.system.display import all_without_folders
from filterd.web.api.identity import Admin, Bearer
from filterd.web.api.looking import Id
from filterd.web.api.problems import AsciiJSONResponse, documented
from filterd.web.api.values import (
    ADDRESSES_LIMIT,
    Text,
    moment,
    plain_record,
    plain_report,
    plain_timeline,
    seconds,
)
from filterd.web.state import state_of

router = APIRouter(tags=["site"])

BINS_LIMIT = 1000
"""Bins of one answer."""


class Bin(BaseModel):
    """One stretch of time. messages: by action, without those of which there are none."""

    start: datetime
    messages: dict[str, int]


class Flow(BaseModel):
    """Messages over time. oldest: when the oldest message came that the history has; before that
    nothing is known. totals: by action."""

    oldest: datetime | None
    totals: dict[str, int]
    bins: list[Bin]


@router.post("/messages/{id}/rescan", response_model=dict[str, Any], responses=documented(410))
def rescan(request: Request, access: Bearer, id: Id) -> JSONResponse:
    """Examine a kept message with the chain as it is today. Nothing is changed."""
    found = plain_report(access.rescan(id), access.reviewer)
    return AsciiJSONResponse(state_of(request).descriptions.describe(found))


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
    sender: Text = "",
    recipient: Annotated[list[str] | None, Parameter(max_length=ADDRESSES_LIMIT)] = None,
    client: Text = "",
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
    report = await run_in_threadpool(access.scan, data, envelope)
    value = plain(report) | {"verdict": sentence(report)}
    return AsciiJSONResponse(state_of(request).descriptions.describe(value))


@router.get("/history", response_model=dict[str, Any])
def history(
    request: Request,
    access: Bearer,
    sender: Text = "",
    recipient: Text = "",
    domain: Text = "",
    text: Text = "",
    action: Text = "",
    symbol: Text = "",
    failed: Text = "",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 50,
    after: Text = "",
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
    rows = [plain_record(record, access.reviewer) for record in seen]
    return AsciiJSONResponse({"messages": rows, "next": page.next})


@router.get("/history/{id}", response_model=dict[str, Any])
def one_record(request: Request, access: Bearer, id: Id) -> JSONResponse:
    """The record of one message, kept or not, and its timeline."""
    query = HistoryQuery(id=id, limit=1, visible=access.reviewer.visible)
    state = state_of(request)
    found = state.history.search(query).rows
    if not found:
        raise HTTPException(404, "no such message is in the history")
    record = as_seen(found[0], access.reviewer)
    value = plain_record(record, access.reviewer)
    told = timeline(
        record, record.received, access.events(id), state.maillog, access.reviewer.within
    )
    value |= plain_timeline(told, access.reviewer)
    return AsciiJSONResponse(state.descriptions.describe(value))


@router.get("/stats/flow", response_model=Flow)
def flow(
    request: Request,
    _access: Admin,
    since: datetime | None = None,
    until: datetime | None = None,
    step: Annotated[int, Parameter(ge=60, le=366 * 86400)] = 3600,
) -> JSONResponse:
    """Messages by action over time, those of the history; for admins. until: now if it is not
    given; since: a day before. step: seconds of one bin; the last bin may be shorter."""
    end = time.time() if until is None else seconds(until)
    begin = end - 86400 if since is None else seconds(since)
    if not 0 < end - begin <= step * BINS_LIMIT:
        raise HTTPException(
            422, f"expected since before until, and at most {BINS_LIMIT} steps between them"
        )
    try:
        starts = [moment(begin + number * step) for number in range(ceil((end - begin) / step))]
    except (ValueError, OverflowError):
        raise HTTPException(422, "expected times of the years 1 to 9999") from None
    history = state_of(request).history
    counted: dict[int, dict[str, int]] = defaultdict(dict)
    for start, action, number in history.flow(begin, end, step):
        counted[round((start - begin) / step)][action] = number
    totals = Counter[str]()
    for messages in counted.values():
        totals.update(messages)
    oldest = history.oldest()
    return AsciiJSONResponse(
        {
            "oldest": None if oldest is None else moment(oldest),
            "totals": totals,
            "bins": [
                {"start": start, "messages": counted.get(number, {})}
                for number, start in enumerate(starts)
            ],
        }
    )


@router.get("/status", response_model=dict[str, Any])
def status(request: Request, _access: Admin) -> JSONResponse:
    """How daemon, filters, clamd, model and store do."""

    return AsciiJSONResponse(all_without_folders(found(state_of(request).settings).to_json()))
