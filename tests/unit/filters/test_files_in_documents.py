"""Files that documents and pages keep in themselves are opened, and judged by all their names."""

from __future__ import annotations

import base64
import struct

import pytest

from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.message import Message
from tests.helpers import outlook
from tests.helpers.tnef import DATA, PROPERTIES, RENDER_DATA, TITLE, attribute, tnef
from tests.hostile.tricks.archives import mailed, zipped
from tests.hostile.tricks.documents import HTML, compound, office, pdf, pdf_stream
from tests.hostile.tricks.encodings import PROGRAM
from tests.hostile.tricks.wrappings import packaged

pytestmark = pytest.mark.slow

SCRIPT = b'CreateObject("WScript.Shell").Run "calc"\r\n'
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(200)
SHORTCUT = bytes.fromhex("4c0000000114020000000000c000000000000046") + bytes(60)
LONG = PROGRAM * 4


def symbols(name: str, content: bytes) -> set[str]:
    verdict = Parts(PartsSettings()).examine(Message(mailed(name, content), id="X1"))
    return {symbol.name for symbol in verdict.symbols}


def package(label: bytes, path: bytes, temporary: bytes, content: bytes = b"x") -> bytes:
    """A packaged file with three names."""
    octets = b"\2\0" + label + b"\0" + path + b"\0\0\0\3\0"
    octets += struct.pack("<I", len(temporary) + 1) + temporary + b"\0"
    octets += struct.pack("<I", len(content)) + content
    return struct.pack("<I", len(octets)) + octets


@pytest.mark.parametrize(
    ("names", "banned"),
    [
        ((b"report.pdf", b"C:\\a\\evil.vbs", b"C:\\t\\evil.vbs"), True),
        ((b"report.pdf", b"C:\\a\\report.pdf", b"C:\\t\\evil.js"), True),
        ((b"evil.hta", b"C:\\a\\a.pdf", b"C:\\t\\a.pdf"), True),
        ((b"report.pdf", b"C:\\a.com\\report.pdf", b"C:\\t\\report.pdf"), False),
    ],
)
def test_a_packaged_file_has_three_names(names: tuple[bytes, bytes, bytes], banned: bool) -> None:
    content = office(word__embeddings__a_bin=compound(("\1Ole10Native", package(*names))))
    assert ("BANNED_PART" in symbols("a.docx", content)) is banned


def rtf(digits: bytes) -> bytes:
    return b"{\\rtf1{\\object\\objemb{\\*\\objclass Package}{\\*\\objdata %s}}}" % digits


def object_of(program: bytes, octets: bytes) -> bytes:
    """An embedded object ([MS-OLEDS] §2.2.5)."""
    head = struct.pack("<3I", 0x501, 2, len(program) + 1) + program + b"\0" + bytes(8)
    return head + octets


PACKAGE = object_of(b"Package", packaged(b"evil.vbs", SCRIPT))
COMPOUND = compound(("\1Ole10Native", packaged(b"evil.vbs", SCRIPT)))
DIGITS = PACKAGE.hex().encode()

OBJECTS = {
    "package": DIGITS,
    "in lines": b"\r\n".join(DIGITS[at : at + 64] for at in range(0, len(DIGITS), 64)),
    "capitals": DIGITS.upper(),
    "blanks": b" ".join(DIGITS[at : at + 1] for at in range(len(DIGITS))),
    "control words within": DIGITS[:31] + b"\\par \\b0" + b"\\'41" + DIGITS[31:],
    "a group that is passed over": b"{\\*\\foo 1234}" + DIGITS,
    "a group that is not": b"{" + DIGITS[:40] + b"}" + DIGITS[40:],
    "as they are": b"\\bin%d " % len(PACKAGE) + PACKAGE,
    "a compound file": object_of(b"Word.Document.8", struct.pack("<I", len(COMPOUND)) + COMPOUND)
    .hex()
    .encode(),
    "a compound file without its header": COMPOUND.hex().encode(),
    "a program": object_of(b"x", struct.pack("<I", len(PROGRAM)) + PROGRAM).hex().encode(),
    "the second": b"0105}}{\\object{\\*\\objdata " + DIGITS,
}


@pytest.mark.parametrize("digits", OBJECTS.values(), ids=OBJECTS)
def test_objects_in_rich_text(digits: bytes) -> None:
    assert symbols("a.doc", rtf(digits)) == {"BANNED_PART", "DOC_EMBEDDED"}


def test_honest_objects_in_rich_text() -> None:
    sheet = office(xl__workbook_xml=b"<workbook/>")
    content = object_of(b"Excel.Sheet.12", struct.pack("<I", len(sheet)) + sheet)
    assert symbols("a.rtf", rtf(content.hex().encode())) == {"DOC_EMBEDDED"}


URL_MONIKER = bytes.fromhex("e0c9ea79f9bace118c8200aa004ba90b")


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("http://x.example/a", {"DOC_REMOTE"}),
        ("file://fs01/sheets/a.xlsx", {"DOC_SHARE"}),
        ("file:///C:/sheets/a.xlsx", set()),
    ],
)
def test_a_linked_object(address: str, wanted: set[str]) -> None:
    octets = address.encode("utf-16-le")
    moniker = bytes(24) + URL_MONIKER + struct.pack("<I", len(octets)) + octets + bytes(9)
    link = compound(("\1Ole", moniker))
    assert symbols("a.doc", link) == wanted
    embedded = object_of(b"OLE2Link", struct.pack("<I", len(link)) + link)
    assert symbols("a.doc", rtf(embedded.hex().encode())) == wanted | {"DOC_EMBEDDED"}


def one_note(content: bytes, name: str, number: int = 0x1C001D9C) -> bytes:
    """A section with a file and a set of properties, one of them with its name."""
    text = (name + "\0").encode("utf-16-le")
    properties = struct.pack("<H3I", 3, 0x14001C20, 0x1C001C22, number) + bytes(4)
    properties += struct.pack("<I", 6) + bytes(6) + struct.pack("<I", len(text)) + text
    return (
        bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3")
        + bytes(100)
        + bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
        + struct.pack("<Q12x", len(content))
        + content
        + properties
        + bytes(50)
    )


@pytest.mark.parametrize("name", ["Open.vbs", "invoice.pdf.bat", "press to unblock.hta", "a.wsf"])
def test_a_file_in_one_note_has_a_name(name: str) -> None:
    assert "BANNED_PART" in symbols("a.one", one_note(SCRIPT, name))
    assert symbols("a.one", one_note(SCRIPT, name, 0x1C001CF3)) == {"DOC_EMBEDDED"}
    assert symbols("a.one", one_note(PICTURE, "photo.png")) == {"DOC_EMBEDDED"}


@pytest.mark.parametrize("stream", ["3707001E", "3704001E", "3703001E", "3703001F"])
def test_an_attachment_of_outlook_by_any_of_its_names(stream: str) -> None:
    name = "a.hta" if stream.startswith(("3707", "3704")) else ".hta"
    octets = name.encode() if stream.endswith("1E") else outlook.wide(name)
    one = {f"__substg1.0_{stream}": octets, "__substg1.0_37010102": b"hello"}
    assert "BANNED_PART" in symbols("a.msg", outlook.item(attachments=[one]))


def test_what_is_in_a_broken_winmail_dat() -> None:
    head = attribute(RENDER_DATA, b"\1\0" + bytes(12))
    whole = tnef(head, attribute(TITLE, b"evil.exe\0"), attribute(DATA, PROGRAM))
    assert symbols("winmail.dat", whole[:-40]) == {"BANNED_PART", "ARCHIVE_DAMAGED"}
    others = (attribute(TITLE, b"evil.exe\0", 1), attribute(DATA, PROGRAM, 1))
    assert symbols("winmail.dat", tnef(*others)) == {"BANNED_PART"}
    text = outlook.wide(".hta\0")
    extension = struct.pack("<I2H2I", 1, 0x1F, 0x3703, 1, len(text)) + text + bytes(2)
    assert symbols("winmail.dat", tnef(head, attribute(PROPERTIES, extension))) == {"BANNED_PART"}


CODED = base64.b64encode(LONG)
PAGES = {
    "decoded by script": b"<script>save(atob('%s'), 'a.exe')</script>" % CODED,
    "put together": b"<script>a = '%s'</script>"
    % b"' +\n '".join(CODED[at : at + 40] for at in range(0, len(CODED), 40)),
    "an archive": b'<script>a = "%s"</script>' % base64.b64encode(zipped("a.lnk", SHORTCUT)),
    "in an element": b"<p id='a' hidden>%s</p><script>b(a)</script>" % CODED,
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_file_that_a_page_saves(page: bytes) -> None:
    assert symbols("a.html", HTML % page) == {"BANNED_PART", "DOC_SCRIPT"}
    assert symbols("a.svg", b"<svg>" + page + b"</svg>") == {"BANNED_PART", "DOC_SCRIPT"}


@pytest.mark.parametrize(
    "octets", [PICTURE, bytes(range(256)) * 3, zipped("a.txt", b"hello" * 50), b"wOFF" + bytes(99)]
)
def test_other_data_in_a_page(octets: bytes) -> None:
    page = b"<p title='%s'>hello</p>" % base64.b64encode(octets)
    assert symbols("a.html", HTML % page) == set()


@pytest.mark.parametrize("element", [b"pkg:binaryData", b"office:binary-data", b"w:binData"])
def test_a_document_that_is_one_xml_file(element: bytes) -> None:
    xml = b'<?xml version="1.0"?><a><%s w:name="a.png">%s</%s></a>'
    bad = xml % (element, base64.b64encode(COMPOUND), element)
    assert symbols("a.xml", bad) == {"BANNED_PART", "DOC_EMBEDDED"}
    good = xml % (element, base64.b64encode(PICTURE), element)
    assert symbols("a.xml", good) == set()


@pytest.mark.parametrize(
    "name",
    [b"/UF(a \\(1\\).vbs)", b"/UF(a (1).vbs)", b"/F(\xef\xbb\xbfa.vbs)", b"/DOS(a.vbs)"],
)
def test_the_name_of_a_file_in_a_pdf(name: bytes) -> None:
    specification = b"<</Type/Filespec%s/EF<</F 2 0 R>>>>" % name
    content = pdf(specification, pdf_stream(b"/Type/EmbeddedFile", b"x"))
    assert symbols("a.pdf", content) == {"BANNED_PART", "DOC_EMBEDDED"}
