"""An Office file as OLEVBMacro reads it: by marks in its octets and by the members of its archive.

Source: Mail::SpamAssassin::Plugin::OLEVBMacro(3), [MS-CFB], [MS-OFFCRYPTO] §2.3.4.4, ECMA-376-2.
The filter `parts` reads macros themselves.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator

MEMBERS = 1000
"""Members of an archive that are looked at."""

MEMBER_LIMIT = 4_000_000
"""Octets of a member that are unpacked."""

LINKS = 10
"""Links to elsewhere that are kept of a message."""

_OLE = b"\xd0\xcf\x11\xe0"
_MACRO_MARKS = (b"\0Attribut\0", b"\x01\0" + "Ole10Na".encode("utf-16-le"))
_OTHER_MARKS = (
    b"\\objemb",
    b"\\objdat",
    b"\\ objdat",
    b'w:macrosPresent="yes"',
    b"vbaProject.bin.rels",
)
_ENCRYPTION = re.compile(rb"<encryption xmlns", re.IGNORECASE)
_PACKAGE = "EncryptedPackage".encode("utf-16-le")[:-1]
_WORKBOOK = "Workbook".encode("utf-16-le")
_AT_START = re.compile(rb"(?:document|auto|workbook)_?open", re.IGNORECASE)
_MACRO_TYPE = re.compile(
    rb"ContentType=[\"']application/vnd\.ms-office\.vbaProject[\"']|macroEnabled"
    rb"|application/vnd\.ms-excel\.(?:intl)?macrosheet",
    re.IGNORECASE,
)
_MACRO_MEMBERS = frozenset(
    "word/vbaproject.bin macros/vba/_vba_project xl/vbaproject.bin"
    " _vba_project_cur/vba/_vba_project ppt/vbaproject.bin".split()
)
_RTF_MEMBER = re.compile(r"word/.{1,50}\.rtf\b")
_TARGET = re.compile(rb'Target="([^"]*+)"', re.IGNORECASE)
_EXTERNAL = re.compile(rb'TargetMode="External"', re.IGNORECASE)
_MHTML = re.compile(
    rb"mhtml:(?:https?://|&#x48;&#x54;&#x50;&#x3a;&#x5c;&#x5c;&#x31;&)", re.IGNORECASE
)
_WEB = re.compile(rb"https?://", re.IGNORECASE)
_PROGRAM_LINK = re.compile(
    rb"\x00https?://[-a-z0-9+&@#/%?=~_|!:,.;]{10,2000}\.(?:exe|cmd|bat)[\x06|\x00]", re.IGNORECASE
)


class OfficeFindings:
    """What was found in the Office files of a message.

    names: `macro`, `object`, `rtf_object`, `malice`, `renamed`, `encrypted`, `zip_password`,
    `csv`, `download`. links: web pages that files are made of. mhtml: those with MHTML.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.links: set[bytes] = set()
        self.mhtml: set[bytes] = set()


def is_ole(data: bytes) -> bool:
    """True for a compound file ([MS-CFB] §2.2)."""
    return data.startswith(_OLE)


def is_archive(name: bytes, data: bytes) -> bool:
    """True for what is, or is called, a ZIP archive."""
    return data.startswith(b"PK") or name.lower().endswith(b".zip")


def members(data: bytes) -> tuple[zipfile.ZipFile, list[zipfile.ZipInfo]] | None:
    """The archive and its members; None if it cannot be read."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return None
    return archive, archive.infolist()[:MEMBERS]


def member_content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes | None:
    """The unpacked octets, the first MEMBER_LIMIT; None if they cannot be read."""
    try:
        with archive.open(member) as file:
            return file.read(MEMBER_LIMIT)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError):
        return None


def is_encrypted(data: bytes) -> bool:
    """True for an encrypted file of Office, as far as its first octets show."""
    if not is_ole(data):
        return False
    if _ENCRYPTION.search(data) is not None:
        return True
    head = data[:2000]
    if _PACKAGE in head:
        return True
    if _WORKBOOK in head:
        return False
    return data[0x208:0x209] == b"\xfe" or data[0x214:0x215] == b"/" or data[0x20B:0x20C] == b"\x13"


def read_old(data: bytes, found: OfficeFindings) -> bool:
    """Look for macros and embedded objects in an OLE, RTF or XML file; True if there are any."""
    marks = _MACRO_MARKS if is_ole(data) else _OTHER_MARKS
    if not any(mark in data for mark in marks):
        return False
    found.names.add("macro")
    if _AT_START.search(data) is not None:
        found.names.add("malice")
    return True


def read_new(name: bytes, data: bytes, found: OfficeFindings) -> bool:
    """Look for macros and links in an Office Open XML file; True if it is one."""
    opened = members(data) if is_archive(name, data) else None
    if opened is None:
        return False
    archive, infos = opened
    is_document, has_macros = False, False
    for info in infos:
        lower = info.filename.lower()
        if lower in _MACRO_MEMBERS:
            is_document = has_macros = True
            found.names.add("macro")
        if lower.startswith("xl/embeddings/"):
            is_document = True
            found.names.add("object")
        if _RTF_MEMBER.match(lower) is not None:
            is_document = True
            found.names.add("rtf_object")
    for info in infos:
        if info.filename == "[Content_Types].xml":
            is_document = True
            content = member_content(archive, info) or b""
            if _MACRO_TYPE.search(content) is not None:
                found.names.add("macro")
        elif ".rels" in info.filename:
            content = member_content(archive, info) or b""
            is_document |= bool(content)
            _read_relations(content, found)
        elif (
            has_macros
            and ".bin" in info.filename
            and _AT_START.search(member_content(archive, info) or b"") is not None
        ):
            found.names.add("malice")
    return is_document


def _read_relations(content: bytes, found: OfficeFindings) -> None:
    for target in _external_targets(content):
        if _MHTML.match(target) is not None and len(found.mhtml) < LINKS:
            found.mhtml.add(target)
        page = target[6:] if target[:6].lower() == b"mhtml:" else target
        if _WEB.match(page) is not None and len(found.links) < LINKS:
            found.links.add(page)


def _external_targets(content: bytes) -> Iterator[bytes]:
    for relation in re.split(rb"Relationship\s", content):
        target = _TARGET.search(relation)
        if target is not None and _EXTERNAL.search(relation, target.end()) is not None:
            yield target[1]


def fetches_program(data: bytes) -> bool:
    """True if a link to a program stands in the file as macros have it."""
    return _PROGRAM_LINK.search(data) is not None
