"""Office files: macros, DDE, remote templates, embedded files, passwords.

The members of Office's ZIP files come here one by one, as files of their own, so a macro storage is
found wherever it lies. Whether macros start by themselves is asked of oletools, which is loaded
only when there are macros. Sources: MS-OVBA §2.2.1, MS-DOC §2.5.1, MS-PPT §2.3.2, MS-XLS §2.4,
ECMA-376 part 2 §9.3.
"""

from __future__ import annotations

import io
import logging
import re
import struct
from collections.abc import Iterator

from filterd.filters.parts.unpacking.files import OLE_ERRORS, File
from filterd.message.references import resolved

RECORD_LIMIT = 100_000
"""Records of a workbook that are looked at; the sheets are named among the first."""

Finding = tuple[str, str]
"""Name of a symbol, and what was found."""

_RECORD = struct.Struct("<HH")
_FILE_PASS, _BOUND_SHEET = 0x002F, 0x0085  # MS-XLS §2.4.117, §2.4.28
_WORD_ENCRYPTED = 0x0100  # MS-DOC §2.5.2, FibBase, fEncrypted in the word at octet 10
_POWERPOINT_ENCRYPTED = 0xF3D1C4DF  # MS-PPT §2.3.2, headerToken at octet 12

_EXTERNAL = re.compile(
    rb"<(?:[A-Za-z_][\w.-]{0,60}+:)?Relationship\b(?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+>"
)
# Not links to other workbooks: Excel asks before it follows them.
_REMOTE_TYPES = (b"/attachedTemplate", b"/oleObject", b"/frame", b"/subDocument")
_REMOTE = re.compile(rb"://|\\\\|mhtml:|\bfile:", re.IGNORECASE)
# A share by the name or address of a host that only its own network knows (RFC 6762, RFC 8375,
# RFC 1918; `internal` is ICANN's): what comes from outside cannot choose what lies there.
_OWN_SHARE = re.compile(
    rb"[\"'](?:file:)?[\\/]{2,5}(?:[\w-]{1,63}|[\w.-]{1,200}\.(?:local|lan|internal|intern|intranet"
    rb"|corp|home|home\.arpa)|10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}"
    rb"|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2})[\\/][^\"']*[\"']",
    re.IGNORECASE,
)
# A drive of the reader's own: Word and Excel write where a template or another sheet once lay.
_OWN_DRIVE = re.compile(rb"[\"']file:///[a-z]:[^\"']*[\"']", re.IGNORECASE)
_DDE = re.compile(rb"(?i)\bDDE(?:AUTO)?\b\s*(?:&quot;|\"|c:|[a-z]+\.exe|<)")
_FIELD_TEXT = re.compile(rb"<w:instrText\b[^<>]*+>([^<]*+)|w:instr=\"([^\"]*+)")
_XML_MACROS = re.compile(
    rb"(?i)macrosPresent\s*=\s*[\"']yes|:docSuppData\b|QWN0aXZlTWlt|pkg:name\s*=\s*[\"'][^\"'<]*vbaProject"
)
_BIN_DATA = re.compile(rb"(?i)<(?:\w{1,20}:)?binData\b([^<>]*+)")
_PICTURE_NAME = re.compile(rb"(?i)\.(?:png|jpe?g|gif|bmp|tiff?|wmf|emf|wmz|emz|pcz|pict)[\"']")
_BY_HAND = re.compile(r"(?i)(?!ImageCombo)\w+_(?:Click|DblClick|Change)")
# A cell that begins as a formula does, to the end of its line.
_FORMULA = re.compile(rb"(?m)(?:^|[\r,;\t|])[ \"]*+[=+@-]([^\r\n]*+)")
# Server, topic, item, as in `=cmd|'/c calc'!A1`; a topic without quotes is a word.
_DDE_LINK = re.compile(
    rb"(?:(?<![\w.])(?>[\w.]*?[A-Za-z])[\w.]*+|') ?\| ?(?:'[^'|]*+'|[^\s'|!,;]++)![\w'\"$]"
)
_SYLK_MACRO = re.compile(rb"(?im)^NN;NAuto_|;E[^;\r\n]*\b(?:EXEC|CALL|REGISTER|RUN|FORMULA)\(")

