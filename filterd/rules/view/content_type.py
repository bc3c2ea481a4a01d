"""Content-Type as SpamAssassin reads it: the last field, any text in front of any parameter.

Source: RFC 2045 §5, RFC 2231 §3; the results of SpamAssassin 4.0.1.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# One without a quotation mark in front that has one behind is none.
_BOUNDARY = re.compile(rb'\bboundary\s*+=\s*+(?:"([^"]++)|([^\s";]++)("?))', re.IGNORECASE)
_CHARSET = re.compile(rb"\bcharset\s*+=\s*+[\"']?", re.IGNORECASE)
_NAME = re.compile(rb"\b(?:file)?name\s*+=\s*+[\"']?", re.IGNORECASE)
_NAME_PIECE = re.compile(rb"\b(?:file)?name\*(\d{1,4})\s*+=\s*+[\"']?", re.IGNORECASE)
_TYPE = re.compile(rb"[^/]+(?:/[^/\s]*)?")
_TEXT = re.compile(rb"text\b")
_KEPT_TEXT = frozenset((b"text/x-vcard", b"text/calendar", b"text/html"))
_NEVER = bytes(range(0x21)) + bytes(range(0x7F, 0x100)) + b'"(),:;<=>?@[\\]'

NAME_PIECES = 100
"""Pieces of a file name (RFC 2231 §3) that are put together."""


class ContentType(NamedTuple):
    """type: lower case, without odd octets. boundary, charset, name: None where there is none.
    is_missing: there is no type; `text/plain` is only the default."""

    type: str
    boundary: bytes | None
    charset: bytes | None
    name: bytes | None
    is_missing: bool


_DEFAULT = ContentType("text/plain", None, b"us-ascii", None, True)


def parse_content_type(value: bytes) -> ContentType:
    """What the value of the last Content-Type says, `b""` where there is none."""
    if value in (b"", b"0"):
        return _DEFAULT
    found = next((match for match in _BOUNDARY.finditer(value) if not match[3]), None)
    boundary = found[1] or found[2] if found is not None else None
    name = _parameter(value, _NAME)
    if not name:
        name = _joined_name(value) or name
    word = value.lstrip().partition(b";")[0]
    match = _TYPE.match(word)
    word = (match[0] if match is not None else word).lower()
    is_missing = word in (b"", b"0")
    if is_missing or (_TEXT.match(word) and word not in _KEPT_TEXT):
        word = b"text/plain"
    kept = word.translate(None, _NEVER).decode("ascii")
    return ContentType(kept, boundary, _parameter(value, _CHARSET), name, is_missing)


def _parameter(value: bytes, start: re.Pattern[bytes]) -> bytes | None:
    found = start.search(value)
    return _rest(value, found.end()) if found is not None else None


def _rest(value: bytes, position: int) -> bytes:
    end = value.find(b";", position)
    text = value[position : end if end >= 0 else len(value)]
    return text[:-1] if text.endswith((b'"', b"'")) else text


def _joined_name(value: bytes) -> bytes:
    pieces: dict[int, bytes] = {}
    for match in _NAME_PIECE.finditer(value):
        pieces[int(match[1])] = _rest(value, match.end())
        if len(pieces) >= NAME_PIECES:
            break
    return b"".join(pieces[i] for i in sorted(pieces)) if 0 in pieces else b""
