r"""Objects in Rich Text: the octets that `\objdata` has in hexadecimal digits or as they are.

Word reads on over line breaks, other groups and control words among the digits. Sources: Rich Text
Format 1.9.1, "Objects"; MS-OLEDS §2.2.4, §2.2.5.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from filterd.filters.parts.unpacking.kinds import HEAD_SIZE, kinds_of

OBJECTS_LIMIT = 1000
"""Objects of one file that are looked at."""

_BEGIN = re.compile(rb"\\objdata(?![A-Za-z])|\\objda[\r\n]++ta(?![A-Za-z])")
_TOKEN = re.compile(
    rb"\\bin(\d{1,9})[ ]?|\\[A-Za-z]++-?\d*+[ ]?|\\'..|\\[^A-Za-z]|(\{\\\*)|([{}])|([0-9A-Fa-f]++)"
    rb"|[^\\{}0-9A-Fa-f]++",
    re.DOTALL,
)
_EMBEDDED = 2


class RtfObject(NamedTuple):
    """octets: their number in four octets, and what the object's program wrote."""

    is_package: bool
    octets: bytes


def objects(content: bytes) -> Iterator[RtfObject]:
    """The embedded objects, in order."""
    position = 0
    for _ in range(OBJECTS_LIMIT):
        begin = _BEGIN.search(content, position)
        if begin is None:
            return
        octets, position = _data(content, begin.end())
        if octets:
            yield _object(octets)


def _data(content: bytes, position: int) -> tuple[bytes, int]:
    """The octets of one object, and where its group ends."""
    pieces: list[bytes] = []
    digits: list[bytes] = []
    depth, ignored = 0, -1  # the level of a group that Word passes over
    while position < len(content):
        token = _TOKEN.match(content, position)
        if token is None:
            break
        position = token.end()
        size, destination, brace, hexadecimal = token.groups()
        if destination or brace == b"{":
            depth += 1
            if destination and ignored < 0:
                ignored = depth
        elif brace:
            depth -= 1
            if depth < 0:
                break
            if depth < ignored:
                ignored = -1
        elif size:
            pieces += [_octets(digits), content[position : position + int(size)]]
            digits = []
            position += int(size)
        elif hexadecimal and ignored < 0:
            digits.append(hexadecimal)
    pieces.append(_octets(digits))
    return b"".join(pieces), position


def _octets(digits: list[bytes]) -> bytes:
    joined = b"".join(digits)
    return bytes.fromhex(joined[: len(joined) // 2 * 2].decode())


def _object(octets: bytes) -> RtfObject:
    """What stands behind the header: version, format, and three texts with their lengths."""
    if kinds_of(octets[:HEAD_SIZE]):
        return RtfObject(False, bytes(4) + octets)  # it has no header
    position, name = 8, b""
    try:
        for number in range(3):
            (length,) = struct.unpack_from("<I", octets, position)
            position += 4
            if number == 0:
                name = octets[position : position + length].rstrip(b"\0")
            position += length
        (size,) = struct.unpack_from("<I", octets, position)
    except struct.error:
        # Another header, or none: whatever it is begins near the top.
        return RtfObject(False, bytes(4) + octets)
    is_package = name.lower() == b"package"
    return RtfObject(is_package, octets[position : position + 4 + size])
