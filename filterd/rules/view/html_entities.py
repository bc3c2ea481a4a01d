"""Character references of HTML as Perl's HTML::Parser resolves them.

Source: HTML 4.01 §5.3 and §24; HTML::Entities(3pm).
"""

from __future__ import annotations

import re
from functools import lru_cache
from html.entities import name2codepoint

_NAMES = {name: chr(code) for name, code in name2codepoint.items()} | {"apos": "'"}

_BARE = {name: text for name, text in _NAMES.items() if ord(text) < 256}
"""Names that need no semicolon."""

_LONGEST = max(map(len, _BARE))

_REFERENCE = re.compile(r"&(?:#(?:[xX][0-9a-fA-F]+|[0-9]+);?|[A-Za-z0-9_]+;?)")
_PAIR = re.compile(
    r"&#(?:0*(5[56]\d{3})|[xX]0*([dD][89abAB][0-9a-fA-F]{2}));?"
    r"&#(?:0*(5[67]\d{3})|[xX]0*([dD][c-fC-F][0-9a-fA-F]{2}));?"
)
_DIGITS = 10
"""Digits of a number that may be a character: leading zeros aside there are at most seven."""


def resolved(text: str, *, in_attribute: bool = False) -> str:
    """Text with its character references resolved. In an attribute a name ends where its letters
    end; elsewhere the longest name that the letters begin with counts."""
    if "&" not in text:
        return text
    if "&#" in text and _PAIR.search(text) is not None:
        text = _PAIR.sub(_pair, text)
    return _REFERENCE.sub(_in_attribute if in_attribute else _in_text, text)


def _in_text(match: re.Match[str]) -> str:
    return _character(match[0], True) if len(match[0]) <= 64 else _long(match[0])


def _in_attribute(match: re.Match[str]) -> str:
    return _character(match[0], False) if len(match[0]) <= 64 else match[0]


def _long(reference: str) -> str:
    head = _character(reference[:64], True)
    return head + reference[64:]


@lru_cache(2048)
def _character(reference: str, prefix: bool) -> str:
    if reference[1] == "#":
        return _number(reference)
    name = reference[1:].removesuffix(";")
    found = _BARE.get(name)
    if found is None and reference.endswith(";"):
        found = _NAMES.get(name)
    if found is not None:
        return found
    if prefix:
        for size in range(min(len(name) - 1, _LONGEST), 0, -1):
            found = _BARE.get(name[:size])
            if found is not None:
                return found + reference[1 + size :]
    return reference


def _number(reference: str) -> str:
    text = reference[2:].removesuffix(";")
    digits = text.lstrip("xX").lstrip("0")
    if not 0 < len(digits) <= _DIGITS:
        return reference
    code = int(digits, 16 if text[0] in "xX" else 10)
    if code > 0x10FFFF or code in (0xFFFE, 0xFFFF):
        return reference
    if 0xD800 <= code <= 0xDFFF or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE:
        return "\ufffd"
    return chr(code)


def _pair(match: re.Match[str]) -> str:
    high = int(match[1]) if match[1] else int(match[2], 16)
    low = int(match[3]) if match[3] else int(match[4], 16)
    if 0xD800 <= high < 0xDC00 <= low < 0xE000:
        return chr(((high - 0xD800) << 10) + (low - 0xDC00) + 0x10000)
    return match[0]
