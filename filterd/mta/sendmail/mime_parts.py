"""A message of MIME is written again, part for part, in seven bits where a server wants that.

sendmail does so with every message of several parts: what stands before the first and behind the
last part loses its eighth bits, and a last boundary that is missing is added.

Source: sendmail 8.17 `mime.c` (mime8to7), observed.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable
from dataclasses import dataclass, replace

from filterd.mta.mail.header import split_message
from filterd.mta.sendmail.mime_lengths import cut_fields
from filterd.mta.sendmail.mime_tokens import MimeContentType, content_type, encoding

MAX_DEPTH = 20
"""Parts in parts, MAXMIMENESTING; what is in deeper ones stays as it is."""

SAMPLE = 4096
"""Octets after which a text with many of eight bits needs no more counting."""

_ENCODING = b"content-transfer-encoding"
_VERSION = (b"MIME-Version", b" 1.0")
_HIGH = bytes(range(0x80, 0x100))
_SEVEN = bytes(code & 0x7F for code in range(0x100))
_BASE64_OCTETS = 54
"""Octets in a line of 72 characters."""

_PLAIN_LINE = re.compile(rb"(?:[\t\x20-\x3c\x3e-\x7e]{0,71}[\x21-\x3c\x3e-\x7e])?")
_EXTENDED = frozenset(b'!"#$@[\\]^`{|}~')


@dataclass(frozen=True, slots=True)
class PartStyle:
    """How parts are written.

    is_seven: text of eight bits is encoded. is_in: whether a class has a word. lengths: of fields
    and of their parameters. host, id: for the note of what was done. extends: signs that are not in
    EBCDIC are encoded, too (flag `3`). hides_from: `From ` at the beginning of a line is (flag
    `E`).
    """

    is_in: Callable[[str, str], bool]
    lengths: tuple[int, int]
    host: str = ""
    id: str = ""
    is_seven: bool = False
    extends: bool = False
    hides_from: bool = False


Fields = list[tuple[bytes, bytes]]


def rewritten_parts(fields: Fields, body: bytes, style: PartStyle) -> bytes:
    """The message. LF line ends. fields: of its header; with `is_seven` that of the encoding is
    written behind the others."""
    writer = _Writer(body, style)
    writer.header(fields)
    writer.part(_Part.of(fields))
    return b"\n".join([*writer.out, b""])


def has_parts(fields: Fields) -> bool:
    """Whether there is something to be gone through."""
    kind = content_type(_value(fields, b"content-type")).kind
    return kind in ("multipart", "message")


@dataclass(frozen=True, slots=True)
class _Part:
    """What the header of a part says. is_closed: nothing in it is encoded."""

    type: MimeContentType
    encoding: str
    is_closed: bool = False
    depth: int = 0

    @classmethod
    def of(
        cls,
        fields: Fields,
        default: bytes = b"text/plain",
        *,
        is_closed: bool = False,
        depth: int = 0,
    ) -> _Part:
        type = content_type(_value(fields, b"content-type"), default)
        found = encoding(_value(fields, _ENCODING))
        return cls(type, found, is_closed or type.is_odd, depth)


class _Writer:
    def __init__(self, body: bytes, style: PartStyle) -> None:
        self.out: list[bytes] = []
        self._lines = body.removesuffix(b"\n").split(b"\n") if body else []
        self._at = 0
        self._style = style
        self._boundaries: list[bytes] = []

    def header(self, fields: Fields) -> None:
        for name, value in cut_fields(fields, self._style.lengths, self._style.is_in):
            if not (self._style.is_seven and name.lower() == _ENCODING):
                self.out.append(name + b":" + value)

    def part(self, part: _Part) -> bool:
        """Write what comes behind a header, to the next boundary. Whether that is the last one."""
        style, type = self._style, part.type
        is_kept = (part.encoding != "" and not style.is_in("e", part.encoding)) or style.is_in(
            "n", type.name
        )
        part = replace(part, is_closed=part.is_closed or is_kept)
        if type.kind == "multipart" and part.depth < MAX_DEPTH:
            return self._several(part)
        if type.kind == "message":
            if style.is_in("s", type.subtype) and part.depth < MAX_DEPTH:
                return self._message(part)
            part = replace(part, is_closed=True)
        return self._text(part)

    def _several(self, part: _Part) -> bool:
        self._boundaries.append(part.type.parameters.get("boundary", b"---"))
        mark = b"--" + self._boundaries[-1]
        self.out.append(b"")
        is_last = self._between()
        default = b"message/rfc822" if part.type.subtype == "digest" else b"text/plain"
        while not is_last:
            self.out.append(mark)
            fields = self._fields()
            self.header(fields)
            inner = _Part.of(fields, default, is_closed=part.is_closed, depth=part.depth + 1)
            is_last = self.part(inner)
        self.out.append(mark + b"--")
        self._boundaries.pop()
        return self._between()

    def _between(self) -> bool:
        """What stands before the first part or behind the last one."""
        lines, found = self._section()
        self.out += [line.translate(_SEVEN) for line in lines]
        return found is not False

    def _message(self, part: _Part) -> bool:
        self.out.append(b"")
        fields = self._fields()
        self.header(fields)
        if self._style.is_seven and _value(fields, b"mime-version") is None:
            self.out.append(b":".join(_VERSION))
        inner = _Part.of(fields, is_closed=part.is_closed, depth=part.depth + 1)
        return self.part(inner)

    def _fields(self) -> Fields:
        """The header of a part."""
        start = self._at
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line:
                break
            self._at += 1
        section = b"\n".join([*self._lines[start : self._at], b"", b""])
        fields, rest = split_message(section)
        # What is not a field begins the text.
        left = rest.count(b"\n") - 1 if rest.strip(b"\n") else 0
        if left > 0:
            self._at -= left
        else:
            self._at += 1
        return fields

    def _section(self) -> tuple[list[bytes], bool | None]:
        """The lines up to the next boundary, and whether that one is the last; None where the
        message ends first."""
        start = self._at
        while self._at < len(self._lines):
            line = self._lines[self._at]
            kind = self._boundary(line)
            self._at += 1
            if kind is not None:
                return self._lines[start : self._at - 1], kind
        return self._lines[start:], None

    def _boundary(self, line: bytes) -> bool | None:
        """Whether a line is the last boundary of a part; None for no boundary."""
        if not line.startswith(b"--") or not self._boundaries:
            return None
        text = line[2:].rstrip(b" \t")
        if text in self._boundaries:
            return False
        return True if text.endswith(b"--") and text[:-2] in self._boundaries else None

    def _text(self, part: _Part) -> bool:
        lines, found = self._section()
        style = self._style
        size, high = (0, 0) if part.is_closed or not style.is_seven else _counted(lines)
        if not high:
            if part.encoding and style.is_seven:
                self.out.append(b"Content-Transfer-Encoding: " + part.encoding.encode())
            self.out += [b"", *lines]
        elif part.encoding.lower() == "binary" or (
            size // 8 < high
            and not style.is_in("q", part.type.name)
            and not style.is_in("q", part.type.kind)
        ):
            self._encoded("base64")
            data = b"\r\n".join(lines) + (b"\r\n" if found is None else b"")
            self.out += [
                b2a_base64(data[at : at + _BASE64_OCTETS], newline=False)
                for at in range(0, len(data), _BASE64_OCTETS)
            ]
        else:
            self._encoded("quoted-printable")
            for line in lines:
                self.out += quoted_printable(
                    line, extends=style.extends, hides_from=style.hides_from
                )
            if self._boundaries and found is None:
                self.out.append(b"")
        return found is not False

    def _encoded(self, name: str) -> None:
        note = (
            f"X-MIME-Autoconverted: from 8bit to {name} by {self._style.host} id {self._style.id}"
        )
        self.out += [
            f"Content-Transfer-Encoding: {name}".encode(),
            note.encode("utf-8", "surrogateescape"),
            b"",
        ]


def _counted(lines: list[bytes]) -> tuple[int, int]:
    """Octets of a text, and those of eight bits; where these are many, of its beginning."""
    size = high = 0
    for line in lines:
        size += len(line) + 1
        if not line.isascii():
            high += len(line) - len(line.translate(None, _HIGH))
        if size >= SAMPLE and high > size // 4:
            break
    return size, high


def quoted_printable(
    line: bytes, *, extends: bool = False, hides_from: bool = False
) -> list[bytes]:
    """The lines in which sendmail writes a line, none longer than 76 octets."""
    hides_from = hides_from and line.startswith(b"From ")
    if not extends and not hides_from and _PLAIN_LINE.fullmatch(line):
        return [line]
    done: list[bytes] = []
    out = bytearray()
    before = 0x0A
    for number, one in enumerate(line):
        if before in b" \t":
            out += b"=20" if hides_from and number == len(b"From ") else bytes([before])
        if len(out) > 72 and (len(out) > 75 or one != 0x2E or (len(out) > 73 and before == 0x2E)):
            is_dot = len(out) > 73 and before == 0x2E
            if is_dot:
                # A dot at the end of a piece would be one at the beginning of the next.
                out.pop()
            done.append(bytes(out) + b"=")
            out = bytearray(b"." if is_dot else b"")
        if one in b" \t":
            pass
        elif one == 0x3D or not 0x20 < one < 0x7F or (extends and one in _EXTENDED):
            out += b"=%02X" % one
        else:
            out.append(one)
        before = one
    if before in b" \t" and line:
        out += b"=%02X" % before
    return [*done, bytes(out)]


def _value(fields: Fields, name: bytes) -> bytes | None:
    return next((value for one, value in fields if one.lower() == name), None)
