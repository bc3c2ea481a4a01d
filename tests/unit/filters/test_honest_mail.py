"""Where honest files come near to dangerous ones: what the dangerous ones next to them keep."""

from __future__ import annotations

import io
import zipfile

import pytest

from filterd.chain.verdict import Action
from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.filters.parts.unpacking import office
from filterd.filters.parts.unpacking.files import File
from filterd.message import Message
from tests.hostile.encrypted_pdf import FILES as ENCRYPTED
from tests.hostile.harmless import DMARC, JPEG, PDF, TLS_REPORT, WORD_2003, gzipped, related, typed
from tests.hostile.tricks.archives import mailed, zipped
from tests.hostile.tricks.documents import office as office_file
from tests.hostile.tricks.documents import pdf
from tests.hostile.tricks.encodings import PROGRAM

pytestmark = pytest.mark.slow


def symbols(name: str, content: bytes, parts: Parts | None = None) -> set[str]:
    verdict = (parts or Parts(PartsSettings())).examine(Message(mailed(name, content), id="X1"))
    return {symbol.name for symbol in verdict.symbols}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("Amazon.com: your order.pdf", PROGRAM),
        ("Amazon.com: your order.pdf", b"\xb4\x09\xba\x09\x01\xcd\x21\xcd\x20hello$"),
        ("setup.com", b"\xb4\x09\xba\x09\x01\xcd\x21\xcd\x20hello$"),
        ("setup.com", PROGRAM),
        ("setup.com", b""),
        ("firm.com", b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR"),
        ("invoice.exe", PDF),
        ("invoice.exe:a.pdf", b"hello"),
        ("invoice.js: a.txt", b"var shell = new ActiveXObject('x'); shell.run('a b c d');"),
        ("guide.js: a.gif", b"GIF89a=1;new ActiveXObject('WScript.Shell')"),
        ("guide.hta; a.pdf", b"%PDF-1.4\n<script>alert(1)</script>"),
        ("guide.bat: a.pdf", b"%PDF-1.4\r\nstart calc\r\n"),
        ("guide.jar: a.pdf", PDF + zipped("a.class")),
        ("a.exe\x00: b.pdf", PDF),
        ("firm.py", b"import os\nos.system('x')\n"),
        ("firm.pl", b'{"a": "@{[system q(x)]}"}'),
        ("firm.pl", b"#!/usr/bin/perl\nsystem('x y z a b c');\n"),
        ("a.json.gz", gzipped("setup.com", PROGRAM)),
        ("a.json.gz", gzipped("firm.py", b"import os\n")),
        ("a.json.gz", gzipped("firm.exe", TLS_REPORT)),
    ],
)
def test_a_program_stays_banned(name: str, content: bytes) -> None:
    assert "BANNED_PART" in symbols(name, content)


@pytest.mark.parametrize("banned", ["com", "zip", "app", "mov", "py", "pl"])
def test_a_site_is_no_file_of_that_type(banned: str) -> None:
    parts = Parts(PartsSettings(extensions=(banned,)))
    assert symbols(f"firm.{banned}: report.pdf", PDF, parts) == set()
    assert symbols(f"firm.{banned}", DMARC, parts) == set()
    assert symbols("r.xml.gz", gzipped(f"firm.{banned}", DMARC), parts) == set()
    assert "BANNED_PART" in symbols(f"setup.{banned}", b"\x01\x02\x03", parts)


def test_a_zip_file_is_banned_where_zip_files_are() -> None:
    parts = Parts(PartsSettings(extensions=("zip",)))
    assert "BANNED_PART" in symbols("invoice.zip", zipped("a.txt"), parts)
    assert "BANNED_PART" in symbols("invoice.zip: a.pdf", zipped("a.txt"), parts)


@pytest.mark.parametrize(
    ("location", "banned"),
    [
        (b"http://shop.com/setup.exe", True),
        (b"http://shop.com/setup.exe?x=a.gif", True),
        (b"file:///C:\\temp\\setup.exe", True),
        (b"http:\\\\shop.com\\setup%2Eexe", True),
        (b"setup.exe", True),
        (b"http://setup.exe/", False),
    ],
)
def test_the_last_segment_of_a_location_is_a_name(location: bytes, banned: bool) -> None:
    data = typed(
        b"multipart/related",
        b"Content-Type: application/octet-stream\r\nContent-Location: " + location + b"\r\n\r\nhi",
    )
    found = {
        symbol.name for symbol in Parts(PartsSettings()).examine(Message(data, id="X1")).symbols
    }
    assert found == ({"BANNED_PART"} if banned else set())


