"""What stands encoded within a message, and is read once it is decoded: messages, multiparts, files
in the codings from before MIME, contents whose transfer encoding is broken.

Source: RFC 2045 §6.4; RFC 8551 §3.5.2.
"""

from __future__ import annotations

from collections.abc import Iterator

from filterd.message import cms
from filterd.message.entity import Entity
from filterd.message.fields import HeaderField
from filterd.message.inline_files import MARKS, inline_files
from filterd.message.reading import Reading, of_file, of_limit, of_octets

NESTING_LIMIT = 8
"""Encoded messages inside encoded messages that are opened."""

TEXT_LIMIT = 64 << 20
"""Octets of a text in which files are looked for."""

_OPAQUE_TYPES = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_CODED = (".uu", ".uue", ".b64", ".yenc", ".ync", ".hqx")
"""Names of files that hold others in the codings from before MIME, and say so."""


def wrapped(entity: Entity, depth: int) -> Reading | None:
    """The message or multipart that is transfer-encoded as a whole (RFC 2045 §6.4 forbids it), or
    signed so that the signature holds it (RFC 8551 §3.5.2). depth: such messages around it."""
    is_message = True
    if _is_opaque(entity):
        unfolded = cms.content(entity.content)
        if unfolded is None or not unfolded.octets:
            return None
        data, reason = unfolded.octets, ""
        if not unfolded.is_whole:
            text = f"an S/MIME message decompresses to more than {cms.SIZE_LIMIT >> 20} MiB"
            return of_limit("MIME_TOO_MANY_READINGS", text)
    elif not entity.is_encoded:
        return None
    elif entity.content_type in ("message/rfc822", "message/global"):
        data, reason = entity.content, ""
    elif entity.content_type.startswith("multipart/"):
        head = b"".join(f.name.encode() + b":" + f.raw_value + b"\r\n" for f in _types(entity))
        data, reason = head + b"\r\n" + entity.content, "a multipart that is encoded as a whole"
        is_message = False
    else:
        return None
    if depth >= NESTING_LIMIT:
        text = f"more than {NESTING_LIMIT} nested encoded messages"
        return of_limit("MIME_TOO_DEEP", text)
    reading = of_octets(reason, data, is_message=True)
    return reading if is_message or reading.root.children else None


def _is_opaque(entity: Entity) -> bool:
    return entity.content_type in _OPAQUE_TYPES or _has_extension(entity, (".p7m", ".p7z"))


def _has_extension(entity: Entity, extensions: tuple[str, ...]) -> bool:
    return any(name.lower().endswith(extensions) for name in entity.filenames)


def _types(entity: Entity) -> Iterator[HeaderField]:
    return (field for field in entity.header_fields if field.name.lower() == "content-type")


def other_decodings(entity: Entity) -> Iterator[Reading]:
    """What other readers make of a content whose transfer encoding is broken or unknown."""
    for content in entity.other_contents:
        yield of_file(
            f"broken or unknown transfer encoding {entity.transfer_encoding[:40]!r}",
            entity.filenames[:1],
            content,
        )


def inline(entity: Entity) -> Iterator[Reading]:
    """Files that stand encoded in a text, or in a part that is not encoded itself."""
    start, end = entity.body_start, entity.end
    if end - start > TEXT_LIMIT:
        return
    # A file that is named as what it is hides nothing.
    is_said = _has_extension(entity, _CODED)
    if entity.is_encoded:
        is_text = entity.content_type.startswith("text/") or _has_extension(entity, (".txt",))
        if not (is_said or is_text) or entity.is_uuencoded:
            return
        text = entity.content
    else:
        if not any(entity.octets.find(mark, start, end) >= 0 for mark in MARKS):
            return
        text = entity.body
    for found in inline_files(text):
        reason = "" if is_said or found.is_guess else f"a file in {found.coding} within a text"
        yield of_file(reason, (found.name,), found.content)
