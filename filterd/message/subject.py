"""A tag before the Subject: the field's new value, folded as mail wants it.

The octets of the Subject stay as they came, as far as its lines are no longer than they may be;
what is not ASCII in it becomes encoded words. Sources: RFC 5322 §2.1.1, §2.2.3; RFC 2047 §2, §5,
§6.
"""

from __future__ import annotations

import re
from email.header import Header

from filterd.message.decoding import decode_words

LINE_LIMIT = 76
"""Characters of a line that is folded here; RFC 5322 §2.1.1 asks for at most 78."""

HARD_LIMIT = 900
"""Characters of a word that no blank interrupts. RFC 5322 §2.1.1 forbids lines of more than 998."""

SUBJECT_LIMIT = 8 << 10
"""Octets of a Subject that are kept behind a tag; as encoded words they are four times as many,
and a milter packet holds 64 KiB. Nobody's Subject has a hundredth of that."""

TAG_LIMIT = 100
"""Characters of a tag; as encoded words up to 12 times as many octets."""

_NAME = len("Subject: ")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_NOT_TEXT = re.compile(rb"[\0-\x08\x0a-\x1f\x7f]+")
_LAST_CHARACTER = re.compile(rb"[\xc0-\xff][\x80-\xbf]{0,3}\Z")
_ENCODED_WORD = re.compile(r"=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=")
_BLANKS = re.compile(r"[ \t]+")


def tagged(raw: bytes, tag: str) -> str | None:
    """The value of a Subject with the tag before it, lines joined by LF and blank; None if it has
    the tag already. raw: all after the colon, folded as it came."""
    words = tag.strip()
    kept = raw if len(raw) <= SUBJECT_LIMIT else _LAST_CHARACTER.sub(b"", raw[:SUBJECT_LIMIT])
    lines = [_NOT_TEXT.sub(b" ", one) for one in _FOLD.split(kept)]
    if decode_words(b" ".join(lines).strip()).lstrip().startswith(words):
        return None
    texts = _texts(lines)
    first = texts[0].strip() if texts else ""
    head = _encoded(words, before_encoded=bool(_ENCODED_WORD.match(first)))
    if not first:
        return "\n".join([head, *texts[1:]])
    if _NAME + len(head.rpartition("\n")[2]) + 1 + len(first) <= LINE_LIMIT:
        return "\n".join([f"{head} {first}", *texts[1:]])
    # A line that would become too long stays as it came, below the tag.
    return "\n".join([head, f" {first}", *texts[1:]])


def tag_alone(tag: str) -> str:
    """The value of a Subject that has nothing but the tag."""
    return _encoded(tag.strip(), before_encoded=False)


def _texts(lines: list[bytes]) -> list[str]:
    """The lines as ASCII, none too long; each but the first begins with a blank."""
    joined = b" ".join(lines)
    if not joined.isascii():
        # Octets without a declared charset.
        return _words(*_decoded(joined.strip()))
    texts: list[str] = []
    for line in lines:
        text = line.decode("ascii").rstrip()
        if texts and not text.strip():
            continue  # RFC 5322 §3.2.2: a line of blanks alone is obsolete
        if any(len(word) > HARD_LIMIT for word in text.split()):
            return _words(" ".join(joined.decode("ascii").split()))
        texts += _folded(text)
    return texts


def _folded(text: str) -> list[str]:
    """A line broken before blanks, so that its parts are short where they can be."""
    if len(text) <= LINE_LIMIT:
        return [text]
    found, start, last = [], 0, 0
    for blank in _BLANKS.finditer(text, 1):
        if blank.start() - start > LINE_LIMIT and last > start:
            found.append(text[start:last])
            start = last
        last = blank.start()
    if len(text) - start > LINE_LIMIT and last > start:
        found.append(text[start:last])
        start = last
    return [*found, text[start:]]


def _encoded(tag: str, *, before_encoded: bool) -> str:
    if tag.isascii():
        return tag
    # Blanks between two encoded words are not shown, so the tag's own has to be in it.
    return "\n".join(_words(tag + " " if before_encoded else tag))


def _words(text: str, charset: str = "utf-8") -> list[str]:
    """A text as encoded words, each on a line of its own."""
    value = Header(text, charset, maxlinelen=LINE_LIMIT, header_name="Subject").encode()
    return value.replace("\r\n", "\n").split("\n")


def _decoded(octets: bytes) -> tuple[str, str]:
    """The text, and the charset that has the same octets for it."""
    try:
        return octets.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return octets.decode("iso-8859-1"), "iso-8859-1"
