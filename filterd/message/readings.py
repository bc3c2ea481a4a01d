"""Other readings of a message: where two sane readers would see different things.

The usual way of reading is one tree. Cheap checks tell where a message departs from the standards
in a way that readers treat differently; only then it is read the other way as well, and only if the
types, encodings or file names come out differently is the message ambiguous. So the checks may be
generous, and honest mail with harmless faults stays unambiguous.

Two departures together may show a part that neither shows alone, and there are too many pairs to
read each. A message that departs from the standards at all is therefore looked through for files
without any reader's rules (`filterd.message.hidden`), and each that no tree has is a reading, too.

Source: J. Müller et al. on MIME parser confusion; RFC 2045, RFC 2046; the tricks that the test
suites of ClamAV and MIME::tools keep.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from filterd.message import coded
from filterd.message.entity import Entity, Quirks
from filterd.message.fields import Buffer
from filterd.message.hidden import may_hold_files
from filterd.message.hidden_readings import hidden_readings
from filterd.message.reading import Reading, by_rules, of_octets

READINGS_LIMIT = 12
"""Other readings of one message that are kept; each filter looks at all of them."""

CANDIDATES_LIMIT = 200
"""Readings of one message that are tried; each costs a parse. Honest mail has a few files in
uuencode, or none."""

REPEATS_LIMIT = 6
"""Fields of one name, or boundaries of one field, of which each is tried; each costs a parse."""

COPY_LIMIT = 64 << 20
"""Octets: larger messages are not copied to be read another way; the check for that says so."""

_CHUNK = 1 << 20

_STRUCTURAL_LINE = re.compile(rb"(?im)^content-(?:type|transfer-encoding|disposition)[ \t]*:")
_BARE_CR = re.compile(rb"\r(?!\n)")
_LF_CR = re.compile(rb"(?<!\r)\n\r(?!\n)")
_TOP_LINE_ENDS = (b"\r\n", b"\n")

_EMPTY_LINE = len(b"\r\n")

Signature = tuple[tuple[str, str, tuple[str, ...], int], ...]


def other_readings(data: Buffer, root: Entity) -> tuple[tuple[Reading, ...], bool]:
    """All readings but the usual one that differ from it and from each other, and True if there
    are more than the limits allow to look at."""
    search = _Candidates()
    seen: set[tuple[object, ...]] = set()
    found: list[Reading] = []
    for count, reading in enumerate(search.of(data, root), start=1):
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
    if not search.is_irregular and not any(reading.reason for reading in found):
        return tuple(found), False
    hidden, is_cut = hidden_readings(data, root, found)
    return (*found, *hidden), search.exceeds or is_cut


def signature(root: Entity) -> Signature:
    """What matters of a tree: type, encoding, file names and size of each leaf."""
    return tuple(
        (leaf.content_type, leaf.transfer_encoding, leaf.filenames, leaf.end - leaf.body_start)
        for leaf in root.walk()
        if leaf.is_leaf
    )


def _shape(root: Entity) -> list[tuple[str, str, tuple[str, ...]]]:
    return [leaf[:3] for leaf in signature(root)]


class _Candidates:
    """Readings of a message that may differ from the usual one. is_irregular: something in it
    leaves readers a choice, whether or not that changes a part. exceeds: more is repeated than is
    tried."""

    def __init__(self) -> None:
        self.is_irregular = False
        self.exceeds = False

    def of(self, data: Buffer, root: Entity, depth: int = 0) -> Iterator[Reading]:
        """depth: encoded messages around this one."""
        entities = list(root.walk())
        for rewrite in _rewritings(data, root):
            self.is_irregular = True
            other = rewrite()
            # Only where it changes what parts there are.
            if other is not None and _shape(other.root) != _shape(root):
                yield other
        if not all(entity.is_strict for entity in entities):
            self.is_irregular = True
            yield from self._other_rules(data, entities)
        for entity in entities:
            if entity.children:
                if entity.content_type.startswith("multipart/"):
                    yield from self._outside(data, entity)
                continue
            inner = coded.wrapped(entity, depth)
            if inner is not None:
                yield inner
                if inner.octets:
                    yield from self.of(inner.octets, inner.root, depth + 1)
            if entity.transfer_encoding != "7bit":
                yield from coded.other_decodings(entity)
            yield from coded.inline(entity)

    def _other_rules(self, data: Buffer, entities: Sequence[Entity]) -> Iterator[Reading]:
        repeats = max(entity.repeats for entity in entities)
        compound = [entity for entity in entities if entity.boundaries]
        boundaries = max([len(entity.boundaries) for entity in compound], default=0)
        self.exceeds |= repeats > REPEATS_LIMIT or boundaries > REPEATS_LIMIT
        for index in range(1, min(repeats, REPEATS_LIMIT)):
            yield by_rules(data, Quirks(field=index), "contradictory header fields")
        if any(entity.header_is_cut for entity in entities):
            reason = "a header with a line that is not a field"
            reading = by_rules(data, Quirks(skip_bad_lines=True), reason)
            # The body begins elsewhere then, which alone hides nothing.
            if _shape(reading.root) != _shape(entities[0]):
                yield reading
        for index in range(1, min(boundaries, REPEATS_LIMIT)):
            yield by_rules(data, Quirks(boundary=index), "contradictory boundaries")
        if any(e.has_near_boundaries for e in entities) and _has_loose_line(data, compound):
            reason = "a line that only begins with a boundary"
            yield by_rules(data, Quirks(loose_boundary=True), reason)
        if any(_is_undivided(data, entity) for entity in entities):
            reason = "a multipart without a declared boundary"
            yield by_rules(data, Quirks(any_boundary=True), reason)

    def _outside(self, data: Buffer, entity: Entity) -> Iterator[Reading]:
        """A part before the first or behind the last boundary, which few readers show."""
        children = entity.children
        for name, start, end in (
            ("preamble", entity.body_start, children[0].start),
            ("epilogue", children[-1].end, entity.end),
        ):
            octets = bytes(data[start:end])
            if not may_hold_files(octets):
                continue
            self.is_irregular = True
            if name == "preamble":
                octets = octets[: octets.rstrip().rfind(b"\n") + 1]  # less the delimiter
            match = _STRUCTURAL_LINE.search(octets)
            if match:
                yield of_octets(f"a part hidden in the {name}", octets[match.start() :])


def _rewritings(data: Buffer, root: Entity) -> Iterator[Callable[[], Reading | None]]:
    """The message to readers that take a bare CR for a line's end or for nothing, NUL for nothing,
    or begin behind an empty line. Of one that is too large to copy only that there are some."""
    is_copied = len(data) <= COPY_LIMIT

    def rewritten(reason: str, change: Callable[[bytes], bytes]) -> Callable[[], Reading | None]:
        return lambda: of_octets(reason, change(bytes(data[:]))) if is_copied else None

    if _has_bare_cr(data):
        yield rewritten(
            "bare CR, a line end to some readers readers",
            lambda octets: _BARE_CR.sub(b"\n", octets),
        )
        yield rewritten(
            "LF CR, a line end to some readers readers", lambda octets: _LF_CR.sub(b"\n", octets)
        )
        yield rewritten(
            "bare CR, ignored by some readers", lambda octets: _BARE_CR.sub(b"", octets)
        )
    if root.body_start <= _EMPTY_LINE and bytes(data[:_EMPTY_LINE]).startswith(_TOP_LINE_ENDS):
        yield rewritten("an empty line before the header", lambda octets: octets.lstrip(b"\r\n"))
    if data.find(b"\0") >= 0:
        yield rewritten("NUL in a header or boundary", lambda octets: octets.replace(b"\0", b""))


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


def _is_undivided(data: Buffer, entity: Entity) -> bool:
    """True for what may be a multipart to some, and is none here although it has a line of it."""
    if entity.is_encoded:
        return False
    if entity.content_type.startswith("multipart/"):
        if not entity.is_leaf:
            return False
    elif not entity.boundaries:
        return False
    return data.find(b"\n--", max(entity.body_start - 1, 0), entity.end) >= 0


def _has_loose_line(data: Buffer, compound: Sequence[Entity]) -> bool:
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
