"""Pages and pictures as attachments: in any coding, kept as one file, one in the other."""

from __future__ import annotations

import base64
import gzip
from urllib.parse import quote_from_bytes

import pytest

from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.filters.parts.unpacking import markup
from filterd.message import Message
from tests.hostile.tricks import archives
from tests.hostile.tricks.encodings import PROGRAM
from tests.hostile.tricks.structure import TEXT, attachment, base64_of, usual

SCRIPT = "<html><body><script>go()</script></body></html>"
CODED = base64.b64encode(PROGRAM).decode()
LINK = f'<html><a href="data:application/octet-stream;base64,{CODED}">open</a></html>'
SVG = '<svg xmlns="http://www.w3.org/2000/svg">%s</svg>'
XHTML = (
    '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body onload="x()"/></html>'
)


def web_archive(page: str, *, head: str = "From: <Saved by a browser>\r\n") -> bytes:
    """RFC 2557, as browsers and Word write it."""
    return (
        (
            f'{head}MIME-Version: 1.0\r\nContent-Type: multipart/related; type="text/html"; '
            "boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n"
            "Content-Location: https://shop.example/p\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        ).encode()
        + base64_of(page.encode())
        + b"\r\n--x--\r\n"
    )


def symbols(name: str, content: bytes) -> set[str]:
    message = Message(archives.mailed(name, content), id="X1")
    return {
        symbol.name for symbol in Parts(PartsSettings(verify_dkim=False)).examine(message).symbols
    }


@pytest.mark.parametrize("coding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"])
def test_a_link_that_holds_a_program_is_opened_in_any_coding(coding: str) -> None:
    page = f"<!DOCTYPE html>{LINK}".encode(coding)
    if coding == "utf-7":
        page = b"+ADw-html+AD4" + page
    assert symbols("a.html", page) >= {"BANNED_PART"}


@pytest.mark.parametrize(
    "link",
    [
        f"data:application/octet-stream;base64,{CODED}",
        f"DATA:;BASE64,{CODED}",
        f"data&#58;application/zip&semi;base64&comma;{CODED}",
        f"da\nta:application/zip;\tbase64,{CODED[:40]}\r\n{CODED[40:]}",
        f"data:application/octet-stream;charset=x;base64,{CODED.replace('A', '%41')}",
        f"data:application/octet-stream,{quote_from_bytes(PROGRAM)}",
        f"data:application/octet-stream;base64,{CODED.replace('+', '-').replace('/', '_')}",
    ],
)
def test_a_link_that_holds_a_program_is_opened_however_it_is_written(link: str) -> None:
    assert symbols("a.html", f"<html><a href='{link}'>open</a></html>".encode()) >= {"BANNED_PART"}
    assert symbols("a.svg", (SVG % f"<a href='{link}'>a</a>").encode()) >= {"BANNED_PART"}


def test_the_name_that_a_download_gets_counts() -> None:
    page = b'<html><a href="data:text/plain;base64,aGVsbG8gaGVsbG8gaGVsbG8=" %s>a</a></html>'
    assert symbols("a.html", page % b"") == set()
    assert symbols("a.html", page % b'download="notes.txt"') == set()
    assert symbols("a.html", page % b'download="run.vbs"') == {"BANNED_PART"}
    assert symbols("a.html", page % b"download=run.exe") == {"BANNED_PART"}
    assert symbols("a.html", page.replace(b"text/plain", b"application/hta") % b"") == {
        "BANNED_PART"
    }


def test_a_page_of_pictures_is_looked_through_once() -> None:
    picture = b"data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(60))
    page = b"<html>" + b"<img src='" + picture + b"'>" * 50
    assert [link.media_type for link in markup.links(page)] == ["image/png"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.html", SCRIPT.encode()),
        ("a.svg", (SVG % "<script>x()</script>").encode()),
        ("a.svgz", gzip.compress((SVG % "<script>x()</script>").encode())),
        ("a.svg.gz", gzip.compress((SVG % "<g onclick='x()'/>").encode())),
        ("a.xhtml", XHTML.encode()),
        ("a.xht", XHTML.encode()),
        ("a.xml", XHTML.encode()),
        ("a.dat", XHTML.encode()),
        ("a.xsl", b"<xsl:stylesheet xmlns:ms='x'><ms:script>x()</ms:script></xsl:stylesheet>"),
        ("a.xslt", b"<?xml version='1.0'?><x:stylesheet><msxsl:script>x()</msxsl:script>"),
        ("a.mht", web_archive(SCRIPT)),
        ("a.mhtml", web_archive(SCRIPT)),
        ("a.doc", web_archive(SCRIPT)),
        ("a.doc", web_archive(SCRIPT, head="")),
        ("page", web_archive(SCRIPT, head="Snapshot-Content-Location: https://a.example/\r\n")),
        ("a.doc", usual(b"Content-Type: text/html\r\n\r\n" + SCRIPT.encode())),
        ("a.xls", web_archive(SCRIPT, head="From: Ann <ann@client.example>\r\n")),
        ("a.zip", archives.zipped("page.mht", web_archive(SCRIPT))),
        ("a.eml", usual(TEXT, attachment(b"page.html", base64_of(SCRIPT.encode())))),
        ("a.eml", usual(TEXT, attachment(b"page.mht", base64_of(web_archive(SCRIPT))))),
        ("a.eml", usual(TEXT, attachment(b"a.svg", base64_of((SVG % SCRIPT).encode())))),
    ],
)
def test_script_is_told_in_whatever_a_page_is_kept(name: str, content: bytes) -> None:
    assert "DOC_SCRIPT" in symbols(name, content)


@pytest.mark.parametrize(
    "inside",
    [
        '<body xmlns="http://www.w3.org/1999/xhtml"><p>Sign in</p></body>',
        '<div><form action="https://x.example/"><input name="password"/></form></div>',
        '<iframe src="https://x.example/"></iframe>',
        '<xhtml:object data="https://x.example/"/>',
        '<p>one</p></foreignObject><g/><foreignObject><h:embed src="x"/>',
    ],
)
def test_a_page_in_a_picture_is_told(inside: str) -> None:
    picture = SVG % f'<foreignObject width="9" height="9">{inside}</foreignObject>'
    assert symbols("a.svg", picture.encode()) == {"DOC_SCRIPT"}
    assert symbols("a.svgz", gzip.compress(picture.encode())) == {"DOC_SCRIPT"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        # As drawing programs write their texts.
        (
            "diagram.svg",
            SVG % "<switch><foreignObject><div><span>step <b>1</b></span></div></foreignObject>"
            "<a href='https://draw.example/help'><text>step 1</text></a></switch>",
        ),
        ("a.html", "<html><form action='https://x.example/'><input name='q'></form></html>"),
        ("a.xsl", "<xsl:stylesheet><xsl:template match='/'>hello</xsl:template></xsl:stylesheet>"),
        ("a.xml", "<invoice><object>1</object></invoice>"),
        ("a.mht", web_archive("<html><body>hello</body></html>").decode()),
    ],
)
def test_plain_pages_and_pictures_have_no_symbol(name: str, content: str) -> None:
    assert symbols(name, content.encode()) == set()


def test_the_text_of_attached_mail_is_for_its_reader() -> None:
    page = b"Content-Type: text/html\r\n\r\n" + SCRIPT.encode()
    assert symbols("a.eml", usual(page)) == set()
    assert symbols("a.eml", usual(TEXT, page)) == set()


def test_a_reference_that_no_character_has_hides_no_link() -> None:
    page = f"&#{'1' * 5000};{LINK}"
    assert symbols("a.html", page.encode()) >= {"BANNED_PART"}
