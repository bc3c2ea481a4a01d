"""All that a file is to one reader or another: by its first octets, its name, its declared type,
and by marks further in it.

Readers choose by different signs: the desktop by the name, a browser by the declared type,
unpackers by the last octets or by a mark anywhere. So a file is read as everything that one of
these signs makes it, and no sign takes another's place. Marks are cheap to add, so what follows a
mark only counts if its header holds together (checksums, lengths, positions).
"""

from __future__ import annotations

import heapq
import struct
import zlib
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

from filterd.filters.parts.unpacking import msi, rar
from filterd.filters.parts.unpacking.kinds import (
    ARCHIVE_KINDS,
    HEAD_SIZE,
    MARKUP_WINDOW,
    kinds_of,
    markup_kind,
)
from filterd.filters.parts.unpacking.names import extensions as extensions_of
from filterd.message.inline_files import MARKS as CODED_MARKS

HEADERS_LIMIT = 20_000
"""Headers of RAR archives in one file that are followed to find where they end."""

ONENOTE_FILE = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
"""GUID before each file that a OneNote section keeps (MS-ONESTORE §2.6.13, FileDataStoreObject)."""

MARKUP_EXTENSIONS = ("html", "htm", "shtml", "shtm", "xhtml", "xht", "xhtm", "svg", "hta")
"""Extensions that a browser, or the host of HTML applications, opens as a page."""

_BY_NAME = {
    **dict.fromkeys(("eml", "nws", "email", "mbox"), "mail"),
    **dict.fromkeys(("mht", "mhtml"), "mht"),
    **dict.fromkeys(("p7m", "p7z"), "cms"),
    **dict.fromkeys(MARKUP_EXTENSIONS, "html"),
    **dict.fromkeys(("ics", "ical", "icalendar", "ifb", "vcs", "vcf", "vcard"), "icalendar"),
    "svg": "svg",
    "pdf": "pdf",
}
_BY_TYPE = {
    "message/rfc822": "mail",
    "message/global": "mail",
    "multipart/related": "mht",
    "application/x-mimearchive": "mht",
    "application/pkcs7-mime": "cms",
    "application/x-pkcs7-mime": "cms",
    "text/calendar": "icalendar",
    "text/vcard": "icalendar",
    "text/x-vcard": "icalendar",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/hta": "html",
    "image/svg+xml": "svg",
    "application/pdf": "pdf",
}
_VAGUE_EXTENSIONS = frozenset({"", "bin", "dat", "data", "file", "tmp"})
"""Extensions that leave it to the reader's program to look inside."""

_OPENED_AS_PAGE = frozenset(
    {"doc", "docx", "dot", "rtf", "xls", "xlsx", "xlt", "ppt", "pps", *MARKUP_EXTENSIONS}
)
"""Extensions whose programs show a page that is stored like a mail, from any sender."""

_PAGES = frozenset({"html", "svg", "hta"})
_PICTURES = frozenset({"gif", "jpeg", "png"})
_STRUCTURED = ARCHIVE_KINDS | {"ole", "tnef", "mail", "apple", "cms"}
"""Kinds that keep files as a whole: what begins in them is one of those, and comes by itself."""

_SNIFFED = 256
"""Octets in which browsers have looked for tags in a file that no name or type tells of."""

_HEADER_SAMPLE = 16 << 10
_TEXT_SAMPLE = 512
_FOOTER_SIZE = 512
_DISK_FOOTERS = {b"conectix\0": "vhd", b"koly\0": "disk"}
"""Disk images that are known by their last 512 octets: Virtual PC's, and Apple's (UDIF)."""

_CODED_ELEMENTS = (b"binaryData>", b"binary-data>", b"binData ", b"binData>")
"""Of Office documents that are one XML file: what is a member of the ZIP file otherwise."""

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TNEF = b"\x78\x9f\x3e\x22"
_AT_TOP_BEHIND_JUNK = (_OLE, _TNEF)
_JUNK_WINDOW = 1024

