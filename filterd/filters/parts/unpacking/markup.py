"""Pages as their readers take them: their characters, and the files that they hold themselves.

Sources: RFC 2397; the WHATWG's URL and HTML standards for what is dropped from a link and decoded
in an attribute; RFC 2152.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from filterd.filters.parts.unpacking.kinds import HEAD_SIZE, kinds_of
from filterd.message.decoding import decode_base64
from filterd.message.references import resolved

LINK_LIMIT = 10_000
"""Links of one page that are looked at; as many as files of one archive, and more."""

TYPE_SIZE = 300
"""Octets between `data:` and the comma before the data; a media type with parameters has 60."""

TAG_SIZE = 2000
"""Octets of a tag, around the link, in which the name that a download gets is looked for."""

DATA_SIZE = 16
"""Octets that data must have to be worth decoding: a program or an archive has more."""

_BREAKS = b"\t\r\n\f"
_BASE64 = re.compile(rb"[A-Za-z0-9+/=%_ -]*+")
_OTHER = re.compile(rb"[^\"'<>` ]*+")
_DOWNLOAD = re.compile(
    rb"(?i)\bdownload\s{0,9}=\s{0,9}(?:\"([^\"]{1,300})|'([^']{1,300})|([^\s\"'>]{1,300}))"
)


_JOINT = re.compile(rb"[\"'`] *+\+ *+[\"'`]")
_CODED = re.compile(rb"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{64,}+={0,2}")
_PICTURES = frozenset({"gif", "jpeg", "png"})


class PageLink(NamedTuple):
    """names: what the file is called when it is saved, if the page says. media_type: as the link
    declares it, in lower case."""

    names: tuple[str, ...]
    content: bytes
    media_type: str


def plain(content: bytes) -> bytes:
    """A page as if it were ASCII: UTF-16 and UTF-32 narrowed, UTF-7 and character references
    decoded."""
    if b"\0" in content:
        content = content.replace(b"\0", b"")
    if b"+ADw-" in content:
        content = content.decode("utf-7", "replace").encode("utf-8", "replace")
    if b"&" in content:
        content = resolved(content.decode("latin-1")).encode("utf-8", "replace")
    return content


def may_hold_files(content: bytes) -> bool:
    """True if the page may have links that hold their target (`links`), or `coded_files`."""
    text = _joined(content)
    return b"data:" in text.lower() or _CODED.search(_JOINT.sub(b"", text)) is not None


def links(content: bytes) -> Iterator[PageLink]:
    """The files that `data:` links hold, in base64 or percent-encoded."""
    text = _joined(content)
    lowered = text.lower()
    position = 0
    for _ in range(LINK_LIMIT):
        start = lowered.find(b"data:", position)
        if start < 0:
            return
        position = start + len(b"data:")
        comma = text.find(b",", position, position + TYPE_SIZE)
        if comma < 0:
            continue
        declared = lowered[position:comma]
        is_base64 = b"base64" in declared
        data = (_BASE64 if is_base64 else _OTHER).match(text, comma + 1)
        assert data is not None
        if len(data[0]) < DATA_SIZE:
            continue
        octets = unquote_to_bytes(data[0]) if b"%" in data[0] else data[0]
        if is_base64:
            octets = decode_base64(octets.translate(_FROM_URL))
        media_type = declared.partition(b";")[0].strip().decode("ascii", "replace")
        yield PageLink(_names(text, start, data.end()), octets, media_type)
        position = data.end()


def coded_files(content: bytes) -> Iterator[bytes]:
    """Files that stand in a page in base64, as texts of scripts that make downloads of them: what
    begins like a program, an archive, a document or a shortcut."""
    text = _JOINT.sub(b"", _joined(content))
    for match in islice(_CODED.finditer(text), LINK_LIMIT):
        if text.endswith(b"base64,", max(0, match.start() - 7), match.start()):
            continue  # a link (`links`)
        head = decode_base64(match[0][: HEAD_SIZE * 4 // 3])
        if not _PICTURES.issuperset(kinds_of(head)):
            yield decode_base64(match[0])


_FROM_URL = bytes.maketrans(b"-_", b"+/")


def _joined(content: bytes) -> bytes:
    """The page without line breaks and tabs, which count for nothing in a link."""
    return plain(content).translate(None, _BREAKS)


def _names(text: bytes, start: int, end: int) -> tuple[str, ...]:
    """The value of `download` in the tag around a link."""
    begin = max(text.rfind(b"<", max(start - TAG_SIZE, 0), start), 0)
    close = text.find(b">", end, end + TAG_SIZE)
    tag = text[max(begin, start - TAG_SIZE) : start] + b" " + text[end : max(close, end)]
    match = _DOWNLOAD.search(tag)
    if not match:
        return ()
    return ((match[1] or match[2] or match[3]).decode("utf-8", "replace"),)
