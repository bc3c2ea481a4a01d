"""Lines longer than a mailer takes (`L=`). Source: sendmail 8.17 `util.c` (putxline); observed."""

from __future__ import annotations

SHORTEST = 3
"""Octets: below it there is no room for a blank, an octet and the mark; such a limit is none."""


def limited(message: bytes, limit: int) -> bytes:
    """The message with its long lines cut: `!` ends a piece, the next one begins with a blank.

    limit: octets of a line, without its end; 0 for none. The header is cut as the body is, which
    may damage it: that is what sendmail does. Lines may end with LF or CRLF.
    """
    if limit < SHORTEST:
        return message
    lines = message.split(b"\n")
    # A line's CR belongs to its end.
    if all(len(line) <= limit for line in lines):
        return message
    return b"\n".join(_cut(line, limit) for line in lines)


def _cut(line: bytes, limit: int) -> bytes:
    end = b"\r" if line.endswith(b"\r") else b""
    text = line.removesuffix(b"\r")
    if len(text) <= limit:
        return line
    pieces = [text[: limit - 1]]
    place = limit - 1
    # A further piece has its blank, and the mark if it is not the last.
    while 1 + len(text) - place > limit:
        pieces.append(text[place : place + limit - 2])
        place += limit - 2
    pieces.append(text[place:])
    return (b"!" + end + b"\n ").join(pieces) + end
