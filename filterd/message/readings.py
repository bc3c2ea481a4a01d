"""Other readings of a message: where two sane readers would see different things.

The usual way of reading is one tree. Cheap checks tell where a message departs from the standards
in a way that readers treat differently; only then it is read the other way as well, and only if the
types, encodings or file names come out differently is the message ambiguous. So the checks may be
generous, and honest mail with harmless faults stays unambiguous.

Source: J. Müller et al. on MIME parser confusion; RFC 2045, RFC 2046; the tricks that the test
suites of ClamAV and MIME::tools keep.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from filterd.message import cms
from filterd.message.entity import Entity, Quirks
from filterd.message.fields import Buffer, HeaderField
from filterd.message.inline_files import MARKS, inline_files
from filterd.message.tree import Anomaly, parse_tree

READINGS_LIMIT = 12
"""Other readings of one message that are kept; each filter looks at all of them."""

CANDIDATES_LIMIT = 200
"""Readings of one message that are tried; each costs a parse. Honest mail has a few files in
uuencode, or none."""

REPEATS_LIMIT = 6
"""Fields of one name, or boundaries of one field, of which each is tried; each costs a parse."""

NESTING_LIMIT = 8
"""Encoded messages inside encoded messages that are opened."""

COPY_LIMIT = 64 << 20
"""Octets: larger messages are not copied to be read another way; the check for that says so."""

_CHUNK = 1 << 20

_STRUCTURAL_LINE = re.compile(rb"(?im)^content-(?:type|transfer-encoding|disposition)[ \t]*:")
_BARE_CR = re.compile(rb"\r(?!\n)")
_LF_CR = re.compile(rb"(?<!\r)\n\r(?!\n)")
_OPAQUE_TYPES = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_CODED = (".uu", ".uue", ".b64", ".yenc", ".ync", ".hqx")
"""Names of files that hold others in the codings from before MIME, and say so."""

_EMPTY_LINE = len(b"\r\n")


@dataclass(frozen=True, slots=True)
class Reading:
    """One other way to read the message. reason: why readers may differ, `""` where they do not and
    only a wrapping (an encoded message, say) was opened. octets: what the offsets of `root` count
    in, None for the message itself. anomalies: limits that this tree exceeds."""

    reason: str
    root: Entity
    octets: bytes | None = None
    anomalies: tuple[Anomaly, ...] = ()


Signature = tuple[tuple[str, str, tuple[str, ...], int], ...]


def other_readings(data: Buffer, root: Entity) -> tuple[tuple[Reading, ...], bool]:
    """All readings but the usual one that differ from it and from each other, and True if there
    are more than the limits allow to look at."""
    seen: set[tuple[object, ...]] = set()
    found: list[Reading] = []
    exceeds = False
    for entity in root.walk():
        if entity.repeats > REPEATS_LIMIT or len(entity.boundaries) > REPEATS_LIMIT:
            exceeds = True
    for count, reading in enumerate(_candidates(data, root), start=1):
        if count > CANDIDATES_LIMIT:
            return tuple(found), True
        if not seen:
            # Most messages have no other reading that it would be compared with.
            seen.add((signature(root),))
        # Of the message's own octets the structure tells; of decoded ones only they themselves.
        key: tuple[object, ...] = (signature(reading.root),)
        if reading.octets is not None:
            key += (reading.octets,)
        if key not in seen:
            if len(found) >= READINGS_LIMIT:
                return tuple(found), True
            seen.add(key)
            found.append(reading)
    return tuple(found), exceeds


def signature(root: Entity) -> Signature:
    """What matters of a tree: type, encoding, file names and size of each leaf."""
    return tuple(
        (leaf.content_type, leaf.transfer_encoding, leaf.filenames, leaf.end - leaf.body_start)
        for leaf in root.walk()
        if leaf.is_leaf
    )


def _shape(root: Entity) -> list[tuple[str, str, tuple[str, ...]]]:
    return [leaf[:3] for leaf in signature(root)]


def _candidates(data: Buffer, root: Entity, depth: int = 0) -> Iterator[Reading]:
    entities = list(root.walk())
    yield from _other_octets(data, root)
    yield from _other_rules(data, entities)
    for entity in entities:
        yield from _wrapped(entity, depth)
        yield from _hidden(data, entity)
        if entity.is_leaf:
            yield from _other_decodings(entity)
            yield from _inline(entity)


def _other_octets(data: Buffer, root: Entity) -> Iterator[Reading]:
    """Bare CR as a line end, NUL as nothing; only where that changes what parts there are."""
    if len(data) > COPY_LIMIT:
        return
    if _has_bare_cr(data):
        other = _read_other("bare CR, a line end to some", _BARE_CR.sub(b"\n", bytes(data[:])))
        if _shape(other.root) != _shape(root):
            yield other
        other = _read_other("LF CR, a line end to some", _LF_CR.sub(b"\n", bytes(data[:])))
        if _shape(other.root) != _shape(root):
            yield other
    if root.body_start <= _EMPTY_LINE and bytes(data[:_EMPTY_LINE]).startswith((b"\r\n", b"\n")):
        other = _read_other("an empty line before the header", bytes(data[:]).lstrip(b"\r\n"))
        if _shape(other.root) != _shape(root):
            yield other
    if data.find(b"\0") >= 0:
        other = _read_other("NUL in a header or boundary", bytes(data[:]).replace(b"\0", b""))
        if _shape(other.root) != _shape(root):
            yield other


def _has_bare_cr(data: Buffer) -> bool:
    if data.find(b"\r") < 0:
        return False
    for start in range(0, len(data), _CHUNK):
        # One octet more: a CR at the chunk's end belongs to the LF behind it.
        chunk = bytes(data[start : start + _CHUNK + 1])
        ends_in_cr = len(chunk) > _CHUNK and chunk.endswith(b"\r")
        if chunk.count(b"\r") - ends_in_cr != chunk.count(b"\r\n"):
            return True
    return False


def _other_rules(data: Buffer, entities: list[Entity]) -> Iterator[Reading]:
    repeats = boundaries = 0
    is_cut = is_near = False
    compound: list[Entity] = []
    for entity in entities:
        repeats = max(repeats, entity.repeats)
        is_cut |= entity.header_is_cut
        is_near |= entity.has_near_boundaries
        if entity.parameters.pairs and entity.parameters.all_raw("boundary"):
            compound.append(entity)
            boundaries = max(boundaries, len(entity.boundaries))
    for index in range(1, min(repeats, REPEATS_LIMIT)):
        yield _read(data, Quirks(field=index), "contradictory header fields")
    if is_cut:
        reading = _read(data, Quirks(skip_bad_lines=True), "a header with a line that is no field")
        # The body begins elsewhere then, which alone hides nothing.
        if _shape(reading.root) != _shape(entities[0]):
            yield reading
    for index in range(1, min(boundaries, REPEATS_LIMIT)):
        yield _read(data, Quirks(boundary=index), "contradictory boundaries")
    if is_near and _has_loose_line(data, compound):
        yield _read(data, Quirks(loose_boundary=True), "a line that only begins with a boundary")
    if any(
        entity.is_leaf
        and not entity.is_encoded
        and (entity.content_type.startswith("multipart/") or entity in compound)
        and data.find(b"\n--", max(entity.body_start - 1, 0), entity.end) >= 0
        for entity in entities
    ):
        yield _read(data, Quirks(any_boundary=True), "a multipart whose boundary is not said")


def _read(data: Buffer, quirks: Quirks, reason: str) -> Reading:
    root, anomalies = parse_tree(data, quirks)
    return Reading(reason, root, None, anomalies)


def _read_other(reason: str, octets: bytes) -> Reading:
    root, anomalies = parse_tree(octets)
    return Reading(reason, root, octets, anomalies)


def _has_loose_line(data: Buffer, compound: list[Entity]) -> bool:
    """A line that begins with one boundary and is not wholly another one's."""
    known = {boundary for entity in compound for boundary in entity.boundaries if boundary}
    lines = {b"--" + b for b in known} | {b"--" + b + b"--" for b in known}
    for entity in compound:
        for boundary in entity.boundaries:
            delimiter, position = b"--" + boundary, entity.body_start
            while (found := data.find(delimiter, position, entity.end)) >= 0:
                line_end = data.find(b"\n", found, entity.end)
                position = entity.end if line_end < 0 else line_end + 1
                at_start = found == entity.body_start or data[found - 1] == 0x0A
                if at_start and bytes(data[found:position]).rstrip() not in lines:
                    return True
    return False


