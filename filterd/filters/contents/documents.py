"""Documents that do something when they are opened: macros, DDE, remote templates, scripts.

The members of Office's ZIP files come here one by one, as files of their own, so a macro storage is
found wherever it lies. Whether macros start by themselves is asked of oletools, which is loaded
only when there are macros. Sources: MS-OVBA §2.2.1, ECMA-376 part 2 §9.3, ISO 32000-1 §12.6.4.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator

from filterd.filters.contents.unpack import File

STREAM_LIMIT = 2000
"""Compressed streams of one PDF that are opened."""

STREAM_SIZE = 1 << 20
"""Octets of one of them that are looked at."""

RECORD_LIMIT = 100_000
"""Records of a workbook that are looked at; the sheets are named among the first."""

Finding = tuple[str, str]

_RECORD = struct.Struct("<HH")
_FILE_PASS, _BOUND_SHEET = 0x002F, 0x0085  # MS-XLS §2.4.117, §2.4.28

_EXTERNAL = re.compile(rb"<Relationship\b[^>]{0,4000}>", re.DOTALL)
_REMOTE_TYPES = (b"/attachedTemplate", b"/oleObject", b"/frame", b"/subDocument", b"/externalLink")
_DDE = re.compile(rb"(?i)\bDDE(?:AUTO)?\b\s*(?:&quot;|\"|c:|[a-z]+\.exe|<)")
_FIELD_TEXT = re.compile(rb"<w:instrText[^>]*>([^<]*)</w:instrText>|w:instr=\"([^\"]*)\"")

_PDF_NAME_ESCAPE = re.compile(rb"#([0-9a-fA-F]{2})")
_PDF_STREAM = re.compile(rb"stream\r?\n")
_PDF_NAMES: tuple[tuple[bytes, str], ...] = (
    (b"/JavaScript", "DOC_SCRIPT"),
    (b"/JS", "DOC_SCRIPT"),
    (b"/Launch", "DOC_LAUNCH"),
    (b"/EmbeddedFile", "DOC_EMBEDDED"),
    (b"/RichMedia", "DOC_EMBEDDED"),
)
_AFTER_PDF_NAME = rb"(?![A-Za-z0-9#_-])"

_SCRIPT = re.compile(rb"(?i)<script\b|\son[a-z]{3,20}\s*=|javascript:|vbscript:|data:text/html")
_RTF_OBJECT = re.compile(rb"\\obj(?:data|update|emb|link|autlink)\b")
_RTF_TEMPLATE = re.compile(rb"\\\*\s*\\template\s+(?:https?:|\\\\|file:)", re.IGNORECASE)


def findings(file: File) -> Iterator[Finding]:
    """What the file would do when opened, as (symbol name, detail); nothing for a plain document.

    DOC_MACRO, DOC_MACRO_AUTO, DOC_DDE, DOC_REMOTE, DOC_EMBEDDED, DOC_SCRIPT, DOC_LAUNCH,
    DOC_ENCRYPTED.
    """
    name = file.names[0].lower() if file.names else ""
    found: Iterator[Finding] = iter(())
    if file.kind == "ole":
        found = _ole(file)
    elif file.kind == "pdf":
        found = _pdf(file.content)
    elif file.kind == "rtf":
        found = _rtf(file.content)
    elif file.kind in ("html", "svg", "hta"):
        found = _markup(file)
    elif "xl/macrosheets/" in name:
        found = iter((("DOC_MACRO", "Excel 4 macros"),))
    elif name.endswith(".rels"):
        found = _relationships(file.content)
    elif name.endswith(".xml"):
        found = _office_xml(file.content)
    for symbol, detail in dict.fromkeys(found):
        yield symbol, f"{file.shown_path}: {detail}"


def _ole(file: File) -> Iterator[Finding]:
    import olefile  # noqa: PLC0415 loaded when needed

    try:
        with olefile.OleFileIO(io.BytesIO(file.content)) as ole:
            streams = ["/".join(path).lower() for path in ole.listdir(streams=True, storages=True)]
            book = next((name for name in ("workbook", "book") if name in streams), "")
            records = ole.openstream(book).read() if book else b""
    except (OSError, ValueError, IndexError, TypeError, KeyError, AttributeError):
        yield "DOC_DAMAGED", "an Office file that cannot be read"
        return
    if any(stream.endswith("encryptedpackage") for stream in streams):
        yield "DOC_ENCRYPTED", "an Office document with a password"
    if any(stream.endswith("ole10native") for stream in streams):
        yield "DOC_EMBEDDED", "a file embedded in an Office document"
    yield from _workbook(records)
    if any("_vba_project" in stream or stream.endswith("vba/dir") for stream in streams):
        yield "DOC_MACRO", "Visual Basic macros"
        yield from _what_macros_do(file)


def _workbook(records: bytes) -> Iterator[Finding]:
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
            for keyword, _description in olevba.detect_autoexec(text):
                yield "DOC_MACRO_AUTO", f"a macro that starts by itself ({keyword})"
                return
    except olevba.OlevbaBaseException:
        yield "DOC_DAMAGED", "macros that cannot be read"
    finally:
        parser.close()


def _relationships(content: bytes) -> Iterator[Finding]:
    for match in _EXTERNAL.finditer(content):
        element = match[0]
        if b"External" not in element:
            continue
        for kind in _REMOTE_TYPES:
            if kind in element and (b"://" in element or b"\\\\" in element):
                yield "DOC_REMOTE", f"loads from elsewhere ({kind[1:].decode()})"


def _office_xml(content: bytes) -> Iterator[Finding]:
    instructions = b" ".join(one or two for one, two in _FIELD_TEXT.findall(content))
    if b"<ddeLink" in content or (instructions and _DDE.search(instructions + b'"')):
        yield "DOC_DDE", "starts a program by DDE"


def _rtf(content: bytes) -> Iterator[Finding]:
    if _RTF_OBJECT.search(content):
        yield "DOC_EMBEDDED", "an object embedded in RTF"
    if _RTF_TEMPLATE.search(content):
        yield "DOC_REMOTE", "a template that is loaded from elsewhere"


def _markup(file: File) -> Iterator[Finding]:
    content = file.content.replace(b"\0", b"")
    if _SCRIPT.search(content):
        yield "DOC_SCRIPT", f"{file.kind.upper()} with script"


def _pdf(content: bytes) -> Iterator[Finding]:
    plain = _pdf_names(content)
    for piece in (plain, *map(_pdf_names, _pdf_streams(content))):
        for name, symbol in _PDF_NAMES:
            if re.search(re.escape(name) + _AFTER_PDF_NAME, piece):
                yield symbol, f"PDF with {name[1:].decode()}"
    if b"/Encrypt" in plain:
        yield "DOC_ENCRYPTED", "an encrypted PDF"


def _pdf_names(content: bytes) -> bytes:
    """Names with their `#xx` escapes resolved (ISO 32000-1 §7.3.5)."""
    if b"#" not in content:
        return content
    return _PDF_NAME_ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), content)


def _pdf_streams(content: bytes) -> Iterator[bytes]:
    """Object streams, inflated: dictionaries may stand in them since PDF 1.5 (§7.5.7)."""
    if b"/ObjStm" not in content:
        return
    for count, match in enumerate(_PDF_STREAM.finditer(content)):
        if count >= STREAM_LIMIT:
            return
        head = content[max(0, match.start() - 400) : match.start()]
        if b"/ObjStm" not in head[head.rfind(b" obj") + 1 :]:
            continue
        try:
            packed = content[match.end() : match.end() + STREAM_SIZE]
            yield zlib.decompressobj().decompress(packed, STREAM_SIZE)
        except zlib.error:
            continue
