"""Lines of a body: delimiters of parts, blank lines, lines that are too long.

Source: RFC 2046 §5.1.1; the results of SpamAssassin 4.0.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LINE_LIMIT = 2048
"""Octets of a line in a part; longer ones are broken."""

BLANK_LINES = 20
"""Blank lines in a row that are kept."""

BLANKS = b" \t\n\r\x0b\x0c"

_MANY_BLANK_LINES = re.compile(rb"(?:\n[ \t\r\x0b\x0c]*+){%d}" % (BLANK_LINES + 2))
_BLANK_LINES = re.compile(rb"(?<=\n)(?:[ \t\r\x0b\x0c]*+\n)+")


def is_delimiter(line: bytes, delimiter: bytes) -> bool:
    return line[len(delimiter) :].rstrip(BLANKS) in (b"", b"--")


def delimiters(body: bytes, delimiter: bytes, position: int) -> Iterator[tuple[int, int]]:
    """(start, end) of each delimiter line from `position` on."""
    size = len(body)
    while True:
        found = body.find(delimiter, position)
        if found < 0:
            return
        end = body.find(b"\n", found) + 1 or size
        if (found == 0 or body[found - 1] == 0x0A) and is_delimiter(body[found:end], delimiter):
            yield found, end
            position = end
        else:
            position = found + len(delimiter)


def squeezed(body: bytes) -> bytes:
    """No more than so many blank lines in a row."""
    if _MANY_BLANK_LINES.search(b"\n" + body) is None:
        return body
    return _BLANK_LINES.sub(_fewer, b"\n" + body)[1:]


def _fewer(match: re.Match[bytes]) -> bytes:
    lines = match[0].split(b"\n")[:-1]
    kept = BLANK_LINES + (match.start() == 1)
    if len(lines) <= kept:
        return match[0]
    return b"\n".join(lines[:1] + lines[1 + len(lines) - kept :]) + b"\n"


def broken(raw: bytes) -> bytes:
    """Lines that are too long, broken."""
    if len(raw) <= LINE_LIMIT:
        return raw
    lines = raw.split(b"\n")
    if max(map(len, lines)) < LINE_LIMIT:
        return raw
    broken: list[bytes] = []
    for line in _lines(raw):
        at = 0
        while len(line) - at > LINE_LIMIT:
            broken += (line[at : at + LINE_LIMIT], b"\n")
            at += LINE_LIMIT
        broken.append(line[at:])
    return b"".join(broken)


def _lines(raw: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in raw.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines
