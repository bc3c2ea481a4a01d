"""What reports of others say about our domains: those of the settings' folder, or one file."""

from __future__ import annotations

import logging

from fastapi import APIRouter, HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from filterd.dmarc.files import FoundReport, reports_in
from filterd.dmarc.received import TROUBLES_LIMIT
from filterd.dmarc.summary import ReportSummary, advice, summarize
from filterd.review.access import Access
from filterd.review.reviewer import Reviewer
from filterd.web.identity import Asking, Posted
from filterd.web.state import state_of
from filterd.web.views import page

log = logging.getLogger(__name__)

router = APIRouter()

ROWS = 200
"""Sources that the page shows, failing ones first; the command shows more."""


@router.get("/dmarc")
def show(request: Request, asking: Asking) -> Response:
    """The reports of the folder. Raises ActionError for a reviewer."""
    _require(request, asking)
    reports = state_of(request).reports
    if reports is None:
        return _page(request, asking, ReportSummary())
    try:
        found = reports.get()
    except OSError as error:
        log.error("dmarc.received: %s", error)
        return _page(
            request, asking, ReportSummary(), error="The reports cannot be read; see the log."
        )
    return _page(request, asking, found.summary, troubles=found.troubles, left_out=found.left_out)


@router.post("/dmarc")
async def read(request: Request, asking: Asking, form: Posted) -> Response:
    """One file that somebody has. Raises ActionError for a reviewer."""
    _require(request, asking)
    file = form.get("report")
    if not isinstance(file, UploadFile):
        raise HTTPException(400, "Choose a file with a report.")
    limit = state_of(request).settings.web.upload_megabytes << 20
    data = await file.read(limit + 1)
    if len(data) > limit:
        raise HTTPException(413, f"The file is larger than {limit >> 20} MiB.")
    return await run_in_threadpool(_read, request, asking, file.filename or "file", data)


def _read(request: Request, asking: Reviewer, name: str, data: bytes) -> Response:
    troubles: list[FoundReport] = []
    reports = []
    for found in reports_in(data, name):
        if found.report is not None:
            reports.append(found.report)
        else:
            troubles.append(found)
    error = "" if reports else troubles[0].trouble
    return _page(
        request,
        asking,
        summarize(reports),
        error=error,
        name=name,
        troubles=troubles[:TROUBLES_LIMIT] if reports else (),
    )


def _require(request: Request, asking: Reviewer) -> None:
    Access(state_of(request).actions, asking, "web").require("dmarc")


def _page(
    request: Request, asking: Reviewer, summary: ReportSummary, **context: object
) -> Response:
    state = state_of(request)
    rest = {"error": "", "name": "", "troubles": (), "left_out": 0, **context}
    return page(
        request,
        "dmarc.html",
        asking,
        422 if rest["error"] and rest["name"] else 200,
        summary=summary,
        rows=[(source, advice(source, summary.days)) for source in summary.sources[:ROWS]],
        has_folder=state.reports is not None,
        megabytes=state.settings.web.upload_megabytes,
        **rest,
    )