_RTF_OBJECT = re.compile(rb"\\obj(?:data|update|emb|link|autlink)\b|\\objda[\s\\]")
_RTF_TEMPLATE = re.compile(
    rb"\\\*\s*\\template\s+(?:https?:|\\\\|file:|\\u-?\d|\\')", re.IGNORECASE
)
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
    except OLE_ERRORS:
        yield "DOC_DAMAGED", "an Office file that cannot be read"
        return
    if any(stream.endswith("encryptedpackage") for stream in streams) or _is_encrypted(heads):
        yield "DOC_ENCRYPTED", "an Office document with a password"
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
            for keyword, _description in olevba.detect_autoexec(text):
                # What a person does to a button or a field is not a start.
                if not _BY_HAND.fullmatch(keyword):
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
    if is_odf and name.startswith(("basic/", "scripts/")):
        yield "DOC_MACRO", "OpenDocument macros"
    if name == "meta-inf/manifest.xml" and b"encryption-data" in file.content:
        yield "DOC_ENCRYPTED", "an OpenDocument file with a password"
    if file.content.startswith(b"ActiveMime"):
        yield "DOC_MACRO", "macros in ActiveMime"
    if name.endswith(".rels"):
        yield from _relationships(_narrow(file.content))
    elif name.endswith(".xml") or file.content[:100].lstrip().startswith(b"<?xml"):
        yield from _xml(_narrow(file.content))


def table(file: File) -> Iterator[Finding]:
    """Tables as text that Excel calculates: CSV, and SYLK, which has macros too."""
    if not file.extensions.isdisjoint({"csv", "tsv"}):
        formulas = _FORMULA.finditer(_narrow(file.content))
        if any(_DDE_LINK.search(formula[1]) for formula in formulas):
            yield "DOC_DDE", "starts a program by DDE"
    if file.content.startswith(b"ID;") and _SYLK_MACRO.search(file.content):
        yield "DOC_MACRO", "Excel 4 macros"


def rtf(content: bytes) -> Iterator[Finding]:
    """Rich Text."""
    if _RTF_OBJECT.search(content):
        yield "DOC_EMBEDDED", "an object embedded in RTF"
    if _RTF_TEMPLATE.search(content):
        yield "DOC_REMOTE", "a template that is loaded from elsewhere"
    if _RTF_DDE.search(content):
        yield "DOC_DDE", "starts a program by DDE"


def _narrow(content: bytes) -> bytes:
    """UTF-16 as if it were ASCII, which markup and formulas are; without the mark before it."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content[2:].replace(b"\0", b"")
    return content.removeprefix(b"\xef\xbb\xbf")


def _relationships(content: bytes) -> Iterator[Finding]:
    for match in _EXTERNAL.finditer(content):
        element = match[0]
        target = resolved(element.partition(b"Target=")[2].decode("latin-1"))
        elsewhere = _OWN_DRIVE.sub(b"", target.encode("utf-8", "replace"))
        others = _OWN_SHARE.sub(b"", elsewhere)
        if b"External" in element and _REMOTE.search(elsewhere):
            for kind in _REMOTE_TYPES:
                if kind not in element:
                    continue
                if _REMOTE.search(others):
                    yield "DOC_REMOTE", f"loads from elsewhere ({kind[1:].decode()})"
                else:
                    yield (
                        "DOC_SHARE",
                        f"loads from a share of its own network ({kind[1:].decode()})",
                    )


def _xml(content: bytes) -> Iterator[Finding]:
    fields = _FIELD_TEXT.findall(content)
    # Word puts the pieces of a field together.
    texts = [glue.join(one or two for one, two in fields) for glue in (b" ", b"")]
    if b"<ddeLink" in content or any(_DDE.search(text + b'"') for text in texts if text):
        yield "DOC_DDE", "starts a program by DDE"
    if _XML_MACROS.search(content) or not all(
        _PICTURE_NAME.search(data[1]) for data in _BIN_DATA.finditer(content)
    ):
        yield "DOC_MACRO", "Visual Basic macros"
