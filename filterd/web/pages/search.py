"""One search over kept mail and the history."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from filterd.quarantine.words import WAITING_STATES
from filterd.review.access import Access
from filterd.review.rights import BULK, role_refusal
from filterd.review.search import ResultPage, search
from filterd.review.search_words import CONDITIONS, TEXT_LIMIT, SearchError, read
from filterd.web.forms import DEFAULT_LIMIT
from filterd.web.identity import Asking
from filterd.web.state import state_of
from filterd.web.views import page

router = APIRouter()

DECISIONS = ("release", "spam", "delete")
"""What can be done from here with all kept messages of a page; the list has the rest."""


@router.get("/search")
def found(request: Request, asking: Asking) -> Response:
    """What fits the search, newest first, each leading to the message or its record."""
    asked = request.query_params.get("q", "")[: TEXT_LIMIT + 1].strip()
    after = request.query_params.get("after", "")[:TEXT_LIMIT]
    state = state_of(request)
    rows, error = ResultPage(), ""
    try:
        access = Access(state.actions, asking, "web")
        rows = search(access, state.history, read(asked), limit=DEFAULT_LIMIT, after=after)
    except SearchError as why:
        error = str(why)
    # What is kept can be decided at once, where the role may do that.
    to_decide = [row.id for row in rows.results if row.is_kept and row.what in WAITING_STATES]
    return page(
        request,
        "search.html",
        asking,
        search_text=asked,
        search_error=error,
        found=rows,
        is_later=bool(after),
        newest="?" + urlencode({"q": asked}),
        older="?" + urlencode({"q": asked, "after": rows.next}) if rows.next else "",
        conditions=CONDITIONS,
        to_decide=to_decide,
        actions={
            name: BULK[name].button
            for name in DECISIONS
            if to_decide and not role_refusal(asking, BULK[name])
        },
        here=f"/search?{urlencode({'q': asked, **({'after': after} if after else {})})}",
        records=state.settings.history.enabled,
    )
