"""The text parts decoded but not rendered, in chunks, as `rawbody` rules see them.

Source: Mail::SpamAssassin::Conf(3), rawbody and rawbody_part_scan_size; the results of
SpamAssassin 4.0.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from filterd.rules.view.parts import MessagePart

CHUNK = 2048
"""Octets that a chunk has at least; at most twice as many."""

PART_SIZE = 500_000
"""Octets of a part that are looked at."""

NEAR = 1024
"""Octets beyond a limit within which a better place to cut is taken."""

_TEXTUAL = re.compile(r"(?:text|message)\b")


def rawbody(message: MessagePart, size: int = PART_SIZE) -> tuple[bytes, ...]:
    """The chunks of all text parts, in the order of the message. size: octets of a part that are
    looked at; 0 for all."""
    chunks: list[bytes] = []
    for part in message.leaves():
        if part.type != "text/calendar" and _TEXTUAL.match(part.effective_type):
            chunks.extend(chunks_of(cut(part.content, size, b"\n> ")))
    return tuple(chunks)


def cut(text: bytes, size: int, places: bytes) -> bytes:
    """The first `size` octets, up to the next of `places` where one is near; the first of them is
    the best one."""
    if not size or len(text) <= size:
        return text
    for place in places:
        found = text.find(place, size, size + NEAR + 1)
        if found >= 0:
            return text[: found + 1]
    return text[:size]


def chunks_of(text: bytes) -> Iterator[bytes]:
    """Pieces of CHUNK to twice as many octets, cut behind a line, a tag or a word if possible."""
    return map(text.__getitem__, _cuts(text, len(text), (b"\n", b">", b" ")))


def pieces_of(text: str) -> Iterator[str]:
    """The same for characters."""
    return map(text.__getitem__, _cuts(text, len(text), ("\n", ">", " ")))


def _cuts(text: bytes | str, size: int, places: tuple[bytes | str, ...]) -> Iterator[slice]:
    start = 0
    while size - start > 2 * CHUNK:
        limit = start + 2 * CHUNK
        for place in places:
            found = text.find(place, start + CHUNK, limit)  # type: ignore[arg-type]
            if found >= 0:
                break
        else:
            found = start + CHUNK
        yield slice(start, found + 1)
        start = found + 1
    if start < size or not size:
        yield slice(start, size)
