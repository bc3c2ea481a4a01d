"""PDF: script, launch actions, embedded files, passwords, also inside object streams.

Source: ISO 32000-1 §7.3.5, §7.4, §7.5.7, §12.6.4.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator, Sequence, Set
from itertools import islice

from filterd.filters.parts.unpacking import pdf_actions, pdf_password
from filterd.filters.parts.unpacking.kinds import kind_of

STREAM_LIMIT = 2000
"""Compressed streams of one PDF that are opened."""

CANDIDATES_LIMIT = 100_000
"""Streams of one PDF of which is asked whether they are to be opened."""

STREAM_SIZE = 1 << 20
"""Octets of one of them that are looked at, where it is encrypted or has another filter than
Flate."""

BLOCK_SIZE = 64 << 10
"""Octets that are unpacked at a time."""

OBJECTS_SIZE = 32 << 20
"""Octets of all object streams of one PDF that are looked at; in a manual of a thousand pages they
have five million."""

FILE_SIZE = 16 << 20
"""Octets of one embedded file that are looked at."""

DICTIONARY_SIZE = 4096
"""Octets before a stream in which its dictionary is looked for; that of one that begins farther
away is taken for an object stream's."""

Finding = tuple[str, str]
"""Name of a symbol, and what was found."""

_NAME_ESCAPE = re.compile(rb"#([0-9a-fA-F]{2})")
# Readers take other line ends than the two of the standard, too.
_STREAM = re.compile(rb"(?<!end)stream[ \t]{0,9}+(?:\r\n?|\n)")
_NAMES: tuple[tuple[bytes, str], ...] = (
    (b"/JavaScript", "DOC_SCRIPT"),
    (b"/JS", "DOC_SCRIPT"),
    (b"/XFA", "DOC_SCRIPT"),
    (b"/Launch", "DOC_LAUNCH"),
    (b"/GoToE", "DOC_EMBEDDED"),
    (b"/RichMedia", "DOC_EMBEDDED"),
)
# The short ones count with a value behind them: three octets stand in many a compressed picture.
_NAME = re.compile(
    rb"(/JavaScript|/Launch|/GoToE|/RichMedia)(?![A-Za-z0-9#_-])"
    rb"|(/JS|/XFA)(?=[\s\0]*+(?:[(<\[%]|(?<=[\s\0])\d))"
)
# A string in one line, without others in it: names in it are text, as in the target of a link.
_STRING = re.compile(rb"(?<!\\)\((?:[^()\\<\r\n]|\\[^\r\n]|<(?!<))*+\)")
_SYMBOLS = dict(_NAMES)
_EMBEDDED = re.compile(rb"/EmbeddedFile(?![A-Za-z0-9#_-])|/EF\s*<<([^>]{0,200})")
# Of a file specification (§7.11.3); parentheses in pairs need no escape.
_FILE_NAME = re.compile(
    rb"/(?:U?F|DOS|Mac|Unix)[\s\0]*+"
    rb"(?:\(((?:[^()\\]|\\.|\((?:[^()\\]|\\.){0,128}+\)){1,512}+)\)|<([0-9A-Fa-f\s]{2,1024}+)>)",
    re.DOTALL,
)
_OCTET = re.compile(rb"\\(?:([0-7]{1,3})|(.))", re.DOTALL)
_REFERENCE = re.compile(rb"(\d{1,9})\s+\d{1,5}\s+R\b")
_OBJECT = re.compile(rb"(\d{1,9})\s+\d{1,5}\s+obj\b")
_ENCRYPT = re.compile(rb"/Encrypt\s*+(?:\d|<<)")
# No program that writes PDF packs objects or files so.
_ODD_PACKING = re.compile(
    rb"/(?:LZWDecode|LZW|RunLengthDecode|RL)\b|/Predictor[\s\0]*+(?:[2-9]|1[0-9])"
)
_FILTER = re.compile(rb"/(ASCIIHexDecode|AHx|ASCII85Decode|A85|FlateDecode|Fl)\b")


