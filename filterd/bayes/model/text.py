"""What the classifier reads of a message: header fields, the top of the text, structure.

All of it is bounded by octets, near the top of the message: a spam filter learns nothing more
from the second hundred kilobytes, and a sender decides how many there are. The figures are those
that served best in experiments over several corpora (see docs/figures/accuracy.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from filterd.bayes.model.html import visible_text, without_invisible
from filterd.bayes.model.leaks import is_leak
from filterd.message import Message
from filterd.message.decoding import decode_charset, decode_transfer, decode_words

HEADER_LIMIT = 8 << 10  # octets of header fields that are read as words
TEXT_LIMIT = 16 << 10  # octets of visible text, and as many of raw HTML, that are read as words
GRAM_HEADER_LIMIT = 2048  # octets of header fields that are read as 4-grams
GRAM_BODY_LIMIT = 2560  # octets of decoded parts that are read as 4-grams
PART_LIMIT = 300  # octets of a part's header, and of an attachment: its names and its magic
MARKUP_RATIO = 4  # octets of HTML that are looked through for each octet of text wanted
SCAN_LIMIT = 256 << 10  # octets of header section, and of bodies, that are decoded at all
LEAF_LIMIT = 64  # parts that are looked at

_FOLD = re.compile(rb"\n(?=[ \t])")
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:(.*)", re.MULTILINE)


class Section(NamedTuple):
    """Some text and where it is from: `subject`, `text`, `part`, ..."""

    origin: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Text:
    """What is read of one message. words: sections that are cut into words, header fields
    first, the body's from `body_section` on, what a reader sees in `visible_section`; header, body:
    octets that are cut into 4-grams."""

    words: tuple[Section, ...]
    body_section: int
    visible_section: int
    header: bytes
    body: bytes


def text_of(message: Message) -> Text:
    """Return what the classifier reads of a message; never raises on what it contains."""
    root = message.root
    header = _HeaderText(_lines(message, 0, root.body_start))
    body = _Body()
    for entity in islice(message.leaves(), LEAF_LIMIT):
        stop = min(entity.end, entity.body_start + body.scan_room)
        if stop <= entity.body_start:
            continue
        body.scan_room -= stop - entity.body_start
        if stop == entity.end and entity.is_encoded:
            content = entity.content  # decoded once for all filters
        else:
            content = decode_transfer(
                bytes(message.data[entity.body_start : stop]), entity.transfer_encoding
            )
        is_text = entity.content_type.startswith("text/")
        if is_text and not content.isascii():
            charset = next(iter(entity.parameters.texts("charset")), "")
            content = decode_charset(content, charset).encode("utf-8", "replace")
        body.add(
            b"" if entity is root else _lines(message, entity.start, entity.body_start),
            content.replace(b"\r\n", b"\n"),
            is_text=is_text,
            is_html=entity.content_type == "text/html",
        )
    return Text(
        (
            *header.sections,
            *body.sections,
            Section("text", b"\n".join(body.visible)),
            Section("text", b"\n".join(body.markup)),
        ),
        len(header.sections),
        len(header.sections) + len(body.sections),
        b"".join(header.lines)[:GRAM_HEADER_LIMIT],
        b"\n".join(body.raw)[:GRAM_BODY_LIMIT],
    )


class _HeaderText:
    """The header fields, without those that tell of a former verdict."""

    def __init__(self, octets: bytes) -> None:
        self.sections: list[Section] = []
        self.lines: list[bytes] = []
        encoded = b"=?" in octets
        room = HEADER_LIMIT
        for name, value in _FIELD.findall(_FOLD.sub(b"", octets)):
            origin = _origin(name)
            if not origin:
                continue
            if room <= 0:
                break
            text = value[:room]
            if encoded and b"=?" in text:
                text = decode_words(text).encode("utf-8", "replace")
            room -= len(text) + len(name)
            self.sections.append(Section(origin, text))
            self.lines += (name, b":", text, b"\n")


@lru_cache(maxsize=4096)
def _origin(name: bytes) -> str:
    """A header field's name in lower case, "" for one that is not read."""
    origin = name.decode("ascii").lower()
    return "" if is_leak(origin) else origin


@dataclass
class _Body:
    """What is read of the leaf parts, each kind up to its limit."""

    sections: list[Section] = field(default_factory=list)
    visible: list[bytes] = field(default_factory=list)
    markup: list[bytes] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    text_room: int = TEXT_LIMIT
    markup_room: int = TEXT_LIMIT
    scan_room: int = SCAN_LIMIT

    def add(self, header: bytes, content: bytes, *, is_text: bool, is_html: bool) -> None:
        """Take what is wanted of a leaf. header: its own fields, content: decoded, text in UTF-8,
        both with LF."""
        if header:
            self.raw.append(header)
            self.sections.append(Section("part", header[:PART_LIMIT]))
        if not is_text:
            self.raw.append(content[:PART_LIMIT])
            return
        self.raw.append(content[:GRAM_BODY_LIMIT])
        if is_html and self.markup_room > 0:
            self.markup.append(content[: self.markup_room])
            self.markup_room -= len(content)
        if self.text_room > 0:
            if is_html:
                source = without_invisible(content[: MARKUP_RATIO * self.text_room])
                content = visible_text(source)
            else:
                content = without_invisible(content[: 2 * self.text_room])
            self.visible.append(content[: self.text_room])
            self.text_room -= len(content)


def _lines(message: Message, start: int, end: int) -> bytes:
    """Octets of a header section with LF line ends, as many as are looked at."""
    return bytes(message.data[start : min(end, start + SCAN_LIMIT)]).replace(b"\r\n", b"\n")