_LOCAL = b"PK\x03\x04"
_ZIP_END = b"PK\x05\x06"
_ZIP_END_RECORD = struct.Struct("<4s4H2IH")  # APPNOTE.TXT 4.3.16
_CENTRAL = b"PK\x01\x02"
_ZIP64 = 0xFFFFFFFF
_SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
_SEVEN_ZIP_HEAD = struct.Struct("<6s2xIQQ4x")  # 7zFormat.txt, SignatureHeader
_CABINET = struct.Struct("<4sIII")  # MS-CAB §2.1: mark, reserved, size, reserved


class Span(NamedTuple):
    """Where a file lies in another."""

    start: int
    end: int


def kinds(content: bytes, names: Sequence[str] = (), media_type: str = "") -> tuple[str, ...]:
    """The kinds of a whole file, the likeliest first. media_type: as declared, in lower case."""
    found = dict.fromkeys(kinds_of(content[:HEAD_SIZE]))
    extensions = {extension for name in names for extension, _ in extensions_of(name)}
    named = {_BY_NAME[extension] for extension in extensions if extension in _BY_NAME}
    named |= {_BY_TYPE[media_type]} if media_type in _BY_TYPE else set()
    is_structured = not _STRUCTURED.isdisjoint(found)
    is_picture = not _PICTURES.isdisjoint(found)
    if _has_pdf(
        content, found, is_named="pdf" in named, is_sought=not (is_structured or is_picture)
    ):
        found["pdf"] = None
    if not _PAGES.isdisjoint(named):
        if _PAGES.isdisjoint(found):
            found["html" if "html" in named else "svg"] = None
    elif not is_structured and (is_picture or extensions <= _VAGUE_EXTENSIONS):
        kind = markup_kind(content[: MARKUP_WINDOW if is_picture else _SNIFFED])
        if kind:
            found["svg" if kind == "svg" else "html"] = None
    found.update(dict.fromkeys(sorted(named - _PAGES - {"pdf"})))
    if "mail" in found and (not extensions.isdisjoint(_OPENED_AS_PAGE) or _is_web_archive(content)):
        found["mht"] = None
    if "ole" in found and msi.is_installer(content):
        found["msi"] = None
    footer = content[-_FOOTER_SIZE:]
    for mark, kind in _DISK_FOOTERS.items():
        if footer.startswith(mark):
            found[kind] = None
    if ONENOTE_FILE in content:
        found["onenote"] = None
    if content[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<?xml") and any(
        element in content for element in _CODED_ELEMENTS
    ):
        found["flat"] = None
    is_text = b"\0" not in content[:_TEXT_SAMPLE] and not is_structured
    if (is_text or "mail" in named) and any(mark in content for mark in CODED_MARKS):
        found["text"] = None
    return tuple(found)


def _has_pdf(content: bytes, found: Container[str], *, is_named: bool, is_sought: bool) -> bool:
    """True for a PDF's mark further in than most readers look, where some still do."""
    return "pdf" not in found and (is_named or is_sought) and b"%PDF-" in content


def _is_web_archive(content: bytes) -> bool:
    """True for what browsers and Word write as a page with its images (RFC 2557): nobody sent it,
    so it has no `From`, or one that says what it is."""
    head = content[:_HEADER_SAMPLE].replace(b"\r", b"").lstrip(b"\n").partition(b"\n\n")[0]
    lowered = b"\n" + head.lower()
    if b"\nmime-version:" not in lowered:
        return False
    return (
        b"\nfrom:" not in lowered
        or b"\nfrom: <saved by" in lowered
        or b"\nsnapshot-content-location:" in lowered
    )