OWN_SHARES = (
    b"file:///\\\\fileserver\\templates\\letter.dotx",
    b"\\\\fileserver\\templates\\letter.dotx",
    b"file://fs01/templates/letter.dotx",
    b"\\\\fs01.firm.local\\templates\\letter.dotx",
    b"file:///\\\\10.1.2.3\\templates\\letter.dotx",
    b"file:///\\\\192.168.1.2\\templates\\letter.dotx",
)
OTHERS = (
    b"https://x.example/a.dotm",
    b"\\\\x.example\\a\\a.dotm",
    b"\\\\203.0.113.5\\a\\a.dotm",
    b"file:///\\\\x.example@SSL\\a\\a.dotm",
    b"\\\\fs01@8080\\a\\a.dotm",
    b"http://fs01/a.dotm",
    b"file:///\\\\192.168.1.2.x.example\\a\\a.dotm",
)


@pytest.mark.parametrize("target", OWN_SHARES)
def test_a_template_on_a_share_of_the_own_network_is_no_start(target: bytes) -> None:
    file = office_file(**related(b"attachedTemplate", target))
    assert symbols("a.docx", file) == {"DOC_SHARE"}
    verdict = Parts(PartsSettings()).examine(Message(mailed("a.docx", file), id="X1"))
    assert sum(symbol.score for symbol in verdict.symbols) <= 1.0


@pytest.mark.parametrize("target", OTHERS)
def test_a_template_from_anywhere_else_is(target: bytes) -> None:
    assert symbols("a.docx", office_file(**related(b"attachedTemplate", target))) == {"DOC_REMOTE"}


@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("Sub CommandButton1_Click()", False),
        ("Private Sub ComboBox1_Change()", False),
        ("Private Sub List_DblClick(ByVal Cancel As MSForms.ReturnBoolean)", False),
        ("Sub Total()", False),
        ("Sub AutoOpen()", True),
        ("Private Sub Workbook_Open()", True),
        ("Private Sub Document_Close()", True),
        ("Private Sub InkEdit1_GotFocus()", True),
        ("Private Sub ImageCombo21_Change()", True),
        ("Private Sub Frame1_Layout()", True),
        ("Sub B_Click()\nEnd Sub\nSub Auto_Open()", True),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_starts_a_macro(name: str, starts: bool) -> None:
    code = f'Attribute VB_Name = "Module1"\n{name}\n  MsgBox "hello"\nEnd Sub\n'
    file = File(("a.bas",), "", code.encode())
    found = [symbol for symbol, _detail in office._what_macros_do(file)]
    assert found == (["DOC_MACRO_AUTO"] if starts else [])


@pytest.mark.parametrize("name", [name for name in ENCRYPTED if "password" in name])
def test_a_pdf_with_a_password_of_its_reader_is_encrypted(name: str) -> None:
    assert symbols("a.pdf", ENCRYPTED[name]) == {"DOC_ENCRYPTED"}


@pytest.mark.parametrize("name", [name for name in ENCRYPTED if "script" in name])
def test_what_a_pdf_without_one_does_is_seen(name: str) -> None:
    assert symbols("a.pdf", ENCRYPTED[name]) == {"DOC_SCRIPT"}


@pytest.mark.parametrize(
    "object_",
    [
        b"<</S/JavaScript/JS(app.alert\\(1\\))>>",
        b"<</S/#4aavaScript/#4AS 5 0 R>>",
        b"<</S/JavaScript/JS\0<6170>>>",
        b"<</S/JavaScript/JS%x\n5 0 R>>",
        b"<< % (\n/S/JavaScript/JS 5 0 R % )\n>>",
        b"(open <</S/JavaScript/JS 5 0 R>> )",
        b"<</A(\\()/S/JavaScript/JS 5 0 R/B(\\))>>",
        b"%>>stream\n<</S/JavaScript/JS 6 0 R>>%endstream\n",
    ],
)
def test_script_in_a_pdf_is_seen_behind_strings_comments_and_streams(object_: bytes) -> None:
    assert "DOC_SCRIPT" in symbols("a.pdf", pdf(object_))


