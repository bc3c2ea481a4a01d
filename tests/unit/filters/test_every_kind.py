"""A file is read as every kind that a reader may take it for: no mark of one kind hides another."""

from __future__ import annotations

import base64
import bz2
import gzip
import lzma
import struct
import zlib

import libarchive
import pytest

from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.filters.parts.unpacking import marks
from filterd.filters.parts.unpacking.files import File
from filterd.filters.parts.unpacking.limits import UnpackLimits
from filterd.filters.parts.unpacking.unpack import Unpacker
from filterd.message import Message
from tests.helpers.tnef import DATA, RENDER_DATA, TITLE, attribute, tnef
from tests.hostile import harmless
from tests.hostile.tricks import archives, documents, wrappings
from tests.hostile.tricks.encodings import PROGRAM, uuencoded, yenc
from tests.hostile.tricks.structure import TEXT, attachment, base64_of, usual

pytestmark = pytest.mark.slow


NAME = "run.exe"
PAGE = b'<html><body><a download="x" href="data:application/octet-stream;base64,%s">open</a></html>'
LINK = PAGE % base64.b64encode(PROGRAM)


def winmail(*files: tuple[bytes, bytes]) -> bytes:
    parts = []
    for name, content in files:
        parts += [attribute(RENDER_DATA, bytes(14)), attribute(TITLE, name + b"\0")]
        parts.append(attribute(DATA, content))
    return tnef(*parts)


def outlook_item(name: str, content: bytes) -> bytes:
    """The streams that tell, all in one storage: enough for who goes by their names."""
    store = "__attach_version1.0_#00000000"
    return documents.compound((store, name.encode("utf-16-le")), ("__substg1.0_37010102", content))


def onenote(content: bytes) -> bytes:
    head = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3") + bytes(100)
    return head + marks.ONENOTE_FILE + struct.pack("<Q", len(content)) + bytes(12) + content


def filtered(name: str) -> bytes:
    """The program alone, compressed in one of libarchive's ways."""
    packed = bytearray()

    def take(octets: bytes) -> int:
        packed.extend(octets)
        return len(octets)

    with libarchive.custom_writer(take, "raw", filter_name=name) as archive:
        archive.add_file_from_memory("data", len(PROGRAM), PROGRAM)
    return bytes(packed)


MAIL = usual(TEXT, attachment(b"run.exe", base64_of(PROGRAM)))
PACKAGE = documents.compound(("\1Ole10Native", wrappings.packaged(b"run.exe", PROGRAM)))
PDF = documents.pdf(b"<<>>", documents.pdf_stream(b"/Type/EmbeddedFile", PROGRAM))

