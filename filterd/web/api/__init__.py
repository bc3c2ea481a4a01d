"""The REST interface, under /api: what the pages and the command line do, for programs."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from filterd.web.api import (
    accounts,
    actions,
    dmarc,
    greylist,
    lists,
    looking,
    rates,
    requests,
    senders,
    site,
    trace,
)
from filterd.web.api.parameters import only_known
from filterd.web.api.problems import documented


def router() -> APIRouter:
    """All routes; each finds the state in its request."""
    found = APIRouter(
        responses=documented(401, 403, 404, 413, 422, 503), dependencies=[Depends(only_known)]
    )
    for module in (
        looking,
        actions,
        requests,
        greylist,
        lists,
        senders,
        rates,
        accounts,
        site,
        trace,
        dmarc,
    ):
        found.include_router(module.router)
    return found
