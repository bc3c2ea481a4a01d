"""DMARC aggregate reports of others: what they say about our domains."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from filterd.dmarc.files import reports_in
from filterd.dmarc.summary import summarize
from filterd.dmarc.values import received_values, summary_values
from filterd.web.api.identity import Admin
from filterd.web.api.problems import AsciiJSONResponse, documented
from filterd.web.state import state_of

log = logging.getLogger(__name__)

router = APIRouter(tags=["dmarc"])


@router.get("/dmarc", response_model=dict[str, Any])
def received(request: Request, access: Admin) -> JSONResponse:
    """What the reports in the folder of the settings say, by source, with what to do. not_read:
    what is not a report, or too large, and why. left_out: older files that are not read."""
    access.require("dmarc")
    reports = state_of(request).reports
    if reports is None:
        raise HTTPException(404, "dmarc.received is not set")
    try:
        found = reports.get()
    except OSError as error:
        log.error("dmarc.received: %s", error)
        raise HTTPException(503, "the reports cannot be read now") from None
    return AsciiJSONResponse(received_values(found))


@router.post(
    "/dmarc",
    response_model=dict[str, Any],
    responses=documented(413),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def read(request: Request, access: Admin) -> JSONResponse:
    """The same of one report, which is the body of the request: XML, gzip, zip, or a message with
    one. Nothing is stored."""
    access.require("dmarc")
    try:
        data = await request.body()
    except ClientDisconnect:
        raise HTTPException(413) from None
    return AsciiJSONResponse(await run_in_threadpool(_read, data))


def _read(data: bytes) -> dict[str, Any]:
    found = list(reports_in(data, "body"))
    reports = [one.report for one in found if one.report is not None]
    if not reports:
        raise HTTPException(422, found[0].trouble)
    return summary_values(summarize(reports))
