"""Fields of MIME that are longer than readers should meet are cut (MaxMimeHeaderLength).

Source: sendmail 8.17 `mime.c`, `util.c` (shorten_rfc822_string); observed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

log = logging.getLogger("filterd.mta")

DEFAULT = (2047, 1023)
"""Octets of a field, and of one of its parameters, where the file says nothing."""

Fields = Sequence[tuple[bytes, bytes]]
"""Names and values; a value is all that stands behind the colon."""

_BLANKS = b" \t\n\r\v\f"


def cut_fields(
    fields: Fields, lengths: tuple[int, int], is_in: Callable[[str, str], bool]
) -> list[tuple[bytes, bytes]]:
    """The fields, none longer than it may be. is_in: whether a class has a word."""
    longest, longest_part = lengths
    return [
        (name, _cut(name.decode("ascii", "replace"), value, longest, longest_part, is_in))
        for name, value in fields
    ]


def _cut(
    name: str, value: bytes, longest: int, longest_part: int, is_in: Callable[[str, str], bool]
) -> bytes:
    text = value.lstrip(_BLANKS)
    return value[: len(value) - len(text)] + _cut_text(name, text, longest, longest_part, is_in)


def _cut_text(
    name: str, value: bytes, longest: int, longest_part: int, is_in: Callable[[str, str], bool]
) -> bytes:
    size = len(value)
    if not (0 < longest < size) and not (0 < longest_part < size):
        return value
    if longest_part and is_in("checkMIMEFieldHeaders", name):
        value = b";".join(_balanced_part(one, longest_part) for one in sections(value))
        if len(value) < size:
            log.warning(
                "Truncated MIME %s header due to field size (length = %d) (possible attack)",
                name,
                size - len(value),
            )
    before = len(value)
    if longest and is_in("checkMIMETextHeaders", name) and before > longest:
        value = value[: longest - 1]
    elif longest and is_in("checkMIMEHeaders", name):
        value = balanced(value, longest)
    if len(value) < before:
        log.warning("Truncated long MIME %s header (length = %d) (possible attack)", name, before)
    return value


def _balanced_part(part: bytes, limit: int) -> bytes:
    text = part.lstrip(_BLANKS)
    return part[: len(part) - len(text)] + balanced(text, limit)


def sections(value: bytes) -> list[bytes]:
    """What stands between the semicolons that are in no string and no comment."""
    found, start, depth, at = [], 0, 0, 0
    quoted = False
    while at < len(value):
        one = value[at : at + 1]
        if one == b"\\":
            at += 1
        elif one == b'"' and not depth:
            quoted = not quoted
        elif one == b"(" and not quoted:
            depth += 1
        elif one == b")" and depth:
            depth -= 1
        elif one == b";" and not quoted and not depth:
            found.append(value[start:at])
            start = at + 1
        at += 1
    return [*found, value[start:]]


def balanced(text: bytes, limit: int) -> bytes:
    """The first octets of a text, with room kept for what closes its strings and comments."""
    limit = min(limit, len(text))
    depth, quoted, escaped = 0, False, False
    at = 0
    while at < len(text):
        one = text[at : at + 1]
        before = depth, quoted
        if escaped:
            escaped = False
        elif one == b"\\":
            escaped = True
        elif one == b"(":
            depth += not quoted
        elif one == b")":
            depth = max(depth - 1, 0)
        if one == b'"' and not depth and not (at and text[at - 1 : at] == b"\\"):
            quoted = not quoted
        if limit - at <= escaped + depth + quoted:
            # No room for this one.
            if one == b"\\" or (one == b"(" and not before[1]) or (one == b'"' and not depth):
                depth, quoted = before[0], before[1] and one != b'"'
            break
        at += 1
    return text[:at] + b")" * depth + b'"' * quoted
