"""On which line of a TOML file a key stands, for error messages that point at it.

The standard parser gives values without positions. This reads only headings and keys, of a file
that `tomllib` has already accepted; where a value was written in an unusual way (an inline table,
say) the answer is the nearest enclosing line that it knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Key = tuple[str | int, ...]

_HEADING = re.compile(r"^\s*+(\[\[?)([^\]]++)\]\]?\s*+(?:#.*)?$")
_ASSIGNMENT = re.compile(
    r"^\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*="
)
_WORD = re.compile(r"[\w-]+|\"[^\"]*\"|'[^']*'")


class Lines:
    """The line numbers of one file's keys, from 1."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Key, int] = dict(_scan(text))

    def __contains__(self, key: Key) -> bool:
        return key in self._lines

    def find(self, key: Key) -> int:
        """The line of the key, else that of its nearest enclosing table, else 1."""
        while key:
            if key in self._lines:
                return self._lines[key]
            key = key[:-1]
        return 1


def _words(text: str) -> list[str]:
    return [word.strip("\"'") for word in _WORD.findall(text)]


def _scan(text: str) -> Iterator[tuple[Key, int]]:
    prefix: Key = ()
    counts: dict[Key, int] = {}
    closing = ""
    for number, line in enumerate(text.splitlines(), 1):
        if closing:
            if closing in line:
                closing = ""
            continue
        if heading := _HEADING.match(line):
            prefix = tuple(_words(heading[2]))
            if heading[1] == "[[":
                counts[prefix] = counts.get(prefix, -1) + 1
                prefix = (*prefix, counts[prefix])
            yield prefix, number
        elif assignment := _ASSIGNMENT.match(line):
            yield (*prefix, *_words(assignment[1])), number
            closing = _left_open(line[assignment.end() :])


def _left_open(value: str) -> str:
    """The delimiter of a multi-line string that begins in this value and does not end in it."""
    for delimiter in ('"""', "'''"):
        if value.count(delimiter) % 2:
            return delimiter
    return ""
