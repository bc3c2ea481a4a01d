"""The MIME tree: entities found in one pass over the message.

Parsing never raises and follows what mail readers do where RFC 2045 and RFC 2046 are broken. What
exceeds a limit is left undivided and recorded as an anomaly, so that it is never passed over in
silence. Source: RFC 2045, RFC 2046 §5.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from filterd.message.entity import USUAL, Entity, Quirks
from filterd.message.fields import Buffer

DEPTH_LIMIT = 64
"""Nesting of entities; real mail stays below 10, and readers recurse."""

PART_LIMIT = 2000
"""Entities of one message; a digest of a busy list has some hundreds."""

_COMPOUND = ("multipart/", "message/")


Anomaly = tuple[str, str]
"""Name of a symbol, and what was found."""


def parse_tree(data: Buffer, quirks: Quirks = USUAL) -> tuple[Entity, tuple[Anomaly, ...]]:
    """The root entity of a message, and which limits its structure exceeds."""
    anomalies: list[Anomaly] = []
    root = Entity(data, 0, len(data), None, quirks)
    if not quirks.any_boundary and not root.content_type.startswith(_COMPOUND):
        return root, ()
    pending, count = [(root, 0)], 1
    while pending:
        entity, depth = pending.pop()
        if depth >= DEPTH_LIMIT:
            if entity.content_type.startswith(_COMPOUND):
                anomalies.append(("MIME_TOO_DEEP", f"more than {DEPTH_LIMIT} levels"))
            continue
        for start, end in _spans(data, entity):
            if count >= PART_LIMIT:
                anomalies.append(("MIME_TOO_MANY_PARTS", f"more than {PART_LIMIT} parts"))
                return root, tuple(dict.fromkeys(anomalies))
            count += 1
            entity.children.append(Entity(data, start, end, entity, quirks))
        pending += [
            (child, depth + 1)
            for child in reversed(entity.children)
            if quirks.any_boundary or child.content_type.startswith(_COMPOUND)
        ]
    return root, tuple(dict.fromkeys(anomalies))


def _spans(data: Buffer, entity: Entity) -> Iterator[tuple[int, int]]:
    """Where the entities directly below this one begin and end."""
    if entity.content_type.startswith("multipart/") or (
        entity.quirks.any_boundary and entity.parameters.all_raw("boundary")
    ):
        boundary = _boundary(data, entity)
        if boundary is not None:
            yield from _parts(data, entity, b"--" + boundary)
    elif entity.content_type in ("message/rfc822", "message/global") and not entity.is_encoded:
        yield entity.body_start, entity.end


def _boundary(data: Buffer, entity: Entity) -> bytes | None:
    found = entity.boundaries
    chosen = found[min(entity.quirks.boundary, len(found) - 1)] if found else b""
    if not entity.quirks.any_boundary:
        return chosen or None
    if chosen and data.find(b"--" + chosen, entity.body_start, entity.end) >= 0:
        return chosen
    # None is declared, or it never occurs: take the first line that looks like a delimiter.
    position = entity.body_start
    while position < entity.end:
        line_end = data.find(b"\n", position, entity.end)
        line_end = entity.end if line_end < 0 else line_end + 1
        line = bytes(data[position : min(line_end, position + 100)])
        if line.startswith(b"--") and (line.strip() != b"--" or b"" in found):
            return line[2:].rstrip()
        position = line_end
    return None


def _parts(data: Buffer, entity: Entity, delimiter: bytes) -> Iterator[tuple[int, int]]:
    """The parts between delimiter lines (RFC 2046 §5.1.1); one without an end goes to the end."""
    start, end = entity.body_start, entity.end
    part_start = -1
    position = start
    while True:
        found = data.find(delimiter, position, end)
        if found < 0:
            if part_start >= 0:
                yield part_start, end
            return
        after = found + len(delimiter)
        if found > start and data[found - 1] != 0x0A:
            position = after
            continue
        line_end = data.find(b"\n", after, end)
        line_end = end if line_end < 0 else line_end + 1
        rest = bytes(data[after:line_end]).strip(b" \t\r\n")
        position = line_end
        if rest not in (b"", b"--"):
            entity.has_near_boundaries = True
            if not entity.quirks.loose_boundary:
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
            if part_start < 0 and entity.quirks.any_boundary:
                continue
            return
        part_start = line_end
