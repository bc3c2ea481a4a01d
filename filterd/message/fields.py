"""Header fields by octet offsets: one pass, no copies but the values.

Source: RFC 5322 §2.2, §4.5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# RFC 5322 §2.2: printable US-ASCII except colon; blanks before the colon are obsolete (§4.5) but
# every mail reader takes them.
_FIELD_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")

_FOLD = re.compile(rb"\r?\n[ \t]")


@dataclass(frozen=True, slots=True)
class HeaderField:
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


def parse_header(
    data: bytes, start: int = 0, limit: int | None = None
) -> tuple[list[HeaderField], int]:
    """Split the header section that begins at `start`; return its fields and the body's offset.

    The section ends with an empty line (not part of the body), at `limit`, or before the first line
    that can be no header field, which then belongs to the body as sendmail has it.
    """
    fields: list[HeaderField] = []
    size = len(data) if limit is None else limit
    position = start
    while position < size:
        line_end = data.find(b"\n", position, size)
        line_end = size if line_end < 0 else line_end + 1
        first = data[position]
        if first in (0x0D, 0x0A) and bytes(data[position:line_end]) in (b"\r\n", b"\n"):
            return fields, line_end
        match = _FIELD_NAME.match(data, position, line_end)
        if match is None:
            return fields, position
        end = line_end
        while end < size and data[end] in b" \t":
            next_end = data.find(b"\n", end, size)
            end = size if next_end < 0 else next_end + 1
        raw = bytes(data[match.end() : end])
        raw = raw[:-2] if raw.endswith(b"\r\n") else raw.removesuffix(b"\n")
        fields.append(HeaderField(match[1].decode("ascii"), raw, position, end))
        position = end
    return fields, position