def _wrapped(entity: Entity, depth: int) -> Iterator[Reading]:
    """A message or multipart that is transfer-encoded as a whole (RFC 2045 §6.4 forbids it), or
    signed so that the signature holds it (RFC 8551 §3.5.2)."""
    if not entity.is_leaf:
        return
    is_message = True
    if _is_opaque(entity):
        unfolded = cms.content(entity.content)
        if unfolded is None or not unfolded.octets:
            return
        data, reason = unfolded.octets, ""
        if not unfolded.is_whole:
            text = f"an S/MIME message unfolds to more than {cms.SIZE_LIMIT >> 20} MiB"
            yield Reading("", Entity(b"", 0, 0, None), b"", (("MIME_TOO_MANY_READINGS", text),))
            return
    elif not entity.is_encoded:
        return
    elif entity.content_type in ("message/rfc822", "message/global"):
        data, reason = entity.content, ""
    elif entity.content_type.startswith("multipart/"):
        head = b"".join(f.name.encode() + b":" + f.raw_value + b"\r\n" for f in _types(entity))
        data, reason = head + b"\r\n" + entity.content, "a multipart that is encoded as a whole"
        is_message = False
    else:
        return
    if depth >= NESTING_LIMIT:
        yield Reading(
            "",
            Entity(b"", 0, 0, None),
            b"",
            (("MIME_TOO_DEEP", f"more than {NESTING_LIMIT} encoded messages in each other"),),
        )
        return
    reading = _read_other(reason, data)
    if is_message or reading.root.children:
        yield reading
        yield from _candidates(data, reading.root, depth + 1)


