"""What a PDF asks of others when it is opened: actions of the document and of its pages.

An action may stand in the dictionary that names it or elsewhere, as an object of its own. What
happens when a person clicks on a link or a button is none. Source: ISO 32000-1 §12.6.2 to §12.6.4,
§7.11.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from filterd.filters.parts.unpacking import linked

Finding = tuple[str, str]
"""Name of a symbol, and what was found."""

ACTIONS_LIMIT = 1000
"""Actions of one PDF that are looked at."""

DICTIONARY_SIZE = 4096
"""Octets of a dictionary that are looked at."""

_OPENING = re.compile(rb"/(OpenAction|AA)[\s\0]*+(?:(\d{1,9})[\s\0]++\d{1,5}[\s\0]++R\b|(?=<<))")
# Page opened, page visible, and of an annotation on it (tables 194, 195).
_PAGE_OPENED = re.compile(rb"/(?:O|PO|PV)[\s\0]*+(?:(\d{1,9})[\s\0]++\d{1,5}[\s\0]++R\b|(?=<<))")
_OBJECT = re.compile(rb"(?<!\d)(\d{1,9})[\s\0]++\d{1,5}[\s\0]++obj\b")
_ASKING = re.compile(rb"/S[\s\0]*+/(?:URI|SubmitForm|GoToR|ImportData)\b")
_BRACKETS = re.compile(rb"<<|>>")
_STRING = re.compile(rb"(?<!\\)\((?:[^()\\]|\\.)*+\)", re.DOTALL)
# A file on a share, which is told who the reader is.
_SHARE = re.compile(rb"/(?:GoToR|UF?|F)[\s\0]*+\((\\\\[^()]{1,300}+)\)")


def findings(pieces: Sequence[bytes]) -> Iterator[Finding]:
    """pieces: the document, and what its object streams hold, with names resolved."""
    if any(b"/OpenAction" in piece or b"/AA" in piece for piece in pieces):
        places = {int(match[1]): match.end() for match in _OBJECT.finditer(pieces[0])}
        if any(_asks(pieces[0], places, piece) for piece in pieces):
            yield "DOC_REMOTE", "PDF that asks others when it is opened"
    for piece in pieces:
        for path in islice(_SHARE.findall(piece), ACTIONS_LIMIT):
            unescaped = path.replace(b"\\\\", b"\\").decode("latin-1")
            yield from linked.loads("PDF", "\\\\" + unescaped.lstrip("\\"))


def _asks(document: bytes, places: Mapping[int, int], piece: bytes) -> bool:
    def named(around: bytes, at: int, number: bytes | None) -> bytes:
        """The dictionary behind a name, or the object of that number."""
        if number is None:
            return _dictionary(around, at)
        place = places.get(int(number))
        return _dictionary(document, place) if place is not None else b""

    for match in islice(_OPENING.finditer(piece), ACTIONS_LIMIT):
        dictionary = named(piece, match.end(), match[2])
        if match[1] == b"OpenAction":
            if _ASKING.search(dictionary):
                return True
            continue
        for opened in islice(_PAGE_OPENED.finditer(dictionary), ACTIONS_LIMIT):
            if _ASKING.search(named(dictionary, opened.end(), opened[1])):
                return True
    return False


def _dictionary(content: bytes, start: int) -> bytes:
    """The dictionary that begins there, without the texts in it."""
    text = _STRING.sub(b"()", content[start : start + DICTIONARY_SIZE])
    depth = 0
    for bracket in _BRACKETS.finditer(text):
        depth += 1 if bracket[0] == b"<<" else -1
        if depth <= 0:
            return text[: bracket.end()]
    return text
