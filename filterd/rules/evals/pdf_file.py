"""A PDF file as PDFInfo reads it: line by line, without decompressing anything.

Source: Mail::SpamAssassin::Plugin::PDFInfo(3), PDF 32000-1 §7.3.4 (strings), §14.3.3 (document
information).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

MAGIC = 1024
"""Octets in which the file's magic number begins."""

FUZZY_LINES = 70
"""Lines that the fuzzy checksum is made of, at most."""

VALUE_LIMIT = 256
"""Octets of a property's value."""

_VERSION = re.compile(rb"%PDF-\d\.\d")
_NOT_FUZZY = re.compile(rb"%|/(?:Height|Width|MediaBox|CropBox)|(?:\d++\s++){6}cm$")
_MATRIX = re.compile(rb"(\d++)\s++\d++\s++\d++\s++(\d++)\s++\d++\s++\d++\s++cm$")
_SIZE = re.compile(rb"/Width\s(\d++)/Height\s(\d++)")
_TAG = re.compile(rb"/([A-Za-z]+)")
_OPENED = re.compile(rb"\s{0,2}([(<])")
_CLOSED = re.compile(rb"(?<!\\)\)")
_DATE = re.compile(rb"\s{0,2}\(D:(\d++)")
_OCTAL = re.compile(rb"(?<!\\)\\([0-3][0-7][0-7])")
_ESCAPED = re.compile(rb"\\([()\\])")
_HEX = re.compile(rb"[0-9A-Fa-f]{2}")

_TEXTS = {b"/Author": "author", b"/Creator": "creator", b"/Producer": "producer"}
_TEXTS[b"/Title"] = "title"
_DATES = {b"/CreationDate": "created", b"/ModDate": "modified"}


@dataclass(slots=True)
class PdfFile:
    """What is seen in one file.

    is_pdf: the magic number is there. sizes: (height, width) of its pictures in pixels, and of all
    together. images: how many; area: all of them, in pixels. details: values by property.
    checksums: MD5 of the file; fuzzy: of its first lines, and of its keys; upper-case hexadecimal.
    """

    is_pdf: bool = False
    is_encrypted: bool = False
    images: int = 0
    area: int = 0
    sizes: set[tuple[int, int]] = field(default_factory=set)
    details: dict[str, set[bytes]] = field(default_factory=dict)
    checksums: set[str] = field(default_factory=set)
    fuzzy: set[str] = field(default_factory=set)


def read_pdf(data: bytes) -> PdfFile:
    """What is seen in a file's octets."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if _VERSION.search(data, 0, MAGIC + 8) is None:
        return PdfFile()
    found = PdfFile(is_pdf=True, checksums={_md5(data)})
    reader = _PdfReader(found)
    for line in data.split(b"\n"):
        if line:
            reader.read(line)
    reader.finish()
    return found


class _PdfReader:
    def __init__(self, found: PdfFile) -> None:
        self._found = found
        self._lines = 0
        self._fuzzy: list[bytes] | None = []
        self._first_lines: list[bytes] = []
        self._keys: list[bytes] = []
        self._expects_size = False
        self._height = self._width = 0

    def read(self, line: bytes) -> None:
        if self._fuzzy is not None:
            line = self._read_first(line)
        if b"/" not in line and not (self._expects_size and line.endswith(b"cm")):
            return
        self._expects_size |= b"/Image" in line
        self._found.is_encrypted |= line.startswith(b"/Encrypt")
        if self._expects_size:
            size = _MATRIX.match(line) or _SIZE.search(line)
            if size is not None:
                self._add_image(int(size[2][:9]), int(size[1][:9]))
        key = _TAG.match(line)
        if key is not None:
            self._keys.append(key[1])
        for name, detail in _TEXTS.items():
            if name in line and (value := _string(line, name)) is not None:
                self._found.details.setdefault(detail, set()).add(value)
        for name, detail in _DATES.items():
            if name in line and (digits := _digits(line, name)):
                self._found.details.setdefault(detail, set()).add(digits)

    def _read_first(self, line: bytes) -> bytes:
        self._lines += 1
        if self._lines < FUZZY_LINES:
            if _NOT_FUZZY.match(line) is None:
                line = line.rstrip()
                self._first_lines.append(line)
            if b"stream" in line:
                self._fuzzy = None
        return line

    def _add_image(self, height: int, width: int) -> None:
        if not height or not width:
            return
        self._fuzzy = None
        self._expects_size = False
        self._height += height
        self._width += width
        found = self._found
        found.images += 1
        found.area += height * width
        found.sizes.add((height, width))

    def finish(self) -> None:
        found = self._found
        if self._height:
            found.sizes.add((self._height, self._width))
        for pieces in (self._first_lines, self._keys):
            if joined := b"".join(pieces):
                found.fuzzy.add(_md5(joined))


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest().upper()


def _string(line: bytes, name: bytes) -> bytes | None:
    """The string behind a name, `(...)` or `<...>`; None if none is closed."""
    position, never_closed = 0, set()
    while (position := line.find(name, position)) >= 0:
        position += len(name)
        opened = _OPENED.match(line, position)
        if opened is None or opened[1] in never_closed:
            continue
        start = opened.end()
        closed = _CLOSED.search(line, start) if opened[1] == b"(" else None
        end = closed.start() if closed is not None else -1
        if opened[1] == b"<":
            end = line.find(b">", start)
        if end >= 0:
            value = line[start:end]
            return _text(value) if opened[1] == b"(" else _from_hex(value)
        never_closed.add(opened[1])
    return None


def _digits(line: bytes, name: bytes) -> bytes:
    position = 0
    while (position := line.find(name, position)) >= 0:
        position += len(name)
        if (date := _DATE.match(line, position)) is not None:
            return date[1][:VALUE_LIMIT]
    return b""


def _text(value: bytes) -> bytes:
    value = _OCTAL.sub(lambda match: bytes((int(match[1], 8),)), value)
    return _ESCAPED.sub(rb"\1", _without_utf16(value))[:VALUE_LIMIT]


def _from_hex(value: bytes) -> bytes:
    return _without_utf16(bytes(int(pair, 16) for pair in _HEX.findall(value)))[:VALUE_LIMIT]


def _without_utf16(value: bytes) -> bytes:
    """UTF-16 made ASCII by leaving out what is zero."""
    return value[2:].replace(b"\0", b"") if value[:2] in (b"\xfe\xff", b"\xff\xfe") else value
