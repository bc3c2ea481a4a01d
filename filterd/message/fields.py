"""Header fields by octet offsets: one pass, no copies but the values.

Source: RFC 5322 §2.2, §4.5.
"""

from __future__ import annotations

import re
from mmap import mmap
from typing import NamedTuple

Buffer = bytes | mmap
"""A message: octets in memory, or a spooled file that is mapped and never copied as a whole."""

# RFC 5322 §2.2: printable US-ASCII except colon; blanks before the colon are obsolete (§4.5) but
# every mail reader takes them. Possessive, so that no input makes them go back.
_NAME_AND_COLON = rb"[!-9;-~]++[ \t]*+:"
_VALUE = rb"[^\n]*+(?:\n[ \t][^\n]*+)*+"
_SECTION = re.compile(rb"(?:" + _NAME_AND_COLON + _VALUE + rb"\n?)*+(\r?\n)?+")
FIELD = re.compile(rb"(?<![!-9;-~])([!-9;-~]++)[ \t]*+:(" + _VALUE + rb")\n?")

_MBOX_LINES = (b"From ", b">From ")

_FOLD = re.compile(rb"\r?\n[ \t]")


class HeaderField(NamedTuple):
    """One header field, by octet offsets in the message.

    name: as it was spelled, ASCII. raw_value: everything after the colon up to, not including, the
    line ending: leading blank and folding kept. start, end: the whole field with its line ending.
    """

    name: str
    raw_value: bytes
    start: int
    end: int

    @property
    def text(self) -> str:
        """The value unfolded and stripped, octets above 0x7f as Latin-1; never raises."""
        return _FOLD.sub(b" ", self.raw_value).strip().decode("latin-1")


def header_end(data: Buffer, start: int, end: int) -> tuple[int, int]:
    """Where the header section that begins at `start` ends, and where the body begins.

    Both are the same if no empty line stands between them: a line that can be no field, which then
    belongs to the body as sendmail has it, or the end of the data.
    """
    if not start and data[:6].startswith(_MBOX_LINES):
        start = _next_line(data, 0, end)
    match = _SECTION.match(data, start, end)
    assert match is not None  # it matches nothing at all, too
    position = match.end()
    empty_line = match.start(1)
    return (position, position) if empty_line < 0 else (empty_line, position)


def parse_header(
    data: Buffer, start: int = 0, limit: int | None = None, *, skip_bad_lines: bool = False
) -> tuple[list[HeaderField], int]:
    """Split the header section that begins at `start`; return its fields and the body's offset.

    The section ends with an empty line (not part of the body), at `limit`, or before the first line
    that can be no header field. With `skip_bad_lines` such lines are passed over, as some readers
    do. An mbox `From ` line on top is passed over in any case.
    """
    fields: list[HeaderField] = []
    size = len(data) if limit is None else limit
    position = start
    while True:
        end, body_start = header_end(data, position, size)
        for match in FIELD.finditer(data, position, end):
            name, value = match.groups()
            field_start, field_end = match.span()
            if value.endswith(b"\r") and field_end != match.end(2):
                value = value[:-1]
            fields.append(HeaderField(name.decode("ascii"), value, field_start, field_end))
        if not skip_bad_lines or end != body_start or end >= size:
            return fields, body_start
        position = _next_line(data, end, size)


def _next_line(data: Buffer, position: int, size: int) -> int:
    end = data.find(b"\n", position, size)
    return size if end < 0 else end + 1