def embedded(content: bytes) -> list[Span]:
    """Files that begin behind the top and that unpackers find there, in order.

    ZIP files by their directories, which count from the end; RAR, 7z and cabinets by their marks; a
    compound file or TNEF stream behind a few other octets.
    """
    found = [*_zip_files(content), *_rar_files(content), *_seven_zip_files(content)]
    found += _cabinets(content)
    for mark in _AT_TOP_BEHIND_JUNK:
        start = content.find(mark, 1, _JUNK_WINDOW)
        if start > 0:
            found.append(Span(start, len(content)))
    return sorted(set(found) - {Span(0, len(content))})


def _positions(content: bytes, mark: bytes) -> Iterator[int]:
    position = content.find(mark)
    while position >= 0:
        yield position
        position = content.find(mark, position + 1)


def _zip_files(content: bytes) -> Iterator[Span]:
    """ZIP files, but for those that are whole within a member's place of another."""
    members: list[tuple[int, int]] = []  # where members lie: the directory's offset, the first's
    waiting: list[tuple[int, int]] = []
    outermost = len(content)
    for end in reversed(list(_positions(content, _ZIP_END))):
        place = _zip_file(content, end)
        if place is None:
            continue
        start, directory, behind = place
        while waiting and -waiting[0][0] >= end:
            outermost = min(outermost, heapq.heappop(waiting)[1])
        if start >= outermost:
            continue
        heapq.heappush(waiting, (-directory, start))
        members.append((start, directory))
        yield Span(start, behind)
    if not content.startswith(_LOCAL):
        start = _first_outside(content, sorted(members))
        if start >= 0:
            yield Span(start, len(content))


def _zip_file(content: bytes, end: int) -> tuple[int, int, int] | None:
    """Where a ZIP file begins, where its directory does, and where it ends, by its end record."""
    if end + _ZIP_END_RECORD.size > len(content):
        return None
    _, _, _, _, count, size, offset, comment = _ZIP_END_RECORD.unpack_from(content, end)
    behind = min(end + _ZIP_END_RECORD.size + comment, len(content))
    if _ZIP64 in (size, offset):
        return 0, end, behind
    directory = end - size
    if count and directory >= offset and content.startswith(_CENTRAL, directory):
        return directory - offset, directory, behind
    return None


def _first_outside(content: bytes, members: list[tuple[int, int]]) -> int:
    """The first member that is in no ZIP file with a directory; -1 if there is none."""
    position = content.find(_LOCAL)
    for start, directory in members:
        if 0 <= position < start:
            break
        if 0 <= position < directory:
            position = content.find(_LOCAL, directory)
    return position


def _rar_files(content: bytes) -> Iterator[Span]:
    left, is_first = HEADERS_LIMIT, True
    for start in _positions(content, rar.MARK):
        if start == 0:
            continue
        headers = rar.look(content, start, left)
        left -= headers.count
        # The first counts in any case: some readers go on though a checksum is wrong.
        if headers.end or is_first:
            yield Span(start, headers.end if headers.is_whole else len(content))
        is_first = False


def _seven_zip_files(content: bytes) -> Iterator[Span]:
    is_first = True
    for start in _positions(content, _SEVEN_ZIP):
        if start == 0 or start + _SEVEN_ZIP_HEAD.size > len(content):
            continue
        head = content[start : start + _SEVEN_ZIP_HEAD.size]
        _, checksum, offset, size = _SEVEN_ZIP_HEAD.unpack(head)
        if zlib.crc32(head[12:]) == checksum:
            yield Span(start, min(start + len(head) + offset + size, len(content)))
        elif is_first:
            yield Span(start, len(content))
        is_first = False


def _cabinets(content: bytes) -> Iterator[Span]:
    for start in _positions(content, b"MSCF\0\0\0\0"):
        if start and start + 36 <= len(content):
            _, _, size, reserved = _CABINET.unpack_from(content, start)
            is_version_1 = content[start + 25] == 1
            if not reserved and is_version_1 and 36 < size <= len(content) - start:
                yield Span(start, start + size)
