"""What was made linear still finds what it found before."""

from __future__ import annotations

import pytest

from filterd.chain.headers import _authserv_id
from filterd.filters.parts.unpacking import documents, tables
from filterd.filters.parts.unpacking.files import File
from filterd.message.decoding import other_contents
from filterd.message.inline_files import inline_files
from filterd.message.parameters import parse_value


def table(content: bytes) -> list[str]:
    return [symbol for symbol, _detail in tables.findings(File(("a.csv",), "", content))]


@pytest.mark.parametrize(
    "line",
    [
        b"=cmd|'/c calc'!A1",
        b"x,\"=cmd|' /C calc'!A0\"",
        b"@SUM(1+1)*cmd|' /C calc'!A0",
        b"\"=SUM(1,2)+MSEXCEL|'\\..\\..\\cmd.exe /c calc'!''\"",
        b"a;-2+3+cmd|' /C calc'!A0",
        b"=cmd|calc!A0",
        b"='C:\\windows\\cmd'|'/c calc'!A1",
        b"a\r=cmd|'/c calc'!A1",
        "=cmd|'/c calc'!A1".encode("utf-16"),
        "=cmd|'/c calc'!A1".encode("utf-8-sig"),
    ],
)
def test_a_table_that_starts_a_program(line: bytes) -> None:
    assert table(line if line[0] > 0x7F else b"name;sum\r\n" + line) == ["DOC_DDE"]


@pytest.mark.parametrize(
    "line",
    [
        b"+49 30 123456|Ann",
        b"+49 30 123456|Ann|Berlin!",
        b"-5|Bob!|x!y",
        b"-|-|-",
        b"=== a | b ===",
        b"=SUM(B1:B2),@home",
        b"@ann|@bob|@carl",
        b"+1,a|b",
        b"\n" * 33_000,
    ],
)
def test_a_table_that_only_has_bars(line: bytes) -> None:
    assert table(b"phone|name\n" + line) == []


@pytest.mark.parametrize(
    "xml",
    [
        b"<w:instrText>DDEAUTO c:\\\\x</w:instrText>",
        b'<w:instrText xml:space="preserve">DDE "a"</w:instrText>',
        b"<w:instrText>DD</w:instrText><w:instrText>EAUTO</w:instrText>",
        b'<w:fldSimple w:instr="DDE c:\\a">',
    ],
)
def test_a_field_of_word(xml: bytes) -> None:
    file = File(("word/document.xml",), "", b"<?xml?><w:p>" + xml + b"</w:p>")
    assert {symbol for symbol, _ in documents.findings(file)} == {"DOC_DDE"}


def test_binhex_begins_in_the_line_or_on_the_next() -> None:
    for text in (
        b"(This file must be converted with BinHex 4.0)\r\n\r\n:abc:",
        b"converted with BinHex 4.0 :abc\r\nabc:",
        b"converted with BinHex: no\r\n:abc:",
    ):
        assert [file.coding for file in inline_files(text)] == ["BinHex"], text
    assert list(inline_files(b"converted with BinHex 4.0\r\nno colon")) == []


def test_a_yenc_name_is_what_stands_behind_the_first_name() -> None:
    text = b"begin\n=ybegin line=128 size=3 name=a name=b.bin\r\nabc\r\n=yend size=3\r\n"
    assert [file.name for file in inline_files(text)] == ["a name=b.bin"]


def test_base64_behind_padding() -> None:
    body = b"YQ==\r\nYg==\r\n"
    assert other_contents(body, "base64", b"a")[0] == b"ab"
    assert other_contents(b"YWI= = \r\n==", "base64", b"ab") == ()


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("mx.example; dkim=pass", "mx.example"),
        ("(a (b) c) MX.example 1; none", "mx.example"),
        ('"mx.example";none', "mx.example"),
        ("(" * 60_000, ""),
        ("(" * 60_000 + ")" * 60_000 + "mx.example", "mx.example"),
        ("", ""),
    ],
)
def test_the_host_of_authentication_results(value: str, host: str) -> None:
    assert _authserv_id(value) == host


def test_a_parameter_without_its_semicolon() -> None:
    word, parameters = parse_value(b"text/plain, , name=a.exe")
    assert word == "text/plain"
    assert parameters.texts("name") == ["a.exe"]
