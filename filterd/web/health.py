"""`/healthz` and `/readyz`, for load balancers and monitoring: no login, and nothing that would
help a stranger."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse

from filterd.web.api.parameters import only_known
from filterd.web.api.problems import AsciiJSONResponse, documented
from filterd.web.state import state_of

router = APIRouter(tags=["health"], dependencies=[Depends(only_known)], responses=documented(422))


class Health(BaseModel):
    """The process serves requests."""

    status: Literal["ok"]


class Ready(BaseModel):
    """Whether mail can be filtered now. checks: `daemon`, `workers`, `store`, and `scanners` if the
    chain has some; true for what works."""

    status: Literal["ok", "failed"]
    checks: dict[str, bool]


@router.get("/healthz", response_model=Health)
async def healthz() -> JSONResponse:
    """Whether this process serves requests; it needs no token. Nothing else is asked."""
    return AsciiJSONResponse({"status": "ok"})


@router.get(
    "/readyz",
    response_model=Ready,
    responses={503: {"model": Ready, "description": "Something is missing"}},
)
async def readyz(request: Request) -> JSONResponse:
    """Whether mail can be filtered now; it needs no token. The answer may be 5 seconds old."""
    found = await state_of(request).readiness.get()
    checks = {
        "daemon": found.daemon,
        "workers": found.workers,
        "store": found.store,
    }
    if found.scanners is not None:
        checks["scanners"] = found.scanners
    status = "ok" if found.is_ready else "failed"
    return AsciiJSONResponse({"status": status, "checks": checks}, 200 if found.is_ready else 503)


router.add_api_route("/healthz", healthz, methods=["HEAD"], include_in_schema=False)
router.add_api_route("/readyz", readyz, methods=["HEAD"], include_in_schema=False)