@pytest.mark.parametrize(
    "xml",
    [
        WORD_2003 % b"editdata.mso",
        WORD_2003 % b"oledata.mso",
        WORD_2003.replace(b'"no"', b'"yes"') % b"a.png",
        (WORD_2003 % b"a.png").replace(b"iVBORw0KGgo=", b"QWN0aXZlTWltZQAAAfAE"),
        (WORD_2003 % b"a.png").replace(b"<w:pict>", b"<w:docSuppData/><w:pict>"),
        (WORD_2003 % b"editdata.mso").replace(b"w:", b"x:"),
    ],
)
def test_word_xml_with_macros(xml: bytes) -> None:
    assert "DOC_MACRO" in symbols("a.xml", xml)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.html", b"<html><p onclick=x()>"),
        ("a.html", b"<html><svg onbegin=x()>"),
        ("a.html", b"<html><a onfocusin=x() autofocus>"),
        ("a.html", b"<html><p onwebkitanimationstart=x()>"),
        (
            "a.xml",
            b'<?xml version="1.0"?><a:script xmlns:a="http://www.w3.org/1999/xhtml">x</a:script>',
        ),
        (
            "a.xml",
            b'<?xml version="1.0"?><s:svg xmlns:s="http://www.w3.org/2000/svg" onload="x()"/>',
        ),
        ("a.xml", b'<?xml-stylesheet type="text/xsl" href="#a"?><a><script>x</script></a>'),
        (
            "a.xml",
            b'<!DOCTYPE a [<!ENTITY n "http://www.w3.org/1999/xht">]><a><script>x</script></a>',
        ),
    ],
)
def test_script_in_pages(name: str, content: bytes) -> None:
    assert "DOC_SCRIPT" in symbols(name, content)


def draft(kind: bytes) -> set[str]:
    data = typed(
        b"multipart/alternative",
        b"Content-Type: message/external-body; " + kind + b"\r\n\r\nContent-Type: text/plain\r\n",
    )
    verdict = Parts(PartsSettings()).examine(Message(data, id="X1"))
    held = {"held"} if verdict.action is not Action.ACCEPT else set()
    stripped = {"stripped"} if verdict.removed else set()
    return {symbol.name for symbol in verdict.symbols} | held | stripped


def test_an_announced_draft_is_delivered_and_an_announced_program_is_not() -> None:
    ftp = b'access-type=anon-ftp; site="ftp.ietf.example"; directory="internet-drafts"; name='
    assert draft(ftp + b'"draft-x-00.txt"') == {"MIME_EXTERNAL"}
    assert draft(b'access-type=mail-server; server="mailserv@ietf.example"') == {"MIME_EXTERNAL"}
    assert draft(b'access-type=URL; URL="https://ietf.example/d.txt"') == {"MIME_EXTERNAL"}
    assert draft(ftp + b'"a.exe"') == {"MIME_EXTERNAL", "BANNED_PART", "stripped"}
    url = b'access-type=URL; URL="http://x.example/evil.exe"'
    assert draft(url) == {"MIME_EXTERNAL", "BANNED_PART", "stripped"}


def test_a_picture_is_no_program_whatever_it_is_called() -> None:
    assert symbols("setup.exe: how to.jpg", JPEG) == set()


SOURCES = [
    f"project/{folder}/file{number}.{extension}"
    for folder in ("core", "tools")
    for number in range(10)
    for extension in ("c", "h", "md", "py", "pl", "sh", "txt", "toml")
]


def packed(names: list[str]) -> bytes:
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, name in enumerate(names):
                archive.writestr(name, f"# {number}\nimport os\n")
        return file.getvalue()


def test_an_archive_of_sources_is_delivered() -> None:
    assert symbols("project.zip", packed(SOURCES)) == set()
    assert symbols("all.zip", zipped("project.zip", packed(SOURCES))) == set()


@pytest.mark.parametrize(
    "names",
    [
        ["invoice.py"],
        ["invoice.py", *(f"pages/{number}.txt" for number in range(90))],
        [*SOURCES, "invoice.exe"],
        [*SOURCES, "invoice.js"],
        [*SOURCES, "invoice.py.bat"],
        [*SOURCES, "invoice.pyw"],
    ],
)
def test_programs_in_an_archive_stay_banned(names: list[str]) -> None:
    assert "BANNED_PART" in symbols("project.zip", packed(names))


def test_source_code_counts_by_the_archive_that_it_is_in() -> None:
    few = packed(["a.txt", "invoice.py"])
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            for name in SOURCES:
                archive.writestr(name, "x")
            archive.writestr("invoice.zip", few)
        mixed = file.getvalue()
    assert "BANNED_PART" in symbols("project.zip", mixed)


def test_how_many_files_make_an_archive_of_sources_is_a_setting() -> None:
    content = packed(SOURCES)
    assert "BANNED_PART" in symbols("project.zip", content, Parts(PartsSettings(source_files=0)))
    assert "BANNED_PART" in symbols(
        "project.zip", content, Parts(PartsSettings(source_files=len(SOURCES) + 1))
    )
    assert symbols("project.zip", content, Parts(PartsSettings(source_files=len(SOURCES)))) == set()
