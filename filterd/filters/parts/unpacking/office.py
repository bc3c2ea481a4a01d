"""Office files: macros, DDE, embedded files, passwords, and what they load from elsewhere.

The members of Office's ZIP files come here one by one, as files of their own, so a macro storage is
found wherever it lies. Whether macros start by themselves is asked of oletools, which is loaded
only when there are macros. Sources: MS-OVBA §2.2.1, MS-DOC §2.5.1, MS-PPT §2.3.2, MS-XLS §2.4.
"""

from __future__ import annotations

import io
import logging
import re
import struct
from collections.abc import Iterator

from filterd.filters.parts.unpacking import linked, macros, word_fields
from filterd.filters.parts.unpacking.files import OLE_ERRORS, File
from filterd.filters.parts.unpacking.tables import narrow

RECORD_LIMIT = 100_000
"""Records of a workbook that are looked at; the sheets are named among the first."""

LINKS_LIMIT = 1000
"""Linked objects of one document that are looked at."""

Finding = tuple[str, str]
"""Name of a symbol, and what was found."""

_RECORD = struct.Struct("<HH")
_FILE_PASS, _BOUND_SHEET = 0x002F, 0x0085  # MS-XLS §2.4.117, §2.4.28
_WORD_ENCRYPTED = 0x0100  # MS-DOC §2.5.2, FibBase, fEncrypted in the word at octet 10
_POWERPOINT_ENCRYPTED = 0xF3D1C4DF  # MS-PPT §2.3.2, headerToken at octet 12

_DDE_SOURCE = re.compile(rb"<(?:\w{1,20}+:)?(?:ddeLink|dde-source|dde-connection-decl)\b")
_FORMULA = re.compile(rb"(?i)\bformula=\"([^\"<]*+)")
_DDE_CALL = re.compile(rb"(?i)\bDDE\(")
_XML_MACROS = re.compile(
    rb"(?i)macrosPresent\s*=\s*[\"']yes|:docSuppData\b|QWN0aXZlTWlt|pkg:name\s*=\s*[\"'][^\"'<]*vbaProject"
)
_BIN_DATA = re.compile(rb"(?i)<(?:\w{1,20}:)?binData\b([^<>]*+)")
_PICTURE_NAME = re.compile(rb"(?i)\.(?:png|jpe?g|gif|bmp|tiff?|wmf|emf|wmz|emz|pcz|pict)[\"']")
# How OpenDocument says which macro runs on which event, and where the code is in a single file.
_LISTENER = re.compile(rb"<(?:\w{1,20}+:)?event-listener\b([^<>]*+)")
_ON_OPENING = re.compile(
    rb"event-name\s{0,9}=\s{0,9}[\"'](?:dom:(?:load|unload)|office:(?:new|load-finished|start-app"
    rb"|view-created|view-close|prepare-unload)|on-?load|on-?open|on-?new|on-?unload)[\"']"
)
_SOURCE_CODE = re.compile(rb"<(?:\w{1,20}+:)?source-code\b")

_RTF_OBJECT = re.compile(rb"\\obj(?:data|update|emb|link|autlink)\b|\\objda[\s\\]")
_RTF_DDE = re.compile(rb"(?i)\\fldinst\b(?:(?!\\fldinst)[^}]){0,200}?\bDDE(?:AUTO)?\b")

_ODF_EXTENSIONS = tuple("odt ods odp odg odf ott ots otp otg fodt fods fodp".split())

# What is odd about a stranger's macros is not a warning of ours.
logging.getLogger("olevba").disabled = True


def ole(file: File) -> Iterator[Finding]:
    """A compound file: Word, Excel and PowerPoint before 2007, macro storages, encrypted files."""
    import olefile  # noqa: PLC0415 loaded when needed

    try:
        with olefile.OleFileIO(io.BytesIO(file.content)) as ole:
            streams = ["/".join(path).lower() for path in ole.listdir(streams=True, storages=True)]
            heads: dict[str, bytes] = {
                stream: ole.openstream(stream).read()
                for stream in ("workbook", "book", "worddocument", "current user")
                if stream in streams
            }
            links = [
                ole.openstream(stream).read(linked.MONIKER_SIZE)
                for stream in streams
                if stream.rpartition("/")[2] == "\1ole"
            ][:LINKS_LIMIT]
    except OLE_ERRORS:
        yield "DOC_DAMAGED", "an Office file that cannot be read"
        return
    if any(stream.endswith("encryptedpackage") for stream in streams) or _is_encrypted(heads):
        yield "DOC_ENCRYPTED", "an Office document with a password"
    for octets in links:
        yield from linked.in_ole(octets)
    if any(stream.endswith("ole10native") for stream in streams):
        yield "DOC_EMBEDDED", "a file embedded in an Office document"
    yield from workbook(heads.get("workbook") or heads.get("book") or b"")
    if any("_vba_project" in stream or stream.endswith("vba/dir") for stream in streams):
        yield "DOC_MACRO", "Visual Basic macros"
        yield from _what_macros_do(file)


