"""TNEF, the `winmail.dat` of Outlook: the files in it, with their names.

A stream of attributes, each with level, identifier, length, data and checksum; an attachment begins
with its rendering data. Source: MS-OXTNEF §2.1.3; for properties MS-OXCDATA §2.11.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

SIGNATURE = 0x223E9F78
_SIGNATURE_OCTETS = SIGNATURE.to_bytes(4, "little")
ATTACHMENT_LIMIT = 1000
"""Attachments of one file that are listed."""

_ATTRIBUTE = struct.Struct("<BII")
_RENDER_DATA, _TITLE, _DATA, _PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
_OF_ATTACHMENTS = frozenset({_RENDER_DATA, _TITLE, _DATA, _PROPERTIES})


_LONG_FILENAME, _FILENAME, _DATA_OBJECT, _DISPLAY_NAME = 0x3707, 0x3704, 0x3701, 0x3001
_EXTENSION = 0x3703
_MEDIA_TYPE = 0x370E
_OBJECT, _STRING8, _UNICODE, _BINARY = 0x000D, 0x001E, 0x001F, 0x0102
_FIXED_SIZE = {
    0x0002: 4,
    0x0003: 4,
    0x0004: 4,
    0x000A: 4,
    0x000B: 4,
    0x0005: 8,
    0x0006: 8,
    0x0007: 8,
    0x0014: 8,
    0x0040: 8,
    0x0048: 16,
}
"""Octets of a property's value by type; two-octet ones are padded to four (MS-OXTNEF §2.1.3.4)."""

_MULTIPLE = 0x1000


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file. names: all that it has, long ones first; content: its octets; media_type: as
    declared, in lower case."""

    names: tuple[str, ...]
    content: bytes
    media_type: str = ""


@dataclass(slots=True)
class _Collected:
    """What the attributes of one attachment say. contents: there may be two, the octets of the
    attachment (of a forwarded message only a text for readers that know no better) and an object
    (that message, in a TNEF stream of its own)."""

    names: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    media_type: str = ""

    def attachments(self) -> Iterator[Attachment]:
        names = tuple(dict.fromkeys(filter(None, self.names)))
        for content in dict.fromkeys(self.contents) or [b""]:
            yield Attachment(names, content, self.media_type)


class TnefError(ValueError):
    """The stream breaks off or contradicts itself; what stands before that was yielded."""


def attachments(data: bytes) -> Iterator[Attachment]:
    """The files in a TNEF stream, the last as far as it goes.

    Raises TnefError at the octet from which it is not TNEF.
    """
    found, count = _Collected(), 0
    started = False
    broken: TnefError | None = None
    attributes = _attachment_attributes(data)
    while True:
        try:
            identifier, value = next(attributes)
        except StopIteration:
            break
        except TnefError as error:
            broken = error
            break
        if identifier == _RENDER_DATA and started:
            yield from found.attachments()
            count += 1
            if count >= ATTACHMENT_LIMIT:
                raise TnefError(f"more than {ATTACHMENT_LIMIT} attachments")
            found = _Collected()
        started = True
        if identifier == _TITLE:
            found.names.append(_text(value))
        elif identifier == _DATA:
            found.contents.append(value)
        elif identifier == _PROPERTIES:
            _add_properties(found, value)
    if started:
        yield from found.attachments()
    if broken is not None:
        raise broken


def _attachment_attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Identifier and value of the attributes that belong to attachments."""
    if len(data) < 6 or struct.unpack_from("<I", data)[0] != SIGNATURE:
        raise TnefError("no TNEF signature")
    position = 6
    while position + _ATTRIBUTE.size <= len(data):
        level, identifier, length = _ATTRIBUTE.unpack_from(data, position)
        if level not in (1, 2):
            # Trailing octets are common; Outlook ignores them.
            return
        begin = position + _ATTRIBUTE.size
        end = begin + length
        # Some readers go by the identifier alone, and take what there is of the last one.
        if identifier in _OF_ATTACHMENTS:
            yield identifier, data[begin:end]
        if end + 2 > len(data):
            raise TnefError("an attribute is longer than the file")
        position = end + 2


def _add_properties(found: _Collected, value: bytes) -> None:
    """The names in an attachment's properties, and embedded objects."""
    for tag, content in _properties(value):
        if isinstance(content, bytes):
            if tag == _DATA_OBJECT:
                found.contents.append(content)
        elif tag in (_LONG_FILENAME, _FILENAME, _DISPLAY_NAME, _EXTENSION):
            found.names.insert(0, content)
        elif tag == _MEDIA_TYPE:
            found.media_type = content.strip().lower()


def _text(value: bytes) -> str:
    return value.split(b"\0", 1)[0].decode("cp1252", "replace")


def _properties(data: bytes) -> Iterator[tuple[int, str | bytes]]:
    """Identifier and value of properties that are text or octets; ends at anything but a list."""
    try:
        (count,) = struct.unpack_from("<I", data)
        position = 4
        for _ in range(min(count, 10_000)):
            kind, tag = struct.unpack_from("<HH", data, position)
            position += 4
            if tag >= 0x8000:
                position = _after_name(data, position)
            multiple, kind = bool(kind & _MULTIPLE), kind & ~_MULTIPLE
            size = _FIXED_SIZE.get(kind)
            values = 1
            if multiple or size is None:
                (values,) = struct.unpack_from("<I", data, position)
                position += 4
            for _ in range(min(values, 10_000)):
                if size is not None:
                    position += size
                    continue
                if kind not in (_OBJECT, _STRING8, _UNICODE, _BINARY):
                    return
                (length,) = struct.unpack_from("<I", data, position)
                value = data[position + 4 : position + 4 + length]
                position += 4 + (length + 3) // 4 * 4
                yield tag, _value(kind, value)
    except struct.error:
        return


def _after_name(data: bytes, position: int) -> int:
    """Behind the name of a named property: GUID, kind, and a number or a text."""
    (kind,) = struct.unpack_from("<I", data, position + 16)
    if kind == 0:
        return position + 24
    (length,) = struct.unpack_from("<I", data, position + 20)
    return position + 24 + (int(length) + 3) // 4 * 4


def _value(kind: int, value: bytes) -> str | bytes:
    if kind == _UNICODE:
        return value.decode("utf-16-le", "replace").split("\0", 1)[0]
    if kind == _STRING8:
        return _text(value)
    if kind != _OBJECT or value.startswith(_SIGNATURE_OCTETS):
        return value
    # An object has its interface's identifier first.
    return value[16:]