def findings(content: bytes) -> Iterator[Finding]:
    """What the document would do when opened."""
    pieces = _pieces(content)
    if sum(map(len, pieces[1:])) >= OBJECTS_SIZE:
        yield "ARCHIVE_LIMIT", f"a PDF with more than {OBJECTS_SIZE} octets of packed objects"
    if _has_files(content, pieces):
        yield "DOC_EMBEDDED", "PDF with EmbeddedFile"
    for piece in pieces:
        for long, short in dict.fromkeys(_NAME.findall(_resolved(_STRING.sub(b"()", piece)))):
            name = long or short
            yield _SYMBOLS[name], f"PDF with {name[1:].decode()}"
    yield from pdf_actions.findings([_resolved(piece) for piece in pieces])
    if _has_odd_packing(content):
        yield "ARCHIVE_UNREADABLE", "a PDF with objects that are packed as nothing here reads"
    if _ENCRYPT.search(_resolved(content)) and pdf_password.key(content) is None:
        yield "DOC_ENCRYPTED", "a PDF with a password"


def objects_size(content: bytes) -> int:
    """Octets that the object streams unpack to, as far as they are looked at."""
    return sum(map(len, _object_streams(content)))


def embedded_files(content: bytes) -> Iterator[bytes]:
    """The files that are embedded (§7.11.4), as far as they can be unpacked."""
    return (octets for _number, octets in _embedded(content, _wanted(_pieces(content))))


def file_names(content: bytes) -> Iterator[str]:
    """What embedded files are called (§7.11.3), and files that the document refers to, no URLs."""
    for piece in _pieces(content):
        for literal, digits in _FILE_NAME.findall(_resolved(piece)):
            octets = _OCTET.sub(_unescaped, literal) if literal else _of_digits(digits)
            name = octets.decode(_charset(octets), "replace")
            if "://" not in name:
                yield name


def _charset(octets: bytes) -> str:
    """Of a text (§7.9.2.2): by its mark, otherwise nearly that of the West."""
    if octets.startswith(b"\xfe\xff"):
        return "utf-16-be"
    return "utf-8-sig" if octets.startswith(b"\xef\xbb\xbf") else "latin-1"


def _unescaped(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 8) & 255]) if match[1] else match[2]


def _of_digits(digits: bytes) -> bytes:
    """What hexadecimal digits stand for; one that is missing is 0 (§7.3.4.3)."""
    digits = b"".join(digits.split())
    return binascii.unhexlify(digits + b"0" * (len(digits) % 2))


def _has_files(content: bytes, pieces: Sequence[bytes]) -> bool:
    """True if there are embedded files, and not only the data of an invoice, which is XML for
    programs (EN 16931: ZUGFeRD, Factur-X)."""
    if not any(_EMBEDDED.search(_resolved(piece)) for piece in pieces):
        return False
    wanted, found, size = _wanted(pieces), set(), 0
    for number, octets in _embedded(content, wanted):
        size += len(octets)
        if size > FILE_SIZE or not _is_data(octets):
            return True
        found.add(number)
    return not found or not wanted <= found


def _is_data(octets: bytes) -> bool:
    is_xml = octets[:8].lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<?xml")
    return is_xml and kind_of(octets) == "" and b"<?xml-stylesheet" not in octets


def _wanted(pieces: Sequence[bytes]) -> set[int]:
    """Numbers of the objects that are said to be files."""
    return {
        int(number)
        for piece in pieces
        for references in _EMBEDDED.findall(_resolved(piece))
        for number in _REFERENCE.findall(references)
    }


def _embedded(content: bytes, wanted: Set[int]) -> Iterator[tuple[int, bytes]]:
    key = _key(content)
    read = 0
    for number, dictionary, start in _streams(content):
        if number in wanted or b"/EmbeddedFile" in dictionary:
            stop = content.find(b"endstream", start, start + FILE_SIZE)
            packed = content[start : stop if stop >= 0 else start + FILE_SIZE]
            # Streams that have no end would all go to the end of the file.
            read += len(packed)
            if read > len(content) + FILE_SIZE:
                return
            packed = key.decrypted(packed, number, 0) if key else packed
            yield number, _unpacked(packed, _filters(dictionary), FILE_SIZE)


def _key(content: bytes) -> pdf_password.Key | None:
    return pdf_password.key(content) if b"/Encrypt" in content else None


def _pieces(content: bytes) -> list[bytes]:
    """The document and what its object streams hold."""
    return [content, *_object_streams(content)]


