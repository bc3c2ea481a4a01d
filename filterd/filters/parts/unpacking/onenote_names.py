"""The names of the files in a OneNote section: a property of the page that shows them.

Sources: MS-ONESTORE §2.6.6 to §2.6.9, PropertySet; MS-ONE §2.2.24, EmbeddedFileName.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

NAMES_LIMIT = 1000
"""Names of one section that are looked at."""

PROPERTIES_LIMIT = 40
"""Properties that stand before the name in its set; OneNote writes some ten."""

NAME_SIZE = 1024
"""Octets of a name; Windows has 255 characters of two."""

_NAME = struct.pack("<I", 0x1C001D9C)
_TYPE = 26  # bits before the type in a property's number
_VARIABLE = 7
_SIZES = {1: 0, 2: 0, 3: 1, 4: 2, 5: 4, 6: 8, 8: 0, 9: 4, 10: 0, 11: 4, 12: 0, 13: 4}
"""Octets of a value in the set, by type (MS-ONESTORE §2.6.6, rgPrids)."""


def names(content: bytes) -> Iterator[str]:
    """The names, in order."""
    position = 0
    for _ in range(NAMES_LIMIT):
        position = content.find(_NAME, position)
        if position < 0:
            return
        for before in range(PROPERTIES_LIMIT):
            start = position - 2 - 4 * before
            octets = _value(content, start, before) if start >= 0 else None
            if octets:
                yield octets.decode("utf-16-le", "replace").rstrip("\0")
                break
        position += len(_NAME)


def _value(content: bytes, start: int, place: int) -> bytes | None:
    """The value of the property at a place, if a set of properties begins at `start`."""
    try:
        (count,) = struct.unpack_from("<H", content, start)
        if not place < count <= 2 * PROPERTIES_LIMIT:
            return None
        numbers = struct.unpack_from(f"<{count}I", content, start + 2)
        position = start + 2 + 4 * count
        for number in numbers[:place]:
            kind = number >> _TYPE & 0x1F
            if kind == _VARIABLE:
                position += 4 + struct.unpack_from("<I", content, position)[0]
            elif kind in _SIZES:
                position += _SIZES[kind]
            else:
                return None
        (size,) = struct.unpack_from("<I", content, position)
    except struct.error:
        return None
    octets = content[position + 4 : position + 4 + size]
    return octets if 0 < size <= NAME_SIZE and size % 2 == 0 and len(octets) == size else None
