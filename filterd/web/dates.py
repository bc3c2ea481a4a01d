"""Days as people ask for them, and the time zone of their browser."""

from __future__ import annotations

import re
from datetime import date, timedelta

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from filterd.system import zone

ZONE_COOKIE = "zone"
"""The cookie in which `comfort.js` names the browser's time zone."""

PRESETS = {
    "today": "today",
    "yesterday": "yesterday",
    "this-week": "this week, from Monday",
    "last-7-days": "the last 7 days",
    "this-month": "this month",
}
"""Words for days, and what they are called."""


_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII)


def day_input(typed: str) -> str:
    """The type of the input (HTML) that can show what was typed, most of all a picker of days."""
    if not typed or _DAY.fullmatch(typed):
        return "date"
    return "datetime-local" if _MINUTE.fullmatch(typed) else "text"


def days_of(word: str, today: date) -> tuple[float, float]:
    """From when until before when one of `PRESETS` is, in seconds since 1970, by whole days of the
    zone. Raises ValueError for another word."""
    day = timedelta(days=1)
    match word:
        case "today":
            first, after = today, today + day
        case "yesterday":
            first, after = today - day, today
        case "this-week":
            first = today - today.weekday() * day
            after = first + 7 * day
        case "last-7-days":
            first, after = today - 6 * day, today + day
        case "this-month":
            first = today.replace(day=1)
            after = (first + 31 * day).replace(day=1)
        case _:
            raise ValueError(f"accepted: {', '.join(PRESETS)}")
    return zone.midnight(first), zone.midnight(after)


class BrowserZone:
    """Serves each request in the time zone that its browser has named, else in this host's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        asked = None
        if scope["type"] == "http":
            asked = zone.named(Request(scope).cookies.get(ZONE_COOKIE, ""))
        with zone.shown_in(asked):
            await self._app(scope, receive, send)
