"""The paragraphs that `body` rules see: Subject, then the text of all parts, HTML rendered.

Source: Mail::SpamAssassin::Conf(3), body and body_part_scan_size; the results of
SpamAssassin 4.0.1.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from filterd.rules.view.charsets import decode
from filterd.rules.view.html import HtmlInfo, read_html
from filterd.rules.view.parts import MessagePart, PartView
from filterd.rules.view.rawbody import NEAR

PART_SIZE = 50_000
"""Characters of a part that are looked at."""

LINE_LIMIT = 2048
"""Octets of a paragraph; longer ones are divided."""

# What Perl takes as a blank in octets and in characters; Python's own `\s` has four more.
BLANKS = r" \t\n\r\x0b\x0c"
WIDE_BLANKS = BLANKS + r"\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

_WIDE_BLANK = re.compile(f"[{WIDE_BLANKS[len(BLANKS) :]}]")
_GAP = re.compile(rb"\n[ \t\n\r\x0b\x0c]*\n")
_TO_BLANKS = bytes.maketrans(b"\t\n\r\x0b\x0c\x00", b"     \n")
# Perl counts no form feed among the blanks of octets here.
_COUNTED = " \t\n\r\x0b"
_ALSO_COUNTED = "\x0c\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


class Rendered(NamedTuple):
    """What a part shows. visible, invisible: the text by whether a reader sees it. is_wide: it is
    Unicode for Perl, where more characters are blanks. html: what was found in it; None if it is
    plain."""

    text: str
    visible: str
    invisible: str
    is_wide: bool
    html: HtmlInfo | None


def rendered(part: PartView) -> Rendered | None:
    """The text of a part; None for what is neither plain text nor HTML."""
    kind = part.effective_type
    if kind not in ("text/plain", "text/html"):
        return None
    content = part.content
    charset = "us-ascii" if part.charset is None else part.charset.decode("latin-1")
    text = decode(content, charset)
    is_wide = text is not None
    if text is None:
        text = content.decode("latin-1")
    if kind == "text/html" and content:
        return _of_html(text, len(content), is_wide=is_wide)
    return Rendered(text, text, "", is_wide, None)


def _of_html(text: str, size: int, *, is_wide: bool) -> Rendered:
    info, pieces = read_html(text, is_wide=is_wide)
    whole = "".join([piece for piece, _ in pieces])
    visible = "".join([piece for piece, hidden in pieces if not hidden])
    invisible = "".join([piece for piece, hidden in pieces if hidden])
    is_wide = is_wide or not _is_narrow(whole)
    blanks = sum(map(whole.count, _COUNTED))
    if is_wide:
        blanks += sum(map(whole.count, "\x0c" if whole.isascii() else _ALSO_COUNTED))
    info.numbers["html_length"] = len(whole)
    info.numbers["non_space_len"] = len(whole) - blanks
    info.numbers["ratio"] = (size - len(whole)) / size
    return Rendered(whole, visible, invisible, is_wide, info)


def _is_narrow(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


class BodyView:
    """Texts of all parts of a message, and what their HTML has.

    size: characters of a part that paragraphs are made of; 0 for all.
    """

    def __init__(self, message: MessagePart, size: int = PART_SIZE) -> None:
        self._size = size
        self._subject = message.header(b"subject") + b"\n"
        self._rendered = {id(part): rendered(part) for part in message.leaves()}
        self.rendered = list(self._rendered.values())
        self.html = tuple(part.html for part in self.rendered if part is not None and part.html)

    def of(self, part: PartView) -> Rendered | None:
        """The text of a part of the message; None for what is neither plain text nor HTML."""
        return self._rendered.get(id(part))

    def paragraphs(self) -> tuple[bytes, ...]:
        """Subject and all text."""
        return self._paragraphs(self._subject, [r and (r.text, r.is_wide) for r in self.rendered])

    def visible(self) -> tuple[bytes, ...]:
        """Subject and what a reader sees."""
        return self._paragraphs(
            self._subject, [r and (r.visible, r.is_wide) for r in self.rendered]
        )

    def invisible(self) -> tuple[bytes, ...]:
        """What a reader does not see, in HTML."""
        return self._paragraphs(b"", [r and (r.invisible, r.is_wide) for r in self.rendered])

    def _paragraphs(
        self, subject: bytes, texts: list[tuple[str, bool] | None]
    ) -> tuple[bytes, ...]:
        if not texts:
            return ()
        pieces: list[str] = []
        is_wide = False
        any_text = False
        for found in texts:
            if any_text:
                pieces.append("\n")
            if found is not None:
                text, wide = found
                is_wide = is_wide or wide
                pieces.append(_cut(text, self._size))
                any_text = any_text or bool(text)
        text = "".join(pieces)
        if is_wide:
            text = _WIDE_BLANK.sub(" ", text)
        octets = _squeezed(text.encode("utf-8" if is_wide else "latin-1", "surrogatepass"))
        return tuple(_lines(subject + octets))


def _cut(text: str, size: int) -> str:
    if not size or len(text) <= size:
        return text
    for place in ("\n", " "):
        found = text.find(place, size, size + NEAR + 1)
        if found >= 0:
            return text[: found + 1]
    return text[:size]


def _squeezed(octets: bytes) -> bytes:
    """One blank for several, a line end where an empty line was, and where a NUL was."""
    octets = _GAP.sub(b"\0", octets).translate(_TO_BLANKS)
    while b"  " in octets:
        octets = octets.replace(b"  ", b" ")
    return octets


def _lines(octets: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in octets.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    if not lines[-1]:
        lines.pop()
    if not lines or max(map(len, lines)) <= LINE_LIMIT:
        return lines
    short: list[bytes] = []
    for line in lines:
        start, size = 0, len(line)
        while size - start > LINE_LIMIT:
            # Behind a blank, so that no address is cut in two.
            end = line.rfind(b" ", start, start + LINE_LIMIT + 1) + 1 or start + LINE_LIMIT
            short.append(line[start:end])
            start = end
        short.append(line[start:])
    return short
