"""The dashboard: flow by action and hour, what was found, whether filters and clamd are well, and
how far the classifier has learned."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from filterd.history import History, HistoryError
from filterd.history.summary import Kind
from filterd.ops.status import status
from filterd.quarantine.words import State
from filterd.review.access import Access
from filterd.review.actions import ActionError
from filterd.system import zone
from filterd.web.chart import flow_chart
from filterd.web.identity import Asking
from filterd.web.state import state_of
from filterd.web.summaries import MadeSummary
from filterd.web.views import page

log = logging.getLogger(__name__)

router = APIRouter()

HOUR = 3600.0
WEEK = 7 * 24 * HOUR

RANGES = {"1": HOUR, "7": 6 * HOUR, "30": 24 * HOUR}
"""Days that the chart may show, and the seconds of one column."""

TOP = 12
"""Symbols that are listed."""


@router.get("/")
def show(request: Request, asking: Asking) -> Response:
    """The dashboard; it shows everybody's mail, so a reviewer is sent to its own list."""
    state = state_of(request)
    access = Access(state.actions, asking, "web")
    try:
        counts = access.counts()
    except ActionError:
        return RedirectResponse("/quarantine", 303)
    days = request.query_params.get("days", "1")
    if days not in RANGES:
        days = "1"
    step, now = RANGES[days], time.time()
    since, until = _range(int(days), step, now)
    flow: list[tuple[float, str, int]] = []
    before: dict[str, int] | None = None
    made, begins = None, None
    top: list[tuple[str, int]] = []
    if state.settings.history.enabled:
        try:
            flow = state.history.flow(since, until, step)
            top = state.history.top(since, TOP)
            before = _week_before(state.history, since, now)
            begins = state.history.oldest()
            made = state.summaries.get(since)
        except HistoryError as error:
            # The health below says so, and the rest of the page is still of use.
            log.error("%s", error)
    chart = flow_chart(flow, since, until, step)
    return page(
        request,
        "dashboard.html",
        asking,
        chart=chart,
        shares=_shares(chart.totals, before),
        is_compared=before is not None,
        status=status(state.settings, counts=counts),
        days=days,
        ranges=RANGES,
        top=top,
        top_most=max((number for _, number in top), default=0),
        made=made,
        kinds=_kinds(made),
        begins=begins if begins is not None and begins > since else None,
        failed=sum(number for _, place, number, _ in counts if place == State.FAILED),
        counts=counts,
    )


@dataclass(frozen=True, slots=True)
class ActionShare:
    """Messages of one action. percent: of all of that time. before: how many there were in the
    same time of the week before, None where the history does not go back so far."""

    action: str
    messages: int
    percent: float
    before: int | None


def _range(days: int, step: float, now: float) -> tuple[float, float]:
    """When the chart begins and ends. One day is the last 24 full hours, more of them begin at
    midnight of the zone in which the page is read; the column that is not over yet is the last."""
    if days == 1:
        until = (now // step + 1) * step
        return until - 24 * HOUR, until
    since = zone.midnight(zone.local(now).date() - timedelta(days=days - 1))
    return since, since + math.ceil((now - since + 1) / step) * step


@dataclass(frozen=True, slots=True)
class KindShare:
    """Messages of one kind. percent: of all. link: to these messages, empty where no search finds
    just these."""

    kind: Kind
    messages: int
    percent: float
    link: str


_LINKS: dict[Kind, str] = {
    "held": "/history?action=quarantine",
    "virus": "/quarantine?state=any&reason=virus",
    "stripped": "/quarantine?state=any&reason=stripped",
    "deferred": "/history?action=tempfail",
}


def _kinds(made: MadeSummary | None) -> list[KindShare]:
    """The kinds of mail, as they were counted last."""
    if made is None or not made.summary.messages:
        return []
    return [
        KindShare(kind, number, 100.0 * number / made.summary.messages, _LINKS.get(kind, ""))
        for kind, number in made.summary.kinds.items()
    ]


def _week_before(history: History, since: float, now: float) -> dict[str, int] | None:
    """Messages by action in the same time a week earlier, up to the same moment. Raises
    HistoryError."""
    begin, end = since - WEEK, now - WEEK
    oldest = history.oldest()
    if oldest is None or oldest > begin:
        return None
    found: Counter[str] = Counter()
    for _, action, number in history.flow(begin, end, end - begin):
        found[action] += number
    return found


def _shares(
    totals: Sequence[tuple[str, int]], before: Mapping[str, int] | None
) -> list[ActionShare]:
    """The actions of either time, those of the chart first."""
    now = dict(totals)
    all_ = sum(now.values())
    return [
        ActionShare(
            action,
            now.get(action, 0),
            100.0 * now.get(action, 0) / all_ if all_ else 0.0,
            None if before is None else before.get(action, 0),
        )
        for action in dict.fromkeys((*now, *(before or ())))
    ]