HOSTS: dict[str, tuple[str, bytes, str]] = {
    "TNEF": ("winmail.dat", winmail((b"run.exe", PROGRAM)), "BANNED_PART"),
    "mail": ("mail.eml", MAIL, "BANNED_PART"),
    "mail by its header": ("mail.dat", MAIL, "BANNED_PART"),
    "mbox": ("mail.mbox", wrappings.mbox(MAIL), "BANNED_PART"),
    "page": ("page.html", LINK, "BANNED_PART"),
    "page with script": ("page.html", b"<html><script>x()</script></html>", "DOC_SCRIPT"),
    "image": ("a.svg", b"<svg><script>x()</script></svg>", "DOC_SCRIPT"),
    "ZIP": ("a.zip", archives.zipped(NAME, PROGRAM), "BANNED_PART"),
    "ZIP in a ZIP": (
        "a.zip",
        archives.zipped("b.zip", archives.zipped("photo.jpg", PROGRAM)),
        "BANNED_PART",
    ),
    "RAR": ("a.rar", archives.rar(b"run.exe", PROGRAM), "BANNED_PART"),
    "7z": ("a.7z", archives.written("7zip", NAME, PROGRAM), "BANNED_PART"),
    "tar": ("a.tar", archives.tarred(NAME, PROGRAM), "BANNED_PART"),
    "gzip": ("run.exe.gz", gzip.compress(PROGRAM), "BANNED_PART"),
    "bzip2": ("run.exe.bz2", bz2.compress(PROGRAM), "BANNED_PART"),
    "xz": ("run.exe.xz", lzma.compress(PROGRAM), "BANNED_PART"),
    "lz4": ("run.exe.lz4", filtered("lz4"), "BANNED_PART"),
    "zstd": ("run.exe.zst", filtered("zstd"), "BANNED_PART"),
    "lzip": ("run.exe.lz", filtered("lzip"), "BANNED_PART"),
    "compress": ("run.exe.Z", filtered("compress"), "BANNED_PART"),
    "lzma": ("run.exe.lzma", lzma.compress(PROGRAM, lzma.FORMAT_ALONE), "BANNED_PART"),
    "ISO": ("a.dat", archives.written("iso9660", NAME, PROGRAM), "BANNED_PART"),
    "cabinet": ("a.dat", archives.cab(b"run.exe", PROGRAM), "BANNED_PART"),
    "cpio": ("a.cpio", archives.written("cpio_newc", NAME, PROGRAM), "BANNED_PART"),
    "ar": ("a.ar", archives.written("ar_bsd", NAME, PROGRAM), "BANNED_PART"),
    "xar": ("a.xar", archives.written("xar", NAME, PROGRAM), "BANNED_PART"),
    "LHA": ("a.lzh", archives.lha(b"run.exe", PROGRAM), "BANNED_PART"),
    "package in Word": ("a.doc", PACKAGE, "BANNED_PART"),
    "macros in Word": ("a.doc", documents.compound(("_VBA_PROJECT", b"x")), "DOC_MACRO"),
    "Excel 4 macros": (
        "a.xls",
        documents.compound(("Workbook", documents.BIFF_MACROS)),
        "DOC_MACRO",
    ),
    "macros in a docx": (
        "a.docx",
        documents.office(word__vbaProject_bin=documents.compound(("_VBA_PROJECT", b"x"))),
        "DOC_MACRO",
    ),
    "OneNote": ("a.one", onenote(PROGRAM), "BANNED_PART"),
    "AppleSingle": ("a.dat", wrappings.apple_single(b"run.exe", PROGRAM), "BANNED_PART"),
    "PDF with a program": ("a.pdf", PDF, "BANNED_PART"),
    "PDF with launch": ("a.pdf", documents.pdf(b"<</S/Launch/F(cmd.exe)>>"), "DOC_LAUNCH"),
    "RTF": ("a.rtf", b"{\\rtf1{\\object\\objemb{\\*\\objdata 0105}}}", "DOC_EMBEDDED"),
    "uuencode": ("a.txt", uuencoded(PROGRAM, b"run.exe"), "BANNED_PART"),
    "yEnc": ("a.txt", yenc(PROGRAM, b"run.exe"), "BANNED_PART"),
    "S/MIME": ("smime.p7m", wrappings.signed(MAIL), "BANNED_PART"),
    "table": ("a.csv", b"name,sum\n=cmd|'/c calc'!A0,2\n", "DOC_DDE"),
}
"""Name of the attachment, content, the symbol that must be found."""

RIGHT_7Z = (
    b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(bytes(20))) + bytes(20)
)  # its header's checksum is right
END_RECORD = b"PK\5\6" + bytes(18)

MARKS: dict[str, bytes] = {
    "end record of a ZIP file": END_RECORD,
    "end record with a comment": b"PK\5\6" + bytes(16) + b"\5\0hello",
    "head of a ZIP member": b"PK\3\4" + bytes(30),
    "an empty member": archives.zipped("a.txt", b""),
    "mark of RAR": b"Rar!\x1a\x07",
    "mark of RAR 4": b"Rar!\x1a\x07\0",
    "mark of RAR 5": b"Rar!\x1a\x07\1\0",
    "mark of 7z": b"7z\xbc\xaf\x27\x1c",
    "head of a 7z file": RIGHT_7Z,
    "mark of a cabinet": b"MSCF" + bytes(40),
    "mark of a PDF": b"%PDF-1.7\n",
    "mark of a compound file": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "head of a compound file": documents.compound(("x", b""))[:512],
    "mark of TNEF": b"\x78\x9f\x3e\x22\0\0",
    "mark of gzip": b"\x1f\x8b\x08",
    "mark of a GIF": b"GIF89a",
    "mark of a JPEG": b"\xff\xd8\xff\xe0",
    "mark of a script": b"#!/bin/sh\n",
    "mark of OneNote": marks.ONENOTE_FILE,
    "mark of CHM": b"ITSF",
    "a tag": b"<html>",
    "a picture's tag": b"<svg>",
    "mark of RTF": b"{\\rtf1}",
    "header of a mail": b"\n\nReceived: x\nFrom: a\nMIME-Version: 1.0\n\n",
    "mark of uuencode": b"\nbegin 644 a.txt\n",
    "line": b"hello, this is a line\r\n",
}


