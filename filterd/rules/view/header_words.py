"""A header value decoded as SpamAssassin decodes it: one line of UTF-8 octets.

Source: RFC 2047, RFC 2231 §5; the results of SpamAssassin 4.0.1.
"""

from __future__ import annotations

import re

from filterd.rules.view.charsets import to_utf8
from filterd.rules.view.decoding import decode_base64, decode_quoted_printable

_ENCODED = re.compile(rb"=\?([A-Za-z0-9*_-]++)\?([bqBQ])\?([^?]*+)\?=")
_FOLD = re.compile(rb"\n[ \t]+")
_LINE_END = re.compile(rb"\r?\n")

# RFC 2047 allows no encoded words in these.
_UNSTRUCTURED_NEVER = frozenset(
    b"received message-id resent-message-id date resent-date mime-version references"
    b" in-reply-to".split()
)


def decode_header(value: bytes, name: bytes) -> bytes:
    """The value of the field `name` (any case): unfolded, encoded words decoded, in UTF-8.

    value: all behind the colon, LF line ends.
    """
    text = _FOLD.sub(b" ", value).strip()
    if b"\n" in text:
        text = _LINE_END.sub(b"", text)
    if not text.isascii():
        text = to_utf8(text, "utf-8")
    if b"=?" not in text:
        return text
    lowered = name.lower()
    if lowered in _UNSTRUCTURED_NEVER or lowered.startswith(b"list-"):
        return text
    return _decode_words(text)


def _decode_words(text: bytes) -> bytes:
    text = _without_gaps(text)
    sections: list[tuple[bytes, bytes]] = []
    position = 0
    for match in _ENCODED.finditer(text):
        if match.start() > position:
            sections.append((b"", text[position : match.start()]))
        octets = match[3]
        if match[2] in b"bB":
            octets = decode_base64(octets)
        else:
            octets = decode_quoted_printable(octets.replace(b"_", b"=20"))
        charset = match[1].lower()
        # Mailers cut characters of several octets in two: the same charset goes on.
        if sections and sections[-1][0] == charset:
            octets = sections.pop()[1] + octets
        sections.append((charset, octets))
        position = match.end()
    sections.append((b"", text[position:]))
    return b"".join(
        to_utf8(octets, charset.partition(b"*")[0].decode("ascii"), insist=True)
        if charset
        else octets
        for charset, octets in sections
    )


def _without_gaps(text: bytes) -> bytes:
    """Blanks between two encoded words are none of the text (RFC 2047 §6.2)."""
    pieces: list[bytes] = []
    position = 0
    end_of_word = -1
    for match in _ENCODED.finditer(text):
        if end_of_word >= 0 and text[end_of_word : match.start()].strip() == b"":
            position = match.start()
        pieces.append(text[position : match.end()])
        position = end_of_word = match.end()
    pieces.append(text[position:])
    return b"".join(pieces)