def _is_opaque(entity: Entity) -> bool:
    return entity.content_type in _OPAQUE_TYPES or _has_extension(entity, (".p7m", ".p7z"))


def _has_extension(entity: Entity, extensions: tuple[str, ...]) -> bool:
    return any(name.lower().endswith(extensions) for name in entity.filenames)


def _types(entity: Entity) -> Iterator[HeaderField]:
    return (field for field in entity.header_fields if field.name.lower() == "content-type")


def _hidden(data: Buffer, entity: Entity) -> Iterator[Reading]:
    """A part before the first or behind the last boundary, which few readers show."""
    if not entity.children or not entity.content_type.startswith("multipart/"):
        return
    gaps = entity.gaps
    for name, (start, end) in (("preamble", gaps[0]), ("epilogue", gaps[-1])):
        octets = bytes(data[start:end])
        if name == "preamble":
            octets = octets[: octets.rstrip().rfind(b"\n") + 1]  # less the delimiter
        match = _STRUCTURAL_LINE.search(octets)
        if match:
            yield _read_other(f"a part hidden in the {name}", octets[match.start() :])


def _other_decodings(entity: Entity) -> Iterator[Reading]:
    for content in entity.other_contents:
        yield _file(
            f"broken or unknown transfer encoding {entity.transfer_encoding[:40]!r}",
            entity.filenames[:1],
            content,
        )


def _inline(entity: Entity) -> Iterator[Reading]:
    """Files that stand encoded in a text, or in a part that is not encoded itself."""
    if entity.end - entity.body_start > COPY_LIMIT:
        return
    # A file that is named as what it is hides nothing.
    is_said = _has_extension(entity, _CODED)
    if entity.is_encoded:
        is_text = entity.content_type.startswith("text/") or _has_extension(entity, (".txt",))
        if not (is_said or is_text) or entity.is_uuencoded:
            return
        text = entity.content
    else:
        start, end = entity.body_start, entity.end
        if not any(entity.octets.find(mark, start, end) >= 0 for mark in MARKS):
            return
        text = entity.body
    for found in inline_files(text):
        reason = "" if is_said else f"a file in {found.coding} within a text"
        yield _file(reason, (found.name,), found.content)


def _file(reason: str, names: tuple[str, ...], content: bytes) -> Reading:
    """A message that is nothing but a file that was found by guessing."""
    header = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n"
    for name in names:
        plain = name.encode("utf-8", "replace").translate(None, b'\r\n"\\')
        header += b'Content-Disposition: attachment; filename="' + plain + b'"\r\n'
    return _read_other(reason, header + b"\r\n" + content)
