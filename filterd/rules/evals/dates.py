"""Dates in mail, as forgiving as SpamAssassin reads them.

Source: RFC 5322 §3.3 and §4.3; the results of the stock rules `DATE_IN_*`.
"""

from __future__ import annotations

import calendar
import re

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_MONTH = f"({'|'.join(_MONTHS)})"
_DAY_FIRST = re.compile(rf" (\d{{1,9}}) {_MONTH} (\d{{4}}) ", re.I | re.A)
_OF_CTIME = re.compile(rf" {_MONTH} +(\d{{1,9}}) \d+:\d+:\d+ (\d{{4}}) ", re.I | re.A)
_SHORT_YEAR = re.compile(rf" (\d{{1,9}}) {_MONTH} (\d{{2,3}}) ", re.I | re.A)
_TIME = re.compile(r" (\d?\d):(\d\d)(?::(\d\d))? ", re.A)
_OFFSET = re.compile(r" ([-+])(\d\d)(\d\d) ", re.A)
_ZONE = re.compile(r"\b([A-Z]{2,4}(?:-DST)?)\b", re.A)
_COMMA = re.compile(r", *+")
_BLANKS = re.compile(r"\s+", re.A)

TEXT_LIMIT = 65536
"""Characters in which a date is looked for."""

YEARS = 1970, 2037
"""Earliest and latest year; others are taken for the nearer of them."""

CENTURY = 50
"""Years of two digits below are of this century."""

_ZONES = {
    name: hours
    for hours, names in {
        -10: "HST HAST",
        -9: "AKST HADT",
        -8: "PST AKDT",
        -7: "MST PDT",
        -6: "CST MDT",
        -5: "EST CDT",
        -4: "AST EDT",
        -3.5: "NST",
        -3: "ADT BRT",
        -2.5: "NDT",
        -2: "BRST",
        0: "UT UTC GMT WET",
        1: "BST IST WEST CET MET MEZ",
        2: "CEST EET MEST MESZ",
        3: "EEST MSK IDT",
        4: "MSD",
        8: "AWST HKT SGT PHT",
        9: "JST KST",
        9.5: "ACST",
        10: "AEST",
        10.5: "ACDT",
        11: "AEDT",
        12: "NZST",
        13: "NZDT",
    }.items()
    for name in names.split()
}


def parse_date(text: str) -> int | None:
    """Seconds since 1970; None for what has no day, month and year. What cannot be of a time or a
    day is made the nearest that can."""
    line = _BLANKS.sub(" ", _COMMA.sub(" ", f" {text[:TEXT_LIMIT]} "))
    match = _DAY_FIRST.search(line)
    if match is not None:
        day, name, year = match.groups()
    elif (match := _OF_CTIME.search(line)) is not None:
        name, day, year = match.groups()
    elif (match := _SHORT_YEAR.search(line)) is not None:
        day, name, year = match.groups()
    else:
        return None
    # As SpamAssassin has it: the time within the second form does not count.
    line = f"{line[: match.start()]} {line[match.end() :]}"
    seconds = 0
    time = _TIME.search(line)
    if time is not None:
        hour, minute, second = (int(number or 0) for number in time.groups())
        seconds = min(hour, 23) * 3600 + min(minute, 59) * 60 + min(second, 59)
        line = f"{line[: time.start()]} {line[time.end() :]}"
    start = _day(int(day), _MONTHS[name.lower()], _year(year))
    if start is None:
        return None
    offset = _offset(line)
    found = start + seconds - offset
    return max(found, 0) if offset > 0 else found


def _year(text: str) -> int:
    number = int(text)
    if len(text) == 2 and number < CENTURY:
        return number + 2000
    return number + 1900 if len(text) < 4 else number


def _day(day: int, month: int, year: int) -> int | None:
    if day > calendar.monthrange(max(year, 1), month)[1]:
        day, month = 1, month + 1
        if month > 12:
            month, year = 1, year + 1
    year = min(max(year, YEARS[0]), YEARS[1])
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    return calendar.timegm((year, month, day, 0, 0, 0))


def _offset(line: str) -> int:
    """Seconds east of Greenwich; 0 where it is not said."""
    match = _OFFSET.search(line)
    if match is not None:
        seconds = (int(match[2]) * 60 + int(match[3])) * 60
        return -seconds if match[1] == "-" else seconds
    zone = _ZONE.search(line)
    return int(_ZONES.get(zone[1], 0) * 3600) if zone is not None else 0
