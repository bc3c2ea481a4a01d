"""HeaderEval, of dates: the message's beside those that its relays wrote.

Source: the descriptions of the stock rules `DATE_IN_*`; Mail::SpamAssassin::Conf(3).
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import cast

from filterd.rules.evals.dates import parse_date
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.view import View

TESTS = Plugin("Mail::SpamAssassin::Plugin::HeaderEval")
"""The part of `header_eval.PLUGIN` that is here."""

HOUR = 3600
YEAR = 31_556_952
"""Seconds of an average year."""

UNDEFINED = "undef"
"""As a bound: none."""

OUTLOOK_FUDGE = 250
"""How far the time in a Message-ID of Outlook may be off, in its own units."""

_WHEN = re.compile(r"\s.?\d+ \S\S\S \d+ \d+:\d+:\d+ \S+", re.A)
_LAST_WHEN = re.compile(r"\s.?\d+ \S\S\S \d+ \d+:\d+:\d+ \S+.*", re.A)
_BY_ITSELF = re.compile(
    r"\bfrom (?:localhost\s|(?:\S+ ){1,2}\S*\b127\.0\.0\.1\b)|qmail \d+ invoked by uid \d+", re.A
)
_FETCHED = re.compile(r"\bby localhost with \w+ \(fetchmail-[\d.]+", re.A)
_OUTLOOK = re.compile(rb"<[0-9a-f]{4}([0-9a-f]{8})\$[0-9a-f]{8}\$[0-9a-f]{8}@")


@dataclass(frozen=True, slots=True)
class _Dates:
    """Seconds since 1970. date: of Date or Resent-Date. received: of the Received fields, top
    first. fetched: when a program fetched the message."""

    date: int | None
    received: tuple[int, ...]
    fetched: int | None

    @property
    def difference(self) -> int:
        """By how much the message's own date is ahead of the nearest of the others; 0 where there
        is nothing to compare."""
        if self.date is None or not self.received:
            return 0
        found = [self.date - one for one in self.received]
        if len(found) > 1 and found[-1] == 0:
            found.pop()
        return min(found, key=abs)

    @property
    def arrival(self) -> int:
        """When the message came, as the median of all that is known; 0 if nothing is."""
        possible = [one for one in (self.date, *self.received[:1], self.fetched) if one is not None]
        if self.date is not None and self.received:
            possible.append(self.date - self.difference)
        possible.sort(reverse=True)
        return possible[(len(possible) - 1) // 2] if possible else 0


def _dates(view: View) -> _Dates:
    key = "dates"
    if key not in view.notes:
        received, fetched = _received(view)
        view.notes[key] = _Dates(_own(view), received, fetched)
    return cast(_Dates, view.notes[key])


def _own(view: View) -> int | None:
    for name in ("Resent-Date", "Date"):
        for value in view.values(name):
            found = parse_date(value.decode("latin-1")) if value.strip() else None
            if found is not None:
                return found
    return None


def _received(view: View) -> tuple[tuple[int, ...], int | None]:
    text = view.value("Received").decode("latin-1")
    lines = [line for line in text.split("\n") if line.strip()]
    local: list[str] = []
    if lines and _BY_ITSELF.search(lines[0]):
        local.append(lines.pop(0))
    if lines and _FETCHED.search(lines[0]):
        local.append(lines.pop(0))
    elif local:
        lines.insert(0, local.pop(0))
    now = time.time()
    fetched = [one for one in _times(local) if one <= now]
    return tuple(_times(lines)), max(fetched, default=None)


def _times(lines: list[str]) -> list[int]:
    found = (_WHEN.search(line) for line in lines)
    dates = (parse_date(match[0]) for match in found if match is not None)
    return [date for date in dates if date is not None]


def _is_between(value: float, least: str, most: str, unit: float) -> bool:
    return (least == UNDEFINED or value >= unit * float(least)) and (
        most == UNDEFINED or value < unit * float(most)
    )


@TESTS.test("check_for_shifted_date")
def check_for_shifted_date(view: View, least: str, most: str) -> bool:
    """The message's date is so many hours ahead of the relays': at least, and less than."""
    return _is_between(_dates(view).difference, least, most, HOUR)


@TESTS.test("received_within_months")
def received_within_months(view: View, least: str = UNDEFINED, most: str = UNDEFINED) -> bool:
    """The message came so many months ago: at least, and less than."""
    return _is_between(time.time() - _dates(view).arrival, least, most, YEAR / 12)


def _outlook_time(date: int) -> int:
    """What Outlook puts into a Message-ID at that time: the upper half of a Windows file time, of
    which one unit is 429.5 seconds."""
    return int(date * 0.0023283064365387 + 27111902.8329849)


@TESTS.test("check_outlook_message_id")
def check_outlook_message_id(view: View) -> bool:
    """The Message-ID looks like one of Outlook's, but neither Date nor the last Received field is
    of the time in it."""
    match = _OUTLOOK.match(view.value("MESSAGEID"))
    if match is None:
        return False
    said = int(match[1], 16)
    date = parse_date(view.value("Date").decode("latin-1")) or 0
    if abs(said - _outlook_time(date)) < OUTLOOK_FUDGE:
        return False
    received = parse_date(view.value("Received").decode("latin-1")) or 0
    return abs(said - _outlook_time(received)) >= OUTLOOK_FUDGE