def _resolved(content: bytes) -> bytes:
    """Names with their `#xx` escapes resolved (§7.3.5)."""
    if b"#" not in content:
        return content
    return _NAME_ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), content)


def _object_streams(content: bytes) -> Iterator[bytes]:
    """Object streams, unpacked: dictionaries may stand in them since PDF 1.5 (§7.5.7)."""
    key = _key(content)
    if b"/ObjStm" not in content and b"#" not in content:
        return
    left = OBJECTS_SIZE
    for number, dictionary, start in _streams(content, b"/ObjStm"):
        if b"/ObjStm" not in dictionary or left <= 0:
            continue
        filters = _filters(dictionary)
        if not key and filters == ["FlateDecode"]:
            unpacked, read = _inflated(content, start, left)
            left -= max(len(unpacked), read // 4)
        else:
            # Packed, a stream takes a fourth; to decrypt is not to read four times as much.
            packed = content[start : start + (STREAM_SIZE // 4 if key else STREAM_SIZE)]
            packed = key.decrypted(packed, number, 0) if key else packed
            unpacked = _unpacked(packed, filters, min(STREAM_SIZE, left))
            # What is copied and decrypted counts as well, by what that costs.
            left -= max(len(unpacked), len(packed) // (16 if key else 256))
        yield unpacked


def _inflated(content: bytes, start: int, limit: int) -> tuple[bytes, int]:
    """Up to `limit` octets of a stream that begins there, and how much of the file it took."""
    unpacking, blocks, position = zlib.decompressobj(), list[bytes](), start
    left = limit
    try:
        while left > 0 and not unpacking.eof and position - start < limit:
            block = content[position : position + BLOCK_SIZE]
            if not block:
                break
            position += len(block)
            while block and left > 0:
                blocks.append(unpacking.decompress(block, left))
                left -= len(blocks[-1])
                block = unpacking.unconsumed_tail
    except zlib.error:
        pass  # so far it was good
    return b"".join(blocks), position - start


def _has_odd_packing(content: bytes) -> bool:
    """True if objects or files are packed in a way that hides what is in them from this reader."""
    if not _ODD_PACKING.search(_resolved(content)):
        return False
    return any(
        (b"/ObjStm" in dictionary or b"/EmbeddedFile" in dictionary)
        and _ODD_PACKING.search(dictionary)
        for _number, dictionary, _start in _streams(content, b"/ObjStm", b"/EmbeddedFile")
    )


def _streams(content: bytes, *marks: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Number of the object (0 if it is not near), dictionary, and where the octets begin.

    marks: only streams near which one of them stands, or a name that is escaped, and those whose
    dictionary begins too far before, whose kind is then taken for the first mark's; none: all.
    """
    count = 0
    for match in islice(_STREAM.finditer(content), CANDIDATES_LIMIT):
        before = content[max(0, match.start() - DICTIONARY_SIZE) : match.start()]
        at = before.rfind(b" obj") + 1
        is_far = marks and not at and len(before) == DICTIONARY_SIZE
        if marks and not is_far and not any(mark in before for mark in (*marks, b"#")):
            continue
        count += 1
        if count > STREAM_LIMIT:
            return
        head = _OBJECT.search(before, max(0, at - 20), at + 3)
        dictionary = _resolved(before[at:])
        if is_far:
            dictionary += marks[0]
        yield int(head[1]) if head else 0, dictionary, match.end()


def _filters(dictionary: bytes) -> list[str]:
    return [name.decode() for name in _FILTER.findall(dictionary)]


def _unpacked(octets: bytes, filters: list[str], limit: int) -> bytes:
    """The stream less its filters, in their order (§7.4); what is broken, as far as it goes."""
    for name in filters[:4]:
        try:
            if name in ("FlateDecode", "Fl"):
                octets = zlib.decompressobj().decompress(octets, limit)
            elif name in ("ASCIIHexDecode", "AHx"):
                octets = _of_digits(octets.partition(b">")[0])
            else:
                octets = base64.a85decode(octets.partition(b"~>")[0].removeprefix(b"<~"))
        except (zlib.error, binascii.Error, ValueError):
            return b""
    return octets[:limit]
