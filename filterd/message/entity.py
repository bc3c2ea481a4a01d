"""The MIME tree: entities with their octet offsets, found in one pass over the message.

An entity knows where its header, its body and its end are; everything decoded is computed when it
is asked for. Parsing never raises and follows what mail readers do where RFC 2045 and RFC 2046 are
broken. What exceeds a limit is left undivided and recorded as an anomaly, so that it is never
passed over in silence. Source: RFC 2045, RFC 2046 §5.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from filterd.message.decoding import decode_charset, decode_transfer
from filterd.message.fields import HeaderField, parse_header
from filterd.message.parameters import Parameters, parse_value

DEPTH_LIMIT = 64
"""Nesting of entities; real mail stays below 10, and readers recurse."""

PART_LIMIT = 2000
"""Entities of one message; a digest of a busy list has some hundreds."""

ENCODED = frozenset({"base64", "quoted-printable", "x-uuencode", "uuencode", "x-uue"})

Anomaly = tuple[str, str]
"""Name of a symbol, and what was found."""


class Entity:
    """One entity: the message itself, or a part of it.

    start: first octet of its header. body_start: first of its body. end: behind the last of its
    body, the line end before the next boundary not counted. All count from the message's beginning.
    children: parts of a multipart, or the message inside a message/rfc822.
    """

    content_type: str
    parameters: Parameters

    def __init__(self, data: bytes, start: int, end: int, parent: Entity | None) -> None:
        self._data = data
        self.start = start
        self.end = end
        self.parent = parent
        self.children: list[Entity] = []
        fields, self.body_start = parse_header(data, start, end)
        self.header_fields: tuple[HeaderField, ...] = tuple(fields)
        default = "text/plain"
        if parent is not None and parent.content_type == "multipart/digest":
            default = "message/rfc822"
        raw = self._raw("content-type")
        self.content_type, self.parameters = parse_value(raw)
        if "/" not in self.content_type:
            self.content_type = default

    def _raw(self, name: str) -> bytes:
        for field in self.header_fields:
            if field.name.lower() == name:
                return field.raw_value
        return b""

    def walk(self) -> Iterator[Entity]:
        """This entity and all below it, in the order of the message."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def is_leaf(self) -> bool:
        """True if the entity has a body of its own and no parts."""
        return not self.children

    @cached_property
    def _disposition(self) -> tuple[str, Parameters]:
        return parse_value(self._raw("content-disposition"))

    @property
    def disposition(self) -> str:
        """`attachment`, `inline`, ... in lower case, `""` if the entity does not say."""
        return self._disposition[0]

    @cached_property
    def transfer_encoding(self) -> str:
        """Content-Transfer-Encoding in lower case, `7bit` if there is none."""
        return parse_value(self._raw("content-transfer-encoding"))[0] or "7bit"

    @property
    def is_encoded(self) -> bool:
        """True if the octets of the body are not those of the content."""
        return self.transfer_encoding in ENCODED

    @cached_property
    def filenames(self) -> tuple[str, ...]:
        """All names that a reader might use, decoded: `filename` first, then `name`."""
        names = [*self._disposition[1].texts("filename"), *self.parameters.texts("name")]
        return tuple(dict.fromkeys(name for name in names if name))

    @property
    def body(self) -> bytes:
        """The body as it stands in the message."""
        return bytes(self._data[self.body_start : self.end])

    @cached_property
    def content(self) -> bytes:
        """The body decoded from its transfer encoding; of broken encodings as much as there is."""
        return decode_transfer(self.body, self.transfer_encoding)

    @cached_property
    def text(self) -> str:
        """The content decoded from its charset; octets that it does not know become U+FFFD."""
        charset = next(iter(self.parameters.texts("charset")), "")
        return decode_charset(self.content, charset)


def parse_tree(data: bytes) -> tuple[Entity, tuple[Anomaly, ...]]:
    """The root entity of a message, and what was odd about the structure."""
    anomalies: list[Anomaly] = []
    root = Entity(data, 0, len(data), None)
    pending, count = [(root, 0)], 1
    while pending:
        entity, depth = pending.pop()
        if depth >= DEPTH_LIMIT:
            if _is_compound(entity):
                anomalies.append(("MIME_TOO_DEEP", f"more than {DEPTH_LIMIT} levels"))
            continue
        for start, end in _spans(data, entity):
            if count >= PART_LIMIT:
                anomalies.append(("MIME_TOO_MANY_PARTS", f"more than {PART_LIMIT} parts"))
                return root, tuple(dict.fromkeys(anomalies))
            count += 1
            entity.children.append(Entity(data, start, end, entity))
        pending += [(child, depth + 1) for child in reversed(entity.children)]
    return root, tuple(dict.fromkeys(anomalies))


def _is_compound(entity: Entity) -> bool:
    return entity.content_type.startswith(("multipart/", "message/"))


def _spans(data: bytes, entity: Entity) -> Iterator[tuple[int, int]]:
    """Where the entities directly below this one begin and end."""
    if entity.content_type.startswith("multipart/"):
        boundary = entity.parameters.raw("boundary").rstrip()
        if boundary:
            yield from _parts(data, entity.body_start, entity.end, b"--" + boundary)
    elif entity.content_type in ("message/rfc822", "message/global") and not entity.is_encoded:
        yield entity.body_start, entity.end


def _parts(data: bytes, start: int, end: int, delimiter: bytes) -> Iterator[tuple[int, int]]:
    """The parts between delimiter lines (RFC 2046 §5.1.1); one without an end goes to the end."""
    part_start = -1
    position = start
    while True:
        found = data.find(delimiter, position, end)
        if found < 0:
            if part_start >= 0:
                yield part_start, end
            return
        after = found + len(delimiter)
        line_end = data.find(b"\n", after, end)
        line_end = end if line_end < 0 else line_end + 1
        rest = bytes(data[after:line_end]).strip()
        position = line_end
        if (found > start and data[found - 1] != 0x0A) or rest not in (b"", b"--"):
            position = after
            continue
        if part_start >= 0:
            # The line end before a delimiter belongs to the delimiter.
            part_end = found
            if part_end > part_start:
                part_end -= 1
                if part_end > part_start and data[part_end - 1] == 0x0D:
                    part_end -= 1
            yield part_start, part_end
        if rest == b"--":
            return
        part_start = line_end
