"""Values as people read them, on pages, in the terminal and in mail: times, sizes, counts, text."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from filterd.system.zone import local

_BREAKS = frozenset("\n\t")


def when(seconds: float) -> str:
    """Local time of seconds since 1970, to the minute."""
    return f"{local(seconds):%Y-%m-%d %H:%M}"


def when_short(seconds: float) -> str:
    """The same as a list has room for: without this year, or without the hour."""
    moment = local(seconds)
    return f"{moment:%m-%d %H:%M}" if moment.year == datetime.now().year else f"{moment:%Y-%m-%d}"


def to_the_second(seconds: float) -> str:
    """Local time with seconds."""
    return f"{local(seconds):%Y-%m-%d %H:%M:%S}"


def exactly(seconds: float) -> str:
    """Local time with seconds and offset."""
    return f"{local(seconds):%Y-%m-%d %H:%M:%S %z}"


def utc(seconds: float) -> str:
    """For programs: seconds since 1970 as a time in UTC (RFC 3339), without fractions."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


def size(number: int) -> str:
    """Bytes in units of 1024: `17 bytes`, `2.4 KB`, `12 MB`."""
    if number < 1024:
        return count(number, "byte")
    value, unit = number / 1024, "KB"
    for larger in ("MB", "GB", "TB"):
        if value < 1023.5:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def hours(number: float) -> str:
    """`1 hour`, `1.5 hours`, `24 hours`; from two whole days on in days."""
    if number >= 48 and number % 24 == 0:
        return count(int(number // 24), "day")
    return "1 hour" if number == 1 else f"{number:g} hours"


def count(number: int, one: str, many: str = "") -> str:
    """`1 message`, `2 messages`, with thousands set apart."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def printable(text: str, limit: int | None = None, *, lines: bool = False) -> str:
    """Text of strangers without control characters: none that turn the direction of what follows,
    none that have no width, no lone surrogates.

    limit: characters of the result. lines: leave line ends and tabs.
    """
    if not text.isprintable():
        kept = _BREAKS if lines else frozenset()
        text = "".join(
            c if c.isprintable() or c in kept else "\N{REPLACEMENT CHARACTER}" for c in text
        )
    return text[:limit]


# Not the two slashes before the host of a URL; the three before a file are one.
_FOLDERS = re.compile(r"(?<![\w./])(?:///++|/(?!/))(?:[^/\s:]++/)++")


def without_folders(text: str) -> str:
    """The text with the last name only of each absolute path in it, for people who are not on this
    machine."""
    return _FOLDERS.sub("", text)


def all_without_folders(value: Any) -> Any:
    """A value that JSON can say, with each text in it `without_folders`."""
    match value:
        case dict():
            return {key: all_without_folders(one) for key, one in value.items()}
        case list() | tuple():
            return [*map(all_without_folders, value)]
        case str():
            return without_folders(value)
    return value