def _is_encrypted(heads: dict[str, bytes]) -> bool:
    word, user = heads.get("worddocument", b""), heads.get("current user", b"")
    if len(word) >= 12 and int.from_bytes(word[10:12], "little") & _WORD_ENCRYPTED:
        return True
    return int.from_bytes(user[12:16], "little") == _POWERPOINT_ENCRYPTED


def workbook(records: bytes) -> Iterator[Finding]:
    """Macro sheets of Excel 4, and a password, by the records of a BIFF workbook (MS-XLS §2.4)."""
    position = 0
    for _ in range(RECORD_LIMIT):
        if position + _RECORD.size > len(records):
            return
        kind, size = _RECORD.unpack_from(records, position)
        position += _RECORD.size
        if kind == _FILE_PASS:
            yield "DOC_ENCRYPTED", "an Excel workbook with a password"
        elif kind == _BOUND_SHEET and records[position + 5 : position + 6] == b"\1":
            yield "DOC_MACRO", "Excel 4 macros"
        position += size


def _what_macros_do(file: File) -> Iterator[Finding]:
    from oletools import olevba  # noqa: PLC0415 heavy, and rarely needed

    try:
        parser = olevba.VBA_Parser(file.names[0] if file.names else "document", data=file.content)
    except (olevba.FileOpenError, olevba.OlevbaBaseException):
        return
    try:
        for _, _, _, code in parser.extract_macros():
            text = code if isinstance(code, str) else code.decode("utf-8", "replace")
            for keyword, _description in olevba.detect_autoexec(macros.procedures(text)):
                if macros.is_start(keyword):
                    yield "DOC_MACRO_AUTO", f"a macro that starts by itself ({keyword})"
                    return
    except olevba.OlevbaBaseException:
        yield "DOC_DAMAGED", "macros that cannot be read"
    finally:
        parser.close()


def member(file: File) -> Iterator[Finding]:
    """A member of an Office file, or an Office file that is one XML document, by its name."""
    name = file.names[0].lower() if file.names else ""
    if name.endswith("vbaproject.bin"):
        yield "DOC_MACRO", "Visual Basic macros"
    if "xl/macrosheets/" in name or "xl/intlmacrosheets/" in name:
        yield "DOC_MACRO", "Excel 4 macros"
    is_odf = bool(file.path) and file.path[-1].lower().endswith(_ODF_EXTENSIONS)
    is_basic = name.startswith("basic/") and b"script:module" in file.content
    if (is_odf and name.startswith(("basic/", "scripts/"))) or is_basic:
        yield "DOC_MACRO", "OpenDocument macros"
    if name == "meta-inf/manifest.xml" and b"encryption-data" in file.content:
        yield "DOC_ENCRYPTED", "an OpenDocument file with a password"
    if file.content.startswith(b"ActiveMime"):
        yield "DOC_MACRO", "macros in ActiveMime"
    if name.endswith(".rels"):
        yield from linked.relationships(narrow(file.content))
    elif name.endswith(".xml") or file.content[:100].lstrip().startswith(b"<?xml"):
        yield from _xml(narrow(file.content))


def rtf(content: bytes) -> Iterator[Finding]:
    """Rich Text."""
    if _RTF_OBJECT.search(content):
        yield "DOC_EMBEDDED", "an object embedded in RTF"
    yield from linked.in_rtf(content)
    if _RTF_DDE.search(content):
        yield "DOC_DDE", "starts a program by DDE"


def _xml(content: bytes) -> Iterator[Finding]:
    has_call = any(map(_DDE_CALL.search, _FORMULA.findall(content)))
    if has_call or _DDE_SOURCE.search(content) or word_fields.has_dde(content):
        yield "DOC_DDE", "starts a program by DDE"
    yield from linked.in_xml(content)
    if _XML_MACROS.search(content) or not all(
        _PICTURE_NAME.search(data[1]) for data in _BIN_DATA.finditer(content)
    ):
        yield "DOC_MACRO", "Visual Basic macros"
    if _SOURCE_CODE.search(content):
        yield "DOC_MACRO", "OpenDocument macros"
    if any(_ON_OPENING.search(listener) for listener in _LISTENER.findall(content)):
        yield "DOC_MACRO_AUTO", "a macro that starts by itself (event-listener)"