def symbols(name: str, content: bytes) -> set[str]:
    message = Message(archives.mailed(name, content), id="X1")
    return {
        symbol.name for symbol in Parts(PartsSettings(verify_dkim=False)).examine(message).symbols
    }


@pytest.mark.parametrize("host", HOSTS)
def test_no_mark_behind_it_hides_what_a_file_holds(host: str) -> None:
    name, content, wanted = HOSTS[host]
    assert wanted in symbols(name, content)
    hidden = [mark for mark in MARKS if wanted not in symbols(name, content + MARKS[mark])]
    assert hidden == []


READ_BEHIND_OTHERS = (
    "page",
    "page with script",
    "image",
    "mail",
    "ZIP",
    "ZIP in a ZIP",
    "macros in a docx",
    "RAR",
    "7z",
    "cabinet",
    "PDF with a program",
    "PDF with launch",
    "package in Word",
    "macros in Word",
    "TNEF",
    "OneNote",
    "uuencode",
    "table",
)
"""Whose readers go by the name, or look for their mark further in."""


@pytest.mark.parametrize("host", READ_BEHIND_OTHERS)
def test_no_mark_before_it_hides_what_a_file_holds(host: str) -> None:
    name, content, wanted = HOSTS[host]
    marked = {mark: octets.strip(b"\n") + b"\n" + content for mark, octets in MARKS.items()}
    if host == "mail":
        # A message begins at its header: one that has another header before it is another one.
        del marked["header of a mail"]
    assert [mark for mark in marked if wanted not in symbols(name, marked[mark])] == []


SECOND = {
    "ZIP": archives.zipped(NAME, PROGRAM),
    "RAR": archives.rar(b"run.exe", PROGRAM),
    "7z": archives.written("7zip", NAME, PROGRAM),
    "cabinet": archives.cab(b"run.exe", PROGRAM),
}
DECOYS = {
    "nothing": b"",
    "end record": END_RECORD,
    "RAR": b"Rar!\x1a\x07",
    "7z": b"7z\xbc\xaf\x27\x1c",
    "many marks": (b"Rar!\x1a\x07\1\0" + b"7z\xbc\xaf\x27\x1c" + b"MSCF\0\0\0\0" + END_RECORD) * 20,
}
PLAIN = {
    "ZIP": archives.zipped("a.txt", b"hello"),
    "7z": archives.written("7zip", "a.txt", b"hello"),
    "RAR": archives.rar(b"a.txt", b"hello"),
    "tar": archives.tarred("a.txt"),
    "gzip": gzip.compress(b"hello"),
    "ISO": archives.written("iso9660", "a.txt", b"hello"),
    "PDF": documents.pdf(b"<<>>"),
    "compound file": documents.compound(("WordDocument", b"\xec\xa5\xc1\0")),
    "TNEF": winmail((b"a.txt", b"hello")),
    "mail": usual(TEXT, attachment(b"a.txt", base64_of(b"hello"))),
    "page": b"<html>hello</html>",
    "JPEG": harmless.JPEG,
    "RTF": b"{\\rtf1 hello}",
    "text": b"hello",
}


@pytest.mark.parametrize("host", PLAIN)
@pytest.mark.parametrize("second", SECOND)
def test_a_second_archive_behind_any_file_is_opened(host: str, second: str) -> None:
    for decoy in DECOYS.values():
        content = PLAIN[host] + decoy + SECOND[second] + decoy
        assert "BANNED_PART" in symbols("a.dat", content)


