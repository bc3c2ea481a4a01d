"""Files that stand encoded within a text, as was the custom before MIME, and is among some still.

uuencode, `uuencode -m`, yEnc and BinHex, each with the name it has there. Sources: POSIX uuencode,
the yEnc draft 1.3, RFC 1741 §5 and appendix A. What is broken is decoded as far as it can be.
"""

from __future__ import annotations

import binascii
import re
from collections import deque
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import NamedTuple

from filterd.message.decoding import decode_base64, decode_uu

MARKS = (b"begin", b"BinHex")
"""One of these stands in every text with such a file."""

SIZE_LIMIT = 64 << 20
"""Octets that a BinHex file may unfold to; its runs make up to 127 of one."""

NAMES_LIMIT = 5
"""Lines `begin` with nothing of a file between them whose names count."""

_UU = re.compile(rb"(?m)^begin(?:[ \t]++([0-7]{3,4})(?=[ \t])|(?=[ \t\r\n]))([^\r\n]*+)\r?\n")
_UU_NAME = re.compile(rb"[ \t]*+(?:[0-9]++(?:[ \t]++|\Z))?+([^\r\n]*+)")
_UU_BEGUN = re.compile(rb"[!-`][ -`]{1,62}")
_UU_LINE = re.compile(rb"(?m)^[!-`][ -`]{1,62}+(?=[ \t]*+\r*+$)")
_BASE64 = re.compile(
    rb"(?m)^begin-base64[ \t]++[0-7]{3,4}[ \t]++([^\r\n]++)\r?\n([A-Za-z0-9+/=\r\n]*)"
)
_YENC = re.compile(rb"(?m)^=ybegin (?>[^\r\n]*?name=)([^\r\n]*+)\r?\n(?:=ypart [^\r\n]*+\r?\n)?")
_YENC_END = re.compile(rb"(?m)^=y(?:end|begin) ")
_YENC_ESCAPE = re.compile(rb"=(.)", re.DOTALL)
# Takes what it has begun with, whatever follows: so no octet is looked at twice.
_BINHEX = re.compile(rb"converted with BinHex([^\r\n]*+)\s*+(?::([^:]*+))?+")
_RUN = re.compile(rb"(.?)\x90(.)", re.DOTALL)

_YENC_SHIFT = bytes((octet - 42) % 256 for octet in range(256))
_BINHEX_LETTERS = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
_BASE64_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_AS_BASE64 = bytes.maketrans(_BINHEX_LETTERS, _BASE64_LETTERS)


class InlineFile(NamedTuple):
    """coding: what it is encoded in. is_guess: where it begins stands only what few decoders take
    for a beginning, and prose may have it too."""

    coding: str
    name: str
    content: bytes
    is_guess: bool = False


def inline_files(text: bytes) -> Iterator[InlineFile]:
    """All files that stand in the text, coding by coding."""
    if MARKS[0] in text:
        yield from _uuencoded(text)
        for match in _BASE64.finditer(text):
            yield InlineFile("base64", _name(match[1]), decode_base64(match[2]))
        for match in _YENC.finditer(text):
            yield InlineFile("yEnc", _name(match[1]), _yenc(text, match.end()))
    if MARKS[1] in text:
        for match in _BINHEX.finditer(text):
            if match[2] is not None:
                yield _binhex(match[2])
            elif b":" in match[1]:
                # The letters begin in the line itself and go on behind it.
                begin = match.start(1) + match[1].rindex(b":") + 1
                end = text.find(b":", match.end(1))
                yield _binhex(text[begin : end if end >= 0 else len(text)])


def _name(octets: bytes) -> str:
    return octets.strip().decode("utf-8", "replace")


def _uuencoded(text: bytes) -> Iterator[InlineFile]:
    names: deque[str] = deque(maxlen=NAMES_LIMIT)
    for match, following in pairwise(chain(_UU.finditer(text), (None,))):
        assert match is not None
        end = following.start() if following else len(text)
        name = _UU_NAME.match(match[2])
        assert name is not None  # it matches nothing at all, too
        names.append(_name(name[1]))
        is_usual = bool(match[1] and name[1])
        first = _first_line(text, match.end(), end, is_usual=is_usual)
        if first >= 0:
            content = decode_uu(b"begin 644 x\n" + text[first:end])
            for one in dict.fromkeys(names):
                yield InlineFile("uuencode", one, content, is_guess=not is_usual)
            names.clear()


def _first_line(text: bytes, start: int, end: int, *, is_usual: bool) -> int:
    """Where the first line of the file is, -1 if there is none. Behind lines of something else, or
    where mode or name are missing, only one counts that has just the length that it says."""
    if is_usual and _UU_BEGUN.match(text, start, end):
        return start
    for match in _UU_LINE.finditer(text, start, end):
        line = match[0]
        if len(line) == 1 + ((line[0] - 32) % 64 + 2) // 3 * 4:
            return match.start()
    return -1


def _yenc(text: bytes, start: int) -> bytes:
    end = _YENC_END.search(text, start)
    lines = text[start : end.start() if end else len(text)]
    plain = lines.translate(None, b"\r\n")
    unescaped = _YENC_ESCAPE.sub(lambda match: bytes([(match[1][0] - 64) % 256]), plain)
    return unescaped.translate(_YENC_SHIFT)


def _binhex(letters: bytes) -> InlineFile:
    packed = letters.translate(_AS_BASE64, b" \t\r\n")
    packed = packed[: len(packed) - (len(packed) % 4 == 1)]
    try:
        octets = binascii.a2b_base64(packed + b"=" * (-len(packed) % 4))
    except binascii.Error:
        octets = b""
    octets = _unfolded(octets)
    # Length of the name, name, version, type, creator, flags, lengths of both forks, checksum.
    size = octets[0] if octets else 0
    forks = size + 20
    data = int.from_bytes(octets[size + 12 : size + 16], "big")
    return InlineFile("BinHex", _name(octets[1 : 1 + size]), octets[forks + 2 :][:data])


def _unfolded(octets: bytes) -> bytes:
    """Runs written out: an octet, 0x90, how often; 0x90 and 0 is 0x90 itself."""
    pieces: list[bytes] = []
    position = size = 0
    for match in _RUN.finditer(octets):
        count = match[2][0]
        piece = octets[position : match.start()]
        piece += match[1] + b"\x90" if count == 0 else match[1] * count
        pieces.append(piece)
        size += len(piece)
        position = match.end()
        if size > SIZE_LIMIT:
            break
    return b"".join(pieces) + octets[position:]
