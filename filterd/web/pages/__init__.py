"""The pages. Each module has one router; every POST among them is checked by `identity.posted`."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from filterd.web.identity import posted
from filterd.web.pages import (
    account,
    accounts,
    audit,
    dashboard,
    dmarc,
    greylist,
    held,
    history,
    language,
    lists,
    live,
    login,
    look,
    message,
    my,
    oidc,
    quarantine,
    rates,
    requests,
    scan,
    search,
    senders,
    trace,
)


def router() -> APIRouter:
    """All pages. Only those that need no login are outside of the check for posted forms."""
    pages = APIRouter(include_in_schema=False)
    pages.include_router(login.open_router)
    pages.include_router(oidc.open_router)
    pages.include_router(held.open_router)
    pages.include_router(language.open_router)
    pages.include_router(look.open_router)
    pages.include_router(my.open_router)
    for module in (
        login,
        account,
        accounts,
        dashboard,
        quarantine,
        message,
        history,
        live,
        greylist,
        lists,
        senders,
        rates,
        my,
        requests,
        scan,
        search,
        audit,
        trace,
        dmarc,
    ):
        pages.include_router(module.router, dependencies=[Depends(posted)])
    return pages