def test_two_kinds_may_begin_at_the_top_together() -> None:
    """A tar file begins with a name, an ISO image with 32 KiB of anything."""
    disguised = archives.tarred("%PDF-1.7", b"hello") + archives.tarred(NAME, PROGRAM)
    assert "BANNED_PART" in symbols("a.pdf", disguised)
    image = archives.written("iso9660", NAME, PROGRAM)
    for mark in (b"%PDF-1.4\n", b"PK\3\4", b"GIF89a", b"\x7fELF", b"<html>"):
        assert "BANNED_PART" in symbols("a.dat", mark + image[len(mark) :])


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("page.html", b"Dear customer,\n\n" + LINK, "BANNED_PART"),
        ("page.htm", b"GIF89a" + LINK, "BANNED_PART"),
        ("page.xhtml", b"x" * 5000 + LINK, "BANNED_PART"),
        ("page.shtml", b"\x89PNG\r\n\x1a\n" + b"<body onload=x()>", "DOC_SCRIPT"),
        ("page", b"hello\n" + LINK, "BANNED_PART"),
        ("picture.gif", b"GIF89a" + LINK, "BANNED_PART"),
        ("a.svg", b"hello <svg onload=x()>", "DOC_SCRIPT"),
        ("a.pdf", b"#!/bin/sh\n" + documents.pdf(b"<</S/Launch/F(a)>>"), "DOC_LAUNCH"),
        ("a.pdf", b"x" * 3000 + documents.pdf(b"<</S/Launch/F(a)>>"), "DOC_LAUNCH"),
        ("a.csv", b"%PDF-1.4\n=cmd|'/c calc'!A0\n", "DOC_DDE"),
        ("a.csv", b"PK\5\6\n=cmd|'/c calc'!A0\n", "DOC_DDE"),
        ("a.csv", b"<html>\n=cmd|'/c calc'!A0\n", "DOC_DDE"),
        ("a.rtf", b"\n\n\r\n  {\\rtf1{\\object\\objemb{\\*\\objdata 0105}}}", "DOC_EMBEDDED"),
        ("a.doc", b"\xef\xbb\xbf\n{\\rt{\\object\\objdata 01}}", "DOC_EMBEDDED"),
        ("mail.eml", b"GIF89a\r\n" + MAIL, "BANNED_PART"),
        ("mail.eml", b"\r\n\r\n\r\n" + MAIL, "BANNED_PART"),
    ],
)
def test_the_name_or_a_mark_further_in_decides_as_well(
    name: str, content: bytes, wanted: str
) -> None:
    assert wanted in symbols(name, content)


def declared(media_type: bytes, content: bytes) -> set[str]:
    part = (
        b"Content-Type: " + media_type + b"; name=a.txt\r\nContent-Disposition: attachment; "
        b"filename=a.txt\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64_of(content)
    )
    verdict = Parts(PartsSettings(verify_dkim=False)).examine(Message(usual(TEXT, part), id="X1"))
    return {symbol.name for symbol in verdict.symbols}


