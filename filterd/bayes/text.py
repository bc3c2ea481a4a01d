"""What the classifier reads of a message: header fields, the top of the text, structure.

All of it is bounded by octets, near the top of the message: a spam filter learns nothing more
from the second hundred kilobytes, and a sender decides how many there are. The figures are those
that served best in experiments over several corpora (see docs/accuracy.md).
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from filterd.bayes.html import visible_text, without_invisible
from filterd.bayes.leaks import is_leak
from filterd.bayes.parts import SCAN_LIMIT, Leaf, leaves, recoded
from filterd.message import Message

HEADER_LIMIT = 8 << 10  # octets of header fields that are read as words
TEXT_LIMIT = 16 << 10  # octets of visible text, and as many of raw HTML, that are read as words
GRAM_HEADER_LIMIT = 2048  # octets of header fields that are read as 4-grams
GRAM_BODY_LIMIT = 2560  # octets of decoded parts that are read as 4-grams
PART_LIMIT = 300  # octets of a part's header, and of an attachment: its names and its magic
MARKUP_RATIO = 4  # octets of HTML that are looked through for each octet of text wanted

_ENCODED_WORD = re.compile(rb"=\?([\w.+*-]{1,60})\?([bBqQ])\?([^?\s]{0,2000})\?=")
_BETWEEN_ENCODED_WORDS = re.compile(rb"(?<=\?=)\s+(?==\?)")
_FOLD = re.compile(rb"\n(?=[ \t])")
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:(.*)", re.MULTILINE)


class Section(NamedTuple):
    """Some text and where it is from: `subject`, `text`, `part`, ..."""

    origin: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Text:
    """What is read of one message. words: sections that are cut into words, header fields
    first, the body's from `body_section` on; header, body: octets that are cut into 4-grams."""

    words: tuple[Section, ...]
    body_section: int
    header: bytes
    body: bytes


def text_of(message: Message) -> Text:
    """Return what the classifier reads of a message; never raises on what it contains."""
    start = message.body_start
    header = _Header(message.data[: min(start, SCAN_LIMIT)].replace(b"\r\n", b"\n"))
    body = _Body()
    octets = message.data[start : start + SCAN_LIMIT].replace(b"\r\n", b"\n")
    for leaf in leaves(header.content_type, header.encoding, octets):
        body.add(leaf)
    return Text(
        (
            *header.sections,
            *body.sections,
            Section("text", b"\n".join(body.visible)),
            Section("text", b"\n".join(body.markup)),
        ),
        len(header.sections),
        b"".join(header.lines)[:GRAM_HEADER_LIMIT],
        b"\n".join(body.raw)[:GRAM_BODY_LIMIT],
    )


class _Header:
    """The header fields, without those that tell of a former verdict."""

    def __init__(self, octets: bytes) -> None:
        self.sections: list[Section] = []
        self.lines: list[bytes] = []
        self.content_type = self.encoding = b""
        encoded = b"=?" in octets
        room = HEADER_LIMIT
        for name, value in _FIELD.findall(_FOLD.sub(b"", octets)):
            origin = name.decode("ascii").lower()
            if is_leak(origin):
                continue
            if origin == "content-type":
                self.content_type = value
            elif origin == "content-transfer-encoding":
                self.encoding = value
            if room <= 0:
                continue
            text = value[:room]
            if encoded and b"=?" in text:
                text = decoded_words(text)
            room -= len(text) + len(name)
            self.sections.append(Section(origin, text))
            self.lines += (name, b":", text, b"\n")


@dataclass
class _Body:
    """What is read of the leaf parts, each kind up to its limit."""

    sections: list[Section] = field(default_factory=list)
    visible: list[bytes] = field(default_factory=list)
    markup: list[bytes] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    text_room: int = TEXT_LIMIT
    markup_room: int = TEXT_LIMIT

    def add(self, leaf: Leaf) -> None:
        content = leaf.content
        if leaf.header:
            self.raw.append(leaf.header)
            self.sections.append(Section("part", leaf.header[:PART_LIMIT]))
        if not leaf.is_text:
            self.raw.append(content[:PART_LIMIT])
            return
        self.raw.append(content[:GRAM_BODY_LIMIT])
        if leaf.is_html and self.markup_room > 0:
            self.markup.append(content[: self.markup_room])
            self.markup_room -= len(content)
        if self.text_room > 0:
            if leaf.is_html:
                source = without_invisible(content[: MARKUP_RATIO * self.text_room])
                content = visible_text(source)
            else:
                content = without_invisible(content[: 2 * self.text_room])
            self.visible.append(content[: self.text_room])
            self.text_room -= len(content)


def decoded_words(value: bytes) -> bytes:
    """The field body with its RFC 2047 encoded words decoded to UTF-8; what cannot be stays."""
    return _ENCODED_WORD.sub(_decoded_word, _BETWEEN_ENCODED_WORDS.sub(b"", value))


def _decoded_word(match: re.Match[bytes]) -> bytes:
    charset, encoding, text = match.groups()
    if encoding in b"bB":
        try:
            content = binascii.a2b_base64(text + b"==")
        except binascii.Error:
            return match[0]
    else:
        content = binascii.a2b_qp(text, header=True)
    return recoded(content, charset.partition(b"*")[0].decode("ascii", "replace").lower())
