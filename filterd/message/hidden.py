"""Files that may begin somewhere in the octets of a message, whatever its parts are.

Readers differ in more ways than anybody lists, and two departures from the standards together may
show a part that neither shows alone. So a message that departs from them at all is looked through
from its first octet to its last for what every reader needs to show a file: a field of its header,
lines of base64, or one of the codings from before MIME. No boundary and no header section is asked.

Sources: RFC 2045, RFC 2183; what is found where, in nine readers: `tests/hostile/tricks/pairs.py`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from filterd.message.decoding import decode_base64, decode_transfer, other_contents
from filterd.message.fields import Buffer
from filterd.message.inline_files import MARKS, inline_files
from filterd.message.parameters import parse_value

WORK_FACTOR = 12
"""Times its own size that may be looked through for one message, its encoded pieces and its octets
without NUL and bare CR among them; honest mail needs two."""

SMALL = 1 << 20
"""Octets: a message counts as at least so large, so that a small one is not cut short."""

FILES_LIMIT = 2000
"""Files of one message: as many as it may have parts."""

FIELDS_LIMIT = 100
"""Fields of one header that are looked at."""

TYPES_LIMIT = 3
"""Types that one file is tried as."""

COPY_LIMIT = 64 << 20
"""Octets: a larger message is looked through as it stands, not without its NUL and bare CR."""

RUN_SIZE = 60
"""Octets of base64 without a header that are worth decoding: a line of most mailers."""

_START = re.compile(
    rb"(?im)^(?:[^\nA-Za-z0-9<>|:]{0,8}+content-(?:type|transfer-encoding|disposition)(?=[\s:])"
    rb"|[ \t;]*+(?=(?:file)?name[*0-9]*+[ \t]*+=))"
)
_LOGICAL_LINE = re.compile(rb"[ \t]*+:?([^\n]*+(?:\n[ \t][^\n]*+)*+)")
_EMPTY_LINE = re.compile(rb"\n\r*+\n")
_BLANK_LINE = re.compile(rb"\n[ \t\r]*+\n")
_DELIMITER = re.compile(rb"(?m)^-")
_RUN = re.compile(
    rb"(?m)^\r?+[A-Za-z0-9+/]{20,}+={0,2}+[ \t\r]*+(?=\n|\Z)"
    rb"(?:\s++[A-Za-z0-9+/=]++[ \t\r]*+(?=\n|\Z))*+"
)
_LOOKS_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]{16,}+")
_BARE_CR = re.compile(rb"\r(?!\n)")
_SAMPLE = 4096
_LAST_DELIMITERS = 10


class HiddenFile(NamedTuple):
    """at: octet of the message, or of the coding that it was found in, near which it begins.
    names: all that stand there. content_type: in lower case, `""` if none is said. is_decoded: the
    content was encoded. is_altered: it is of the octets without NUL or bare CR, so that a content
    that was not encoded belongs to no part. source: the text and the way in which it was found,
    `within` for all in what stood encoded; in each a file is found once."""

    at: int
    names: tuple[str, ...]
    content_type: str
    content: bytes
    is_decoded: bool = False
    is_altered: bool = False
    source: tuple[int, str] = (0, "")


class HiddenFileSearch:
    """All files that may begin somewhere in some texts, the first of which is the message itself.
    exceeds: a limit was reached."""

    def __init__(self, texts: Sequence[Buffer]) -> None:
        self._message = texts[0]
        # With where an encoded piece begins that was found in another text.
        self._pending: deque[tuple[Buffer, int | None]] = deque((text, None) for text in texts)
        self._seen: set[bytes] = set()
        self._work = WORK_FACTOR * max(sum(len(text) for text, _at in self._pending), SMALL)
        self.exceeds = False

    def files(self) -> Iterator[HiddenFile]:
        """What is found, in no certain order; the same may come several times."""
        count = number = 0
        while self._pending:
            text, at = self._pending.popleft()
            for variant in _variants(text):
                number += 1
                self._work -= len(variant)
                if self._work < 0:
                    self.exceeds = True
                    return
                for way, found in self._in_text(variant):
                    file = found._replace(
                        source=(number, way if text is self._message else "within"),
                        is_altered=variant is not text,
                        at=found.at if at is None else at,
                    )
                    count += 1
                    if count > FILES_LIMIT:
                        self.exceeds = True
                        return
                    if file.is_decoded and _START.search(file.content):
                        self._look_into(file.content, file.at)
                    yield file

    def _look_into(self, content: bytes, at: int) -> None:
        if content not in self._seen:
            self._seen.add(content)
            self._pending.append((content, at))

    def _in_text(self, text: Buffer) -> Iterator[tuple[str, HiddenFile]]:
        yield from (("header", file) for file in self._headed(text))
        for match in _RUN.finditer(text):
            if len(match[0]) >= RUN_SIZE:
                content = decode_base64(match[0])
                yield "base64", HiddenFile(match.start(), (), "", content, is_decoded=True)
        marks = [at for mark in MARKS if (at := text.find(mark)) >= 0]
        if marks:
            for found in inline_files(bytes(text[:])):
                yield "inline", HiddenFile(min(marks), (found.name,), "", found.content)

    def _headed(self, text: Buffer) -> Iterator[HiddenFile]:
        """Files by a field of their header, wherever it stands."""
        start = _START.search(text)
        while start is not None:
            at = start.start()
            header_end = _end(_EMPTY_LINE, text, start.end())
            following = _START.search(text, header_end)
            end = following.start() if following else len(text)
            names, types, encodings = self._fields(bytes(text[at:header_end]))
            files = [word for word in types if not word.startswith("multipart")]
            # What stands before the parts of a multipart is none; only what is decoded may be.
            is_decoded_only = bool(types) and not files and not names
            blank = _end(_BLANK_LINE, text, start.end())
            for body_start in dict.fromkeys((header_end, blank)):
                body = _without_last_delimiters(bytes(text[body_start:end]))
                for content, is_decoded in dict.fromkeys(_contents(body, encodings)):
                    if not (content or names) or (is_decoded_only and not is_decoded):
                        continue
                    for content_type in files[:TYPES_LIMIT] or ("",):
                        yield HiddenFile(at, names, content_type, content, is_decoded)
            start = following

    def _fields(self, header: bytes) -> tuple[tuple[str, ...], tuple[str, ...], str]:
        """Names, types and encodings that the fields say, all of them."""
        names: list[str] = []
        types: list[str] = []
        encodings = []
        position = count = 0
        while match := _START.search(header, position):
            line = _LOGICAL_LINE.match(header, match.end())
            assert line is not None  # it matches nothing at all, too
            # What continues it is not looked at once more: each octet counts once.
            position = line.end()
            count += 1
            if count > FIELDS_LIMIT:
                self.exceeds = True
                break
            field = match[0].lower()
            if b"encoding" in field:
                encodings.append(line[1].lower())
                continue
            word, parameters = parse_value(line[1] if b"content" in field else b"x;" + line[1])
            names += parameters.texts("filename", "name")
            if field.endswith(b"type") and word:
                types.append(word)
        spoken = b" ".join(encodings).decode("latin-1")
        return tuple(dict.fromkeys(filter(None, names))), tuple(dict.fromkeys(types)), spoken


def may_hold_files(octets: bytes) -> bool:
    """True if something in the octets may be the beginning of a file."""
    lowered = octets.lower()
    return (
        any(mark in octets for mark in MARKS)
        or ((b"content-" in lowered or b"name" in lowered) and _START.search(octets) is not None)
        or (
            len(octets) >= RUN_SIZE
            and any(len(match[0]) >= RUN_SIZE for match in _RUN.finditer(octets))
        )
    )


def _variants(text: Buffer) -> Iterator[Buffer]:
    """The text, and what it is to readers that drop NUL or take a bare CR for nothing or a line's
    end."""
    yield text
    if len(text) > COPY_LIMIT:
        return
    plain = text
    if text.find(b"\0") >= 0:
        plain = bytes(text[:]).replace(b"\0", b"")
        yield plain
    if _BARE_CR.search(plain):
        yield _BARE_CR.sub(b"\n", plain)
        yield _BARE_CR.sub(b"", plain)


def _end(pattern: re.Pattern[bytes], text: Buffer, start: int) -> int:
    # The line end before it may be the one that the field's own line has.
    match = pattern.search(text, start)
    return match.end() if match else len(text)


def _without_last_delimiters(body: bytes) -> bytes:
    for _ in range(_LAST_DELIMITERS):
        body = body.rstrip(b"\r\n")
        line = body.rfind(b"\n") + 1
        if not body.startswith(b"--", line):
            break
        body = body[:line]
    return body


def _contents(body: bytes, encodings: str) -> Iterator[tuple[bytes, bool]]:
    """What the body may be, by the encodings that are said and by its looks; True where it was
    decoded."""
    delimiter = _DELIMITER.search(body)
    letters = body[: delimiter.start()] if delimiter else body
    looks_base64 = _LOOKS_BASE64.fullmatch(letters[:_SAMPLE]) is not None
    if looks_base64 or "base64" in encodings:
        content = decode_base64(letters)
        yield content, True
        yield from ((other, True) for other in other_contents(letters, "base64", content))
        if delimiter:
            # The line may be none that separates parts, but one that a decoder passes over.
            yield decode_base64(body), True
    if "quoted" in encodings:
        yield decode_transfer(body, "quoted-printable"), True
    if not looks_base64:
        yield body, False