def test_the_declared_type_decides_as_well() -> None:
    script = b"hello <script>x()</script>"
    assert declared(b"application/octet-stream", b"\0" + script) == set()
    assert declared(b"text/html", b"\0" + script) == {"DOC_SCRIPT"}
    assert declared(b"application/xhtml+xml", b"\0" + script) == {"DOC_SCRIPT"}
    assert declared(b"image/svg+xml", b"\0" + script) == {"DOC_SCRIPT"}


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.csv", b"=cmd|'/c calc'!A0,2\n", "DOC_DDE"),
        ("a.html", b"hello <script>x()</script>", "DOC_SCRIPT"),
        ("a.eml", b"hello\r\n" + MAIL, "BANNED_PART"),
    ],
)
def test_every_name_of_a_part_decides(name: str, content: bytes, wanted: str) -> None:
    for one, other in ((name, "a.txt"), ("a.txt", name), (f"{name}. ", "a.txt")):
        part = (
            f'Content-Type: application/octet-stream; name="{one}"\r\nContent-Disposition: '
            f'attachment; filename="{other}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        ).encode() + base64_of(content)
        verdict = Parts(PartsSettings(verify_dkim=False)).examine(
            Message(usual(TEXT, part), id="X1")
        )
        assert wanted in {symbol.name for symbol in verdict.symbols}


THEME = archives.zipped("theme/theme/theme1.xml", b"<a:theme/>" * 50)
INVOICE = harmless.FILES["PDF invoice with its data"][1]

ORDINARY: dict[str, tuple[str, bytes]] = {
    "winmail.dat whose last file is a docx": (
        "winmail.dat",
        winmail((b"a.txt", b"hello"), (b"a.docx", documents.office(**harmless.WORD))),
    ),
    "Word with a theme": ("a.docx", documents.office(**harmless.WORD, word__theme__a_thmx=THEME)),
    "old PowerPoint with themes": (
        "a.ppt",
        documents.compound(("PowerPoint Document", b"x" * 900 + THEME + b"y" * 99 + THEME)),
    ),
    "old Excel with a theme in pieces": (
        "a.xls",
        documents.compound(("Workbook", b"\x09\x08" + THEME[:300] + b"z" * 600 + THEME[300:])),
    ),
    "Outlook item with a docx": (
        "a.msg",
        outlook_item("a.docx", documents.office(**harmless.WORD)),
    ),
    "Outlook item with a page as its text": (
        "a.msg",
        documents.compound(("__substg1.0_10130102", b"<html><body onload=x()>hello</body></html>")),
    ),
    "ZIP that stores documents": (
        "a.zip",
        archives.zipped("a.docx", documents.office(**harmless.WORD), 0),
    ),
    "tar of documents": ("a.tar", archives.tarred("a.docx", documents.office(**harmless.WORD))),
    "tar of a PDF": ("a.tar", archives.tarred("a.pdf", documents.pdf(b"<<>>"))),
    "ZIP that stores invoices": ("a.zip", archives.zipped("a.pdf", INVOICE, 0)),
    "mail with a page as its text": (
        "a.eml",
        usual(b"Content-Type: text/html\r\n\r\n<html><body onload=x()>hello</body></html>"),
    ),
    "log that tells of marks": ("a.log", b"Rar! PK 7z %PDF MSCF <html><script>x()</script>\n" * 50),
    "patch of a page": ("a.patch", b"--- a/x.html\n+++ b/x.html\n+<html><script>x()</script>\n"),
    "text without an extension that tells of a page": (
        "README",
        b"How to use it\n" * 40 + b"<html><script>x()</script></html>\n",
    ),
    "text with a PDF's mark": ("a.txt", b"A PDF begins with %PDF-1.4 or so.\n"),
}


@pytest.mark.parametrize("file", ORDINARY)
def test_honest_files_of_two_kinds_have_no_symbol(file: str) -> None:
    assert symbols(*ORDINARY[file]) == set()


def test_a_file_that_an_archive_stores_is_opened_once() -> None:
    """A docx in a tar file is found as a member, and by the mark of its directory."""
    content = b"".join(
        archives.tarred(f"{number}.docx", documents.office(**harmless.WORD, x__y_z=bytes([number])))
        for number in range(20)
    )
    unpacker = Unpacker(UnpackLimits(members=100))
    paths = [file.shown_path for file in unpacker.files(("a.tar",), content)]
    assert unpacker.findings == []
    assert sum(path.endswith("word/document.xml") for path in paths) == 20


def test_marks_without_end_cost_a_bounded_number_of_looks() -> None:
    """Each of these archives is one, and the whole is over the limit rather than unseen."""
    many = b"".join(archives.zipped(f"{number}.txt", b"hello") for number in range(3000))
    unpacker = Unpacker()
    files = list(unpacker.files(("a.pdf",), b"%PDF-1.4\n" + many))
    assert len(files) < 10_000
    assert {symbol for symbol, _ in unpacker.findings} == {"ARCHIVE_LIMIT"}


def test_decoys_do_not_use_up_the_looks() -> None:
    decoys = END_RECORD * 5000 + archives.zipped("a.txt", b"") * 3000
    assert "BANNED_PART" in symbols("a.pdf", b"%PDF-1.4\n" + decoys + SECOND["ZIP"])
    assert "BANNED_PART" in symbols("a.pdf", b"%PDF-1.4\n" + SECOND["ZIP"] + decoys)
    for second in ("RAR", "7z"):
        decoys = (b"Rar!\x1a\x07\0" + RIGHT_7Z) * 3000
        assert "BANNED_PART" in symbols("a.pdf", b"%PDF-1.4\n" + decoys + SECOND[second])


def test_all_kinds_are_told_likeliest_first() -> None:
    assert File.of(("a.pdf",), b"%PDF-1.4\n").kinds == ("pdf",)
    assert File.of(("a.pdf",), b"#!\n%PDF-1.4\n").kinds == ("script", "pdf")
    assert File.of(("a.html",), b"GIF89a").kinds == ("gif", "html")
    assert File.of(("a.txt",), b"hello").kinds == ()


SHORTCUT = bytes.fromhex("4c0000000114020000000000c0000000000000468b00000020000000") + bytes(200)
COMPRESSED = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("again", COMPRESSED)
@pytest.mark.parametrize(
    ("inner", "content"),
    [("photo.jpg", SHORTCUT), ("a.vbs", b"(\xb5/\xfd = 1: x"), ("a.vbs", b"\x1f\x9d\x90 = 1: x")],
)
def test_what_is_in_a_compressed_file_may_look_compressed(
    name: str, again: str, inner: str, content: bytes
) -> None:
    packed = COMPRESSED[name](content)
    assert "BANNED_PART" in symbols(f"{inner}.{name}", packed)
    assert "BANNED_PART" in symbols(f"{inner}.{name}.{again}", COMPRESSED[again](packed))
    files = [file.content for file in Unpacker().files((f"{inner}.{name}",), packed)]
    assert content in files
