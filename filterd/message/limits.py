"""Limits of header sections and lines: what real mail never reaches, and hostile mail does.

Nothing is cut at a limit; that it was passed is said, for the admin to judge.
"""

from __future__ import annotations

from collections.abc import Iterator

from filterd.message.entity import Entity
from filterd.message.fields import Buffer
from filterd.message.parameters import PARAMETER_LIMIT, VALUE_LIMIT
from filterd.message.tree import Anomaly

HEADER_FIELDS_LIMIT = 1000
"""Fields of one entity's header; a message that crossed many lists and gateways has 200."""

HEADER_SIZE_LIMIT = 256 << 10
"""Octets of one header section. Sendmail refuses more than 32 KiB by default, Postfix cuts one
field at 100 KiB."""

ENCODED_WORDS_LIMIT = 500
"""Encoded words of one field (RFC 2047); a subject of 998 octets holds about 40. Lists of addresses
have as many as people, and are only shown."""

_ADDRESSES = frozenset({"to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc", "reply-to"})

SMALL_HEADER = 3 * HEADER_FIELDS_LIMIT
"""Octets that no header with too many fields, of three octets at least, fits into."""

LINE_LIMIT = 64 << 10
"""Octets of one line; RFC 5321 §4.5.3.1.6 allows 1000, careless senders write paragraphs."""


def exceeded(data: Buffer, root: Entity) -> Iterator[Anomaly]:
    """The limits that the message passes, as (symbol name, what was found)."""
    for entity in root.walk():
        yield from _header(data, entity)
    if _has_long_line(data, root.body_start):
        yield "LINE_LIMIT", f"a line of more than {LINE_LIMIT} octets"


def _header(data: Buffer, entity: Entity) -> Iterator[Anomaly]:
    size = entity.body_start - entity.start
    if size < SMALL_HEADER:
        return
    octets = bytes(data[entity.start : entity.body_start])
    if (
        size <= VALUE_LIMIT
        and octets.count(b"\n") <= HEADER_FIELDS_LIMIT
        and octets.count(b"=?") <= ENCODED_WORDS_LIMIT
        and octets.count(b";") <= PARAMETER_LIMIT
    ):
        # None of its fields can pass a limit then; splitting it would cost more than all the rest.
        return
    fields = entity.header_fields
    if len(fields) > HEADER_FIELDS_LIMIT:
        yield "HEADER_LIMIT", f"{len(fields)} header fields"
    if size > HEADER_SIZE_LIMIT:
        yield "HEADER_LIMIT", f"a header of {size} octets"
    for field in fields:
        if len(field.raw_value) < ENCODED_WORDS_LIMIT * 2:
            continue
        words = field.raw_value.count(b"=?")
        if words > ENCODED_WORDS_LIMIT and field.name.lower() not in _ADDRESSES:
            yield "HEADER_LIMIT", f"{words} encoded words in {field.name}"
    yield from exceeded_by_parameters(entity)


def exceeded_by_parameters(entity: Entity) -> Iterator[Anomaly]:
    """Fields `Content-*` of an entity that are not read to their end: a name or boundary may stand
    there."""
    if entity.body_start - entity.start < PARAMETER_LIMIT:
        return
    for field in entity.header_fields:
        if not field.name.lower().startswith("content-"):
            continue
        if len(field.raw_value) > VALUE_LIMIT:
            yield "HEADER_LIMIT", f"{len(field.raw_value)} octets in {field.name}"
        if field.raw_value.count(b";") > PARAMETER_LIMIT:
            yield "HEADER_LIMIT", f"more than {PARAMETER_LIMIT} parameters in {field.name}"


def _has_long_line(data: Buffer, start: int) -> bool:
    """Looks for a line end at most once per `LINE_LIMIT` octets, so it costs next to nothing."""
    position = start
    while len(data) - position > LINE_LIMIT:
        line_end = data.rfind(b"\n", position, position + LINE_LIMIT)
        if line_end < 0:
            return True
        position = line_end + 1
    return False
