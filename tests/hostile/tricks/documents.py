"""Documents that do something when they are opened, under plain names."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

from tests.hostile.tricks import VIRUS, Trick
from tests.hostile.tricks.archives import mailed, written
from tests.hostile.tricks.encodings import PROGRAM
from tests.hostile.tricks.structure import OCTETS

RELATIONSHIP = (
    b'<?xml version="1.0"?><Relationships><Relationship Id="a" Type="http://schemas.example/%s" '
    b'Target="%s" TargetMode="External"/></Relationships>'
)


def office(**members: bytes) -> bytes:
    """An Office file of those members, double underscores in their names for slashes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"<Types/>")
        for name, content in members.items():
            path, _, extension = name.replace("__", "/").rpartition("_")
            archive.writestr(f"{path}.{extension}", content)
    return packed.getvalue()


def compound(*streams: tuple[str, bytes]) -> bytes:
    """A compound file (MS-CFB) with streams of 4096 octets at least, all in the root storage."""
    sector = 512
    chains, data, names = [], b"", []
    position = 0
    for name, content in streams:
        padded = content.ljust(max(4096, -(-len(content) // sector) * sector), b"\0")
        count = len(padded) // sector
        names.append((name, position, len(padded)))
        chains += [*range(position + 1, position + count), 0xFFFFFFFE]
        data += padded
        position += count
    entries = [_entry("Root Entry", 5, 0xFFFFFFFE, 0, child=1)]
    for number, (name, start, size) in enumerate(names, start=1):
        right = number + 1 if number < len(names) else 0xFFFFFFFF
        entries.append(_entry(name, 2, start, size, right=right))
    directory = b"".join(entries)
    directory = directory.ljust(-(-len(directory) // sector) * sector, b"\0")
    directory_at = position
    count = len(directory) // sector
    chains += [*range(position + 1, position + count), 0xFFFFFFFE]
    table_at = position + count
    chains.append(0xFFFFFFFD)
    table = struct.pack(f"<{len(chains)}I", *chains).ljust(sector, b"\xff")
    header = (
        bytes.fromhex("d0cf11e0a1b11ae1")
        + bytes(16)
        + struct.pack("<5H6x", 0x3E, 3, 0xFFFE, 9, 6)
        + struct.pack("<9I", 0, 1, directory_at, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
        + struct.pack("<I", table_at)
        + b"\xff" * (108 * 4)
    )
    return header + data + directory + table


def _entry(
    name: str, kind: int, start: int, size: int, *, right: int = 0xFFFFFFFF, child: int = 0xFFFFFFFF
) -> bytes:
    raw = name.encode("utf-16-le") + b"\0\0"
    return (
        raw.ljust(64, b"\0")
        + struct.pack("<HBB", len(raw), kind, 1)
        + struct.pack("<3I", 0xFFFFFFFF, right, child)
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )


def pdf(*objects: bytes) -> bytes:
    numbered = b"".join(b"%d 0 obj\n%s\nendobj\n" % pair for pair in enumerate(objects, start=1))
    return b"%PDF-1.7\n" + numbered + b"trailer<</Root 1 0 R>>\n%%EOF\n"


def pdf_stream(dictionary: bytes, content: bytes) -> bytes:
    packed = zlib.compress(content)
    return (
        b"<<"
        + dictionary
        + b"/Filter/FlateDecode/Length %d>>\nstream\n" % len(packed)
        + packed
        + b"\nendstream"
    )


def object_stream(content: bytes, more: bytes = b"") -> bytes:
    return pdf(b"<</Type/Catalog>>", pdf_stream(b"/Type/ObjStm/N 1/First 4" + more, content))


ACTION = b"<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>"

HTML = b"<!DOCTYPE html><html><body>%s</body></html>"

BIFF_PASSWORD = struct.pack("<2H", 0x809, 16) + bytes(16) + struct.pack("<2H", 0x2F, 6) + bytes(6)
BIFF_MACROS = (
    struct.pack("<2H", 0x809, 16) + bytes(16) + struct.pack("<2HIBB", 0x85, 8, 0, 0, 1) + b"\1\0a"
)
WORD_PASSWORD = struct.pack("<2H", 0xA5EC, 0xC1) + bytes(6) + struct.pack("<H", 0x0100) + bytes(20)
POWERPOINT_PASSWORD = struct.pack("<2HIII", 0, 0x0FF6, 0x20, 0x14, 0xF3D1C4DF) + bytes(40)

FILES: dict[str, tuple[str, bytes, tuple[str, ...]]] = {
    "macros in a docx": (
        "a.docx",
        office(word__vbaProject_bin=compound(("_VBA_PROJECT", b"x"))),
        ("DOC_MACRO",),
    ),
    "macros in a doc": (
        "a.doc",
        office(word__vbaProject_bin=compound(("_VBA_PROJECT", b"x"))),
        ("DOC_MACRO",),
    ),
    "macros that cannot be read": (
        "a.docx",
        office(word__vbaProject_bin=b"nonsense"),
        ("DOC_MACRO",),
    ),
    "macros under another name": (
        "a.docx",
        office(word__other_bin=compound(("_VBA_PROJECT", b"x"), ("dir", b"y"))),
        ("DOC_MACRO",),
    ),
    "macros in a compound file": ("a.doc", compound(("_VBA_PROJECT", b"x")), ("DOC_MACRO",)),
    "macros, called txt": ("a.txt", compound(("_VBA_PROJECT", b"x")), ("DOC_MACRO",)),
    "Excel 4 macros": ("a.xlsx", office(xl__macrosheets__sheet1_xml=b"<x/>"), ("DOC_MACRO",)),
    "Excel 4 macros, binary": (
        "a.xlsb",
        office(xl__macrosheets__sheet1_bin=b"\0\1"),
        ("DOC_MACRO",),
    ),
    "Excel 4 macros, international": (
        "a.xlsx",
        office(xl__intlmacrosheets__sheet1_xml=b"<x/>"),
        ("DOC_MACRO",),
    ),
    "Excel 4 macros in BIFF": ("a.xls", compound(("Workbook", BIFF_MACROS)), ("DOC_MACRO",)),
    "Excel 4 macros in SYLK": (
        "a.slk",
        b'ID;P\nO;E\nNN;NAuto_open;ER1C1;KOut Flank;F\nC;X1;Y1;K0;EEXEC("calc")\nE\n',
        ("DOC_MACRO", "DOC_MACRO_AUTO"),
    ),
    "OpenDocument macros": (
        "a.odt",
        office(Basic__Standard__Module1_xml=b"<script:module/>"),
        ("DOC_MACRO",),
    ),
    "OpenDocument scripts": ("a.odt", office(Scripts__python__a_py=b"x"), ("DOC_MACRO",)),
    "Word XML with macros": (
        "a.doc",
        b'<?xml version="1.0"?><?mso-application progid="Word.Document"?><w:wordDocument '
        b'w:macrosPresent="yes"><w:binData w:name="editdata.mso">QWN0aXZl</w:binData>',
        ("DOC_MACRO",),
    ),
    "flat Word XML with macros": (
        "a.xml",
        b'<?xml version="1.0"?><pkg:package xmlns:pkg="x"><pkg:part pkg:name="/word/vbaProject.bin"'
        b"><pkg:binaryData>0M8R4A==</pkg:binaryData></pkg:part></pkg:package>",
        ("DOC_MACRO",),
    ),
    "ActiveMime": (
        "a.doc",
        b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\n"
        b"Content-Location: file:///C:/editdata.mso\r\nContent-Transfer-Encoding: base64\r\n"
        b"Content-Type: application/x-mso\r\n\r\nQWN0aXZlTWltZQAAAfAEAAAA\r\n--b--\r\n",
        ("DOC_MACRO",),
    ),
    "remote template": (
        "a.docx",
        office(
            word___rels__settings_xml_rels=b"",
            word__x_rels=RELATIONSHIP % (b"attachedTemplate", b"https://x.example/a.dotm"),
        ),
        ("DOC_REMOTE",),
    ),
    "remote template by SMB": (
        "a.docx",
        office(word__x_rels=RELATIONSHIP % (b"attachedTemplate", b"\\\\x.example\\a.dotm")),
        ("DOC_REMOTE",),
    ),
    "remote template, mhtml": (
        "a.docx",
        office(word__x_rels=RELATIONSHIP % (b"oleObject", b"mhtml:https://x.example/a!x")),
        ("DOC_REMOTE",),
    ),
    "remote template, entities": (
        "a.docx",
        office(
            word__x_rels=RELATIONSHIP % (b"attachedTemplate", b"&#104;ttps&#58;//x.example/a.dotm")
        ),
        ("DOC_REMOTE",),
    ),
    "remote template, single quotes": (
        "a.docx",
        office(
            word__x_rels=(
                RELATIONSHIP % (b"attachedTemplate", b"https://x.example/a.dotm")
            ).replace(b'"', b"'")
        ),
        ("DOC_REMOTE",),
    ),
    "remote template in UTF-16": (
        "a.docx",
        office(
            word__x_rels=(RELATIONSHIP % (b"attachedTemplate", b"https://x.example/a"))
            .decode()
            .encode("utf-16")
        ),
        ("DOC_REMOTE",),
    ),
    "DDE": (
        "a.docx",
        office(word__document_xml=b"<w:instrText>DDEAUTO c:\\\\windows\\\\cmd.exe</w:instrText>"),
        ("DOC_DDE",),
    ),
    "DDE in pieces": (
        "a.docx",
        office(
            word__document_xml=b'<w:instrText xml:space="preserve">DD</w:instrText><w:r/>'
            b"<w:instrText>EAUTO c:\\\\windows\\\\cmd.exe</w:instrText>"
        ),
        ("DOC_DDE",),
    ),
    "DDE in an attribute": (
        "a.docx",
        office(word__document_xml=b'<w:fldSimple w:instr="DDEAUTO &quot;cmd&quot;"/>'),
        ("DOC_DDE",),
    ),
    "DDE in Excel": (
        "a.xlsx",
        office(xl__externalLinks__externalLink1_xml=b'<ddeLink ddeService="cmd"/>'),
        ("DOC_DDE",),
    ),
    "DDE in CSV": ("a.csv", b"name,sum\n=cmd|'/c calc'!A0,2\n", ("DOC_DDE",)),
    "web query": ("a.iqy", b"WEB\n1\nhttp://x.example/a\n", ("DOC_REMOTE", "BANNED_PART")),
    "embedded in Office": (
        "a.docx",
        office(word__embeddings__oleObject1_bin=compound(("\1Ole10Native", PROGRAM))),
        ("DOC_EMBEDDED",),
    ),
    "program embedded in Office": (
        "a.docx",
        office(word__embeddings__a_bin=PROGRAM),
        ("BANNED_PART",),
    ),
    "encrypted docx": (
        "a.docx",
        compound(("EncryptionInfo", b"x"), ("EncryptedPackage", b"y")),
        ("DOC_ENCRYPTED",),
    ),
    "encrypted OpenDocument": (
        "a.odt",
        written("zip", "META-INF/manifest.xml", b"<manifest:encryption-data/>"),
        ("DOC_ENCRYPTED",),
    ),
    "encrypted xls": ("a.xls", compound(("Workbook", BIFF_PASSWORD)), ("DOC_ENCRYPTED",)),
    "encrypted doc": ("a.doc", compound(("WordDocument", WORD_PASSWORD)), ("DOC_ENCRYPTED",)),
    "encrypted ppt": ("a.ppt", compound(("Current User", POWERPOINT_PASSWORD)), ("DOC_ENCRYPTED",)),
    "RTF object": ("a.rtf", b"{\\rtf1{\\object\\objemb{\\*\\objdata 0105}}}", ("DOC_EMBEDDED",)),
    "RTF object, updated": (
        "a.doc",
        b"{\\rtf1{\\object\\objautlink\\objupdate{\\*\\objdata 01}}}",
        ("DOC_EMBEDDED",),
    ),
    "RTF object, head cut": ("a.doc", b"{\\rt{\\object\\objdata 01}}", ("DOC_EMBEDDED",)),
    "RTF object in pieces": (
        "a.doc",
        b"{\\rtf1{\\object\\objemb{\\*\\objda\\\nta 01}}",
        ("DOC_EMBEDDED",),
    ),
    "RTF object without its words": (
        "a.doc",
        b"{\\rtf1{\\*\\objdata\\bin0 0105000002}}",
        ("DOC_EMBEDDED",),
    ),
    "RTF template": ("a.rtf", b"{\\rtf1{\\*\\template http://x.example/a.dotm}}", ("DOC_REMOTE",)),
    "RTF template by SMB": ("a.rtf", b"{\\rtf1{\\*\\template \\\\\\\\x\\\\a}}", ("DOC_SHARE",)),
    "RTF template in Unicode": (
        "a.rtf",
        b"{\\rtf1{\\*\\template \\u-65432?\\u-65420?http}}",
        ("DOC_REMOTE",),
    ),
    "RTF with DDE": (
        "a.rtf",
        b'{\\rtf1{\\field{\\*\\fldinst DDEAUTO cmd.exe "/c"}}}',
        ("DOC_DDE",),
    ),
    "PDF with script": ("a.pdf", pdf(ACTION), ("DOC_SCRIPT",)),
    "PDF with escaped names": (
        "a.pdf",
        pdf(b"<</OpenAction<</S/#4aava#53cript/#4a#53(x)>>>>"),
        ("DOC_SCRIPT",),
    ),
    "PDF with script in an object stream": (
        "a.pdf",
        object_stream(b"1 0 " + ACTION),
        ("DOC_SCRIPT",),
    ),
    "PDF with script in a stream of escaped kind": (
        "a.pdf",
        object_stream(b"1 0 " + ACTION).replace(b"/ObjStm", b"/Obj#53tm"),
        ("DOC_SCRIPT",),
    ),
    "PDF with an object stream, type last": (
        "a.pdf",
        pdf(b"<<>>", pdf_stream(b"/N 1/First 4" + b" " * 600 + b"/Type/ObjStm", b"1 0 " + ACTION)),
        ("DOC_SCRIPT",),
    ),
    "PDF with an object stream in hexadecimal": (
        "a.pdf",
        pdf(
            b"<<>>",
            b"<</Type/ObjStm/N 1/First 4/Filter/ASCIIHexDecode>>\nstream\n"
            + (b"1 0 " + ACTION).hex().encode()
            + b">\nendstream",
        ),
        ("DOC_SCRIPT",),
    ),
    "PDF with an object stream packed twice": (
        "a.pdf",
        pdf(
            b"<<>>",
            b"<</Type/ObjStm/N 1/First 4/Filter[/ASCIIHexDecode/FlateDecode]>>\nstream\n"
            + zlib.compress(b"1 0 " + ACTION).hex().encode()
            + b">\nendstream",
        ),
        ("DOC_SCRIPT",),
    ),
    "PDF with launch": ("a.pdf", pdf(b"<</OpenAction<</S/Launch/F(cmd.exe)>>>>"), ("DOC_LAUNCH",)),
    "PDF with launch, escaped": ("a.pdf", pdf(b"<</S/L#61unch/F(a)>>"), ("DOC_LAUNCH",)),
    "PDF with a link on opening": (
        "a.pdf",
        pdf(b"<</OpenAction<</S/URI/URI(http://x.example/)>>>>"),
        ("DOC_REMOTE",),
    ),
    "PDF that submits": (
        "a.pdf",
        pdf(b"<</AA<</O<</S/SubmitForm/F(http://x)>>>>>>"),
        ("DOC_REMOTE",),
    ),
    "PDF that goes to another": (
        "a.pdf",
        pdf(b"<</S/GoToR/F(\\\\\\\\x.example\\\\a)>>"),
        ("DOC_REMOTE",),
    ),
    "PDF with a file": ("a.pdf", pdf(b"<</Type/EmbeddedFile>>"), ("DOC_EMBEDDED",)),
    "PDF with a program": (
        "a.pdf",
        pdf(b"<<>>", pdf_stream(b"/Type/EmbeddedFile", PROGRAM)),
        ("DOC_EMBEDDED", "BANNED_PART"),
    ),
    "PDF with a file whose stream has no type": (
        "a.pdf",
        pdf(b"<</Type/Filespec/F(a.xml)/EF<</F 2 0 R>>>>", pdf_stream(b"", b"MsgBox 1")),
        ("DOC_EMBEDDED",),
    ),
    "PDF with a page among its data": (
        "a.pdf",
        pdf(
            b"<</EF<</F 2 0 R/UF 3 0 R>>>>",
            pdf_stream(b"/Type/EmbeddedFile", b"<?xml version='1.0'?><a/>"),
            pdf_stream(b"/Type/EmbeddedFile", b"<html><script>x</script></html>"),
        ),
        ("DOC_EMBEDDED",),
    ),
    "PDF with a file that is not there": (
        "a.pdf",
        pdf(
            b"<</EF<</F 9 0 R>>>>",
            pdf_stream(b"/Type/EmbeddedFile", b"<?xml version='1.0'?><a/>"),
        ),
        ("DOC_EMBEDDED",),
    ),
    "PDF with a program without a type": (
        "a.pdf",
        pdf(b"<</EF<</F 2 0 R>>>>", pdf_stream(b"", PROGRAM)),
        ("BANNED_PART",),
    ),
    "template on a share": (
        "a.docx",
        office(word__x_rels=RELATIONSHIP % (b"attachedTemplate", b"file:///\\\\x\\a.dotm")),
        ("DOC_SHARE",),
    ),
    "template on a host called like a drive": (
        "a.docx",
        office(word__x_rels=RELATIONSHIP % (b"attachedTemplate", b"file://c/a.dotm")),
        ("DOC_SHARE",),
    ),
    "PDF with XFA": ("a.pdf", pdf(b"<</AcroForm<</XFA[(a)1 0 R]>>>>"), ("DOC_SCRIPT",)),
    "PDF with rich media": ("a.pdf", pdf(b"<</Subtype/RichMedia>>"), ("DOC_EMBEDDED",)),
    "PDF behind text": ("a.dat", b"x" * 900 + pdf(ACTION), ("DOC_SCRIPT",)),
    "PDF called jpg": ("a.jpg", pdf(ACTION), ("DOC_SCRIPT",)),
    "encrypted PDF": ("a.pdf", pdf(b"<<>>") + b"trailer<</Encrypt 5 0 R>>", ("DOC_ENCRYPTED",)),
    "SVG with script": ("a.svg", b"<svg><script>alert(1)</script></svg>", ("DOC_SCRIPT",)),
    "SVG with handler": ("a.svg", b"<svg/onload=alert(1)>", ("DOC_SCRIPT",)),
    "SVG with prolog": (
        "a.svg",
        b'<?xml version="1.0"?>\n<!-- x -->\n<svg xmlns="x"><a xlink:href="javascript:x">',
        ("DOC_SCRIPT",),
    ),
    "SVG behind much space": ("a.svg", b" " * 5000 + b"<svg><script>x</script>", ("DOC_SCRIPT",)),
    "SVG with foreign object": (
        "a.svg",
        b"<svg><foreignObject><iframe srcdoc='x'></foreignObject></svg>",
        ("DOC_SCRIPT",),
    ),
    "HTML with script": ("a.html", HTML % b"<script>x</script>", ("DOC_SCRIPT",)),
    "HTML smuggling": (
        "a.html",
        HTML % b"<SCRIPT>var b=new Blob([atob('TVqQ')]);navigator.msSaveBlob(b,'a.iso')</SCRIPT>",
        ("DOC_SCRIPT",),
    ),
    "HTML with handler": ("a.html", HTML % b"<img src=x onerror=alert(1)>", ("DOC_SCRIPT",)),
    "HTML with slash handler": ("a.html", HTML % b"<svg/onload=alert(1)>", ("DOC_SCRIPT",)),
    "HTML with entities": (
        "a.html",
        HTML % b'<a href="&#106;ava&#x73;cript:x">a</a>',
        ("DOC_SCRIPT",),
    ),
    "HTML with a tab in the scheme": (
        "a.html",
        HTML % b'<a href="java\tscript:x">a</a>',
        ("DOC_SCRIPT",),
    ),
    "HTML in UTF-16": (
        "a.html",
        (HTML % b"<script>x</script>").decode().encode("utf-16"),
        ("DOC_SCRIPT",),
    ),
    "HTML without its usual head": ("a.htm", b"<p>hello<script>x</script>", ("DOC_SCRIPT",)),
    "HTML that begins with text": ("a.html", b"hello <script>x</script>", ("DOC_SCRIPT",)),
    "HTML behind a comment": (
        "a.html",
        b"<!--" + b"x" * 6000 + b"--><script>x</script>",
        ("DOC_SCRIPT",),
    ),
    "HTML in UTF-7": (
        "a.html",
        b'<html><meta charset="utf-7">+ADw-script+AD4-x+ADw-/script+AD4-</html>',
        ("DOC_SCRIPT",),
    ),
    "HTML that refreshes": (
        "a.html",
        HTML % b'<meta http-equiv="refresh" content="0;url=https://x.example/">',
        ("DOC_REMOTE",),
    ),
    "HTML with data in a frame": (
        "a.html",
        HTML % b'<iframe src="data:text/html;base64,PHNjcmlwdD4="></iframe>',
        ("DOC_SCRIPT",),
    ),
    "XHTML": (
        "a.xhtml",
        b'<?xml version="1.0"?><html xmlns="x"><script>x</script></html>',
        ("DOC_SCRIPT",),
    ),
    "XML with a stylesheet": (
        "a.xml",
        b'<?xml-stylesheet type="text/xsl" href="a.xsl"?><x/>' + b"<script>x</script>",
        ("DOC_SCRIPT",),
    ),
    "HTA": ("a.hta", b"<html><hta:application><script>x</script>", ("BANNED_PART",)),
    "HTA called html": ("a.html", b"<html><hta:application/>", ("BANNED_PART",)),
    "HTA called txt": ("a.txt", b"<html><HTA:APPLICATION ID=x>", ("BANNED_PART",)),
    "LNK called pdf": (
        "a.pdf",
        bytes.fromhex("4c0000000114020000000000c000000000000046") + bytes(60),
        ("BANNED_PART",),
    ),
    "URL": ("a.url", b"[InternetShortcut]\r\nURL=file://x/a\r\n", ("BANNED_PART",)),
    "URL called txt": ("a.txt", b"[InternetShortcut]\r\nURL=file://x/a\r\n", ("BANNED_PART",)),
    "URL behind an empty line": ("a.txt", b"\r\n[InternetShortcut]\r\nURL=x\r\n", ("BANNED_PART",)),
    "URL with other sections": (
        "a.txt",
        b"[{000214A0-0000-0000-C000-000000000046}]\r\nProp3=19,2\r\n[InternetShortcut]\r\nURL=x\r\n",
        ("BANNED_PART",),
    ),
    "library": ("a.library-ms", b"<libraryDescription/>", ("BANNED_PART",)),
    "script by its first line": ("a.txt", b"#!/bin/sh\necho\n", ("BANNED_PART", "")),
    "ELF": ("a.txt", b"\x7fELF\2\1\1" + bytes(60), ("BANNED_PART",)),
    "Mach-O": ("a.txt", b"\xcf\xfa\xed\xfe" + bytes(60), ("BANNED_PART",)),
    "Java class": ("a.class", b"\xca\xfe\xba\xbe\0\0\0\x34", ("BANNED_PART", "")),
    "program called pdf": ("a.pdf", PROGRAM, ("BANNED_PART",)),
    "program, head only": ("a.pdf", b"MZ\x90\0" + bytes(60), ("BANNED_PART",)),
    "MSI called txt": (
        "a.txt",
        compound(("\u4840\u3f3f\u4577\u446c\u3b6a\u45e4\u4824", b"x")),
        ("BANNED_PART", ""),
    ),
    "CHM called txt": ("a.txt", b"ITSF\3\0\0\0" + bytes(60), ("BANNED_PART",)),
    "OneNote with a program": (
        "a.one",
        bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3")
        + bytes(100)
        + bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
        + struct.pack("<Q12x", len(PROGRAM))
        + PROGRAM
        + bytes(50),
        ("BANNED_PART",),
    ),
    "OneNote with a script": (
        "a.one",
        bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3")
        + bytes(100)
        + bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
        + struct.pack("<Q12x", 20)
        + b"WScript.Shell hello!"
        + bytes(50),
        ("DOC_EMBEDDED",),
    ),
    "Outlook item": (
        "a.msg",
        compound(("__attach_version1.0_#00000000", b"x")),
        ("DOC_EMBEDDED", ""),
    ),
}
"""Name, content, what must be found; `""` where nothing need be."""


def tricks() -> Iterator[Trick]:
    for kind, (name, content, wanted) in FILES.items():
        if "" not in wanted:
            yield Trick(kind, mailed(name, content), wanted)
    holding = {
        "PDF": ("a.pdf", pdf(b"<<>>", pdf_stream(b"/Type/EmbeddedFile", OCTETS))),
        "Office": ("a.docx", office(word__embeddings__a_bin=OCTETS)),
        "RTF": (
            "a.rtf",
            b"{\\rtf1{\\object\\objemb{\\*\\objdata " + OCTETS.hex().encode() + b"}}}",
        ),
        "OneNote": (
            "a.one",
            FILES["OneNote with a script"][1].replace(b"WScript.Shell hello!", OCTETS),
        ),
    }
    for kind, (name, content) in holding.items():
        wanted = (VIRUS, "DOC_EMBEDDED")
        yield Trick(f"{kind} with a virus", mailed(name, content), wanted)
