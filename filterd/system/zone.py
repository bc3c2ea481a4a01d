"""The time zone in which times are shown and days begin: this host's, or that of the one who asks.

Who asks is known for the time of a request only, in a context variable; threads and processes that
are not about a request use this host's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, time, tzinfo
from zoneinfo import ZoneInfo

_NAME = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")

_asked: ContextVar[tzinfo | None] = ContextVar("zone", default=None)


@contextmanager
def shown_in(zone: tzinfo | None) -> Iterator[None]:
    """Within this, times are those of that zone; None for this host's."""
    token = _asked.set(zone)
    try:
        yield
    finally:
        _asked.reset(token)


def named(name: str) -> tzinfo | None:
    """The zone of that name (`Europe/Berlin`, of the IANA database as the system has it); None for
    one that is unknown."""
    if not _NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return None


def local(seconds: float) -> datetime:
    """Seconds since 1970 as a time in the zone. Raises as `datetime.fromtimestamp` does."""
    return datetime.fromtimestamp(seconds).astimezone(_asked.get())


def at(moment: datetime) -> float:
    """Seconds since 1970 of a time, one without a zone as one of the zone: the first of two that
    are called alike, and of one that is left out when clocks go forward what it would have been.
    Raises OverflowError, OSError."""
    if moment.tzinfo is None and (zone := _asked.get()) is not None:
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone().timestamp()


def midnight(day: date) -> float:
    """When that day begins in the zone, in seconds since 1970."""
    return at(datetime.combine(day, time()))


def name() -> str:
    """What the zone is called: `Europe/Berlin`; of this host its abbreviation, `CET`."""
    zone = _asked.get()
    return str(zone) if zone is not None else datetime.now().astimezone().tzname() or "local time"
