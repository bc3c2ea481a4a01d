"""The mbox format: where its messages begin and end, and what quoting did to them.

mboxes are written by many programs and follow no one standard (RFC 4155, appendix A; qmail's
mbox(5)). A line that begins with `From ` separates two messages only if it looks like a separator:
a sender and a date, after an empty line; or, where a writer left the empty line out, a sender and a
full date with a header field on the next line. Everything else is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

BLOCK = 1 << 20
"""Bytes of an mbox that are in memory at a time while its messages are found."""

LINE_LIMIT = 1000
"""Bytes of a `From ` line that are looked at; RFC 5322, 2.1.1, allows 998 in any line."""

_MARK = b"From "

_DAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b"
_MONTH = rb"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b"
_YEAR = rb"\b(?:19|20)\d\d\b"
_SENDER = rb'From (?:"[^"\n]*+"[^ \t\n]*+|[^ \t\n]++)'

_CTIME = re.compile(
    _SENDER
    + rb"[ \t]+"
    + _DAY
    + rb"(?=[^\n]*"
    + _MONTH
    + rb")(?=[^\n]*(?:\d:\d\d|"
    + _YEAR
    + rb"))"
)
"""A sender, then the day of the week, a month, and a time of day or a year: ctime(3)'s date, with
or without its parts, or an RFC 5322 date."""

_OTHER_DATE = re.compile(
    _SENDER + rb"[ \t]+(?:\d{1,2} " + _MONTH + rb" \d{4}\b|(?:19|20)\d\d-\d\d-\d\d(?!\d))"
)
"""A sender, then an RFC 5322 date without the day of the week, or ISO 8601's."""

_TIME_OF_DAY = re.compile(rb"^From [^\n]*\d:\d\d")
_ADDRESS_ONLY = re.compile(rb"From [^ \t\n@]++@[^ \t\n]++[ \t]*\r?\n?$")
_FIELD = re.compile(rb">?(?:From |[!-9;-~]++[ \t]*:)")
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)


def is_mbox(head: bytes) -> bool:
    """Whether what begins with these bytes is an mbox: its first line is a `From ` line."""
    return head.startswith(_MARK)


def spans(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield where each message begins and ends, in bytes, without its `From ` line and without the
    empty line that separates it from the next one.

    file: at its beginning, which is a `From ` line. It is read in blocks, whatever its size.
    Raises OSError.
    """
    begin: int | None = None
    for start, end, gap in _separators(file):
        if begin is not None:
            yield begin, max(begin, start - gap)
        begin = end
    if begin is not None:
        yield begin, max(begin, file.seek(0, 2))


def unquoted(data: bytes) -> bytes:
    """A message with its `>From ` lines as they were sent (mboxrd)."""
    return _QUOTED.sub(rb"\1", data) if b"\n>" in data else data


def without_from_line(data: bytes) -> bytes:
    """A message without the `From ` line before its first header field, if there is one."""
    if not is_mbox(data):
        return data
    line, _, rest = data[:LINE_LIMIT].partition(b"\n")
    return data[len(line) + 1 :] if rest or data[len(line) : len(line) + 1] == b"\n" else data


def _separators(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """Yield each `From ` line as (its start, the next line's start, the empty line's length)."""
    # What is kept of the block before, so that every line is seen with its neighbours.
    window, at = b"", 0
    final = False
    place = 0  # in the window: where to look next
    while not final:
        block = file.read(BLOCK)
        final = not block
        window += block
        while (found := _next_mark(window, place, at)) >= 0:
            if found + 2 * LINE_LIMIT > len(window) and not final:
                break  # the line or the one after may go on in the next block
            if separator := _separator(window, found, at + found == 0):
                end, gap = separator
                yield at + found, at + end, gap
                place = end
            else:
                place = found + len(_MARK)
        # The next round looks again at the last line, and at the end of the one before.
        keep = found if found >= 0 else max(place, len(window) - len(_MARK))
        cut = max(keep - 4, 0)
        window, at, place = window[cut:], at + cut, keep - cut


def _next_mark(window: bytes, place: int, at: int) -> int:
    """Where the next line that begins with `From ` is, -1 if there is none."""
    if at + place == 0 and window.startswith(_MARK):
        return 0
    found = window.find(b"\n" + _MARK, max(place - 1, 0))
    return found + 1 if found >= 0 else -1


def _separator(window: bytes, start: int, first: bool) -> tuple[int, int] | None:
    """The start of the line after this `From ` line and the length of the empty line before it, or
    None if the line is text. first: it is the file's first line."""
    newline = window.find(b"\n", start, start + LINE_LIMIT)
    end = newline + 1 if newline >= 0 else len(window)
    if newline < 0 and (end - start >= LINE_LIMIT or not first):
        return None
    line = window[start:end]
    if first:
        return end, 0
    gap = 0
    if window[start - 4 : start] == b"\r\n\r\n":
        gap = 2
    elif window[max(start - 2, 0) : start] == b"\n\n":
        gap = 1
    usual = _CTIME.match(line) is not None
    if not (gap and usual):
        if not _FIELD.match(window, end, end + LINE_LIMIT):
            return None
        likely = (_OTHER_DATE, _TIME_OF_DAY, _ADDRESS_ONLY) if gap else (_OTHER_DATE,)
        if not usual and not any(pattern.match(line) for pattern in likely):
            return None
    return end, gap
