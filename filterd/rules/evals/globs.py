"""File patterns of SpamAssassin's lists: `*` stands for any text, `?` for one character.

Source: Mail::SpamAssassin::Conf(3), welcomelist_from.
"""

from __future__ import annotations

import re
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
