"""File patterns of SpamAssassin's lists: `*` stands for any text, `?` for one character.

Source: Mail::SpamAssassin::Conf(3), welcomelist_from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

PATTERNS = 4096
"""Patterns that are kept compiled."""


@lru_cache(PATTERNS)
def _pieces(glob: bytes) -> tuple[re.Pattern[bytes], ...]:
    """What stands between the asterisks. Each piece has one length, so that looking for one after
    the other is linear."""
    return tuple(
        re.compile(re.escape(piece).replace(rb"\?", rb"[^\n]")) for piece in glob.split(b"*")
    )


class Globs:
    """Patterns, of which one must match the whole text for it to be `in` them. Only those are tried
    whose end, or beginning where they end with a wildcard, the text has."""

    def __init__(self, patterns: Iterable[bytes]) -> None:
        self._by_end: dict[bytes, list[bytes]] = {}
        self._by_beginning: dict[bytes, list[bytes]] = {}
        for one in patterns:
            end = one.rpartition(b"*")[2].rpartition(b"?")[2]
            if end:
                self._by_end.setdefault(end, []).append(one)
            else:
                beginning = one.partition(b"*")[0].partition(b"?")[0]
                self._by_beginning.setdefault(beginning, []).append(one)
        self._end_sizes = sorted(set(map(len, self._by_end)))
        self._beginning_sizes = sorted(set(map(len, self._by_beginning)))

    def __contains__(self, text: bytes) -> bool:
        return any(is_all(one, text) for one in self._possible(text))

    def _possible(self, text: bytes) -> Iterator[bytes]:
        for size in self._end_sizes:
            yield from self._by_end.get(text[-size:], ())
        for size in self._beginning_sizes:
            yield from self._by_beginning.get(text[:size], ())

    def __bool__(self) -> bool:
        return bool(self._by_end) or bool(self._by_beginning)


def is_in(glob: bytes, text: bytes) -> bool:
    """True if some part of the text matches."""
    return _find(_pieces(glob), text, 0) is not None


def is_all(glob: bytes, text: bytes) -> bool:
    """True if the whole text matches."""
    pieces = _pieces(glob)
    if len(pieces) == 1:
        return pieces[0].fullmatch(text) is not None
    first = pieces[0].match(text)
    size = glob.count(b"*") and len(glob.rpartition(b"*")[2])
    rest = len(text) - size
    if first is None or rest < first.end() or pieces[-1].fullmatch(text, rest) is None:
        return False
    return _find(pieces[1:-1], text[:rest], first.end()) is not None


def _find(pieces: tuple[re.Pattern[bytes], ...], text: bytes, position: int) -> int | None:
    for piece in pieces:
        found = piece.search(text, position)
        if found is None:
            return None
        position = found.end()
    return position
