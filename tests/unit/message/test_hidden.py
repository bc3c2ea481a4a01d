"""Files that may begin anywhere in an odd message; one that is as it should be has none."""

from __future__ import annotations

import base64
import binascii
import quopri

import pytest

from filterd.message import Message, Reading
from filterd.message.hidden import FIELDS_LIMIT, FILES_LIMIT, HiddenFileSearch
from filterd.message.hidden_readings import HIDDEN_LIMIT
from tests.hostile.tricks.encodings import begin_base64, binhex, uuencoded, yenc

EVIL = b"MZ this is evil, and longer than a line of base64 may be in mail\n"
LETTERS = base64.encodebytes(EVIL).replace(b"\n", b"\r\n")
NAMED = b'Content-Disposition: attachment; filename="evil.exe"\r\n'
BASE64 = b"Content-Transfer-Encoding: base64\r\n"

ODD = b"Subject: a\r\nthis is no field\r\n\r\nhello\r\n"
"""A message that departs from the standards, and has no part."""

FOUND: dict[str, bytes] = {
    "a header and base64": NAMED + BASE64 + b"\r\n" + LETTERS,
    "base64 that is not said to be": NAMED + b"\r\n" + LETTERS,
    "base64 in short lines": NAMED
    + BASE64
    + b"\r\n"
    + b"\r\n".join(LETTERS[at : at + 7] for at in range(0, len(LETTERS), 7)),
    "no header": LETTERS,
    "no header, and empty lines between": LETTERS.replace(b"\r\n", b"\r\n\r\n"),
    "quoted-printable": (
        NAMED
        + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        + quopri.encodestring(EVIL, quotetabs=True)
    ),
    "no encoding": NAMED + b"\r\n" + EVIL,
    "a line of blanks before the body": NAMED + BASE64 + b" \t\r\n" + LETTERS,
    "no empty line before the body": NAMED + BASE64 + LETTERS,
    "blanks before the field": b"  " + NAMED + BASE64 + b"\r\n" + LETTERS,
    "a field without its colon": NAMED.replace(b": ", b" ") + BASE64 + b"\r\n" + LETTERS,
    "NUL in the field's name": NAMED.replace(b"-", b"\0-") + BASE64 + b"\r\n" + LETTERS,
    "bare CR for line ends": (NAMED + BASE64 + b"\r\n" + LETTERS).replace(b"\r\n", b"\r"),
    "the encoding twice": NAMED + BASE64 + BASE64.replace(b"base64", b"7bit") + b"\r\n" + LETTERS,
    "within base64": base64.encodebytes(b"--x\r\n" + NAMED + BASE64 + b"\r\n" + LETTERS),
    "uuencode": uuencoded(EVIL, b"evil.exe"),
    "uuencode -m": begin_base64(EVIL, b"evil.exe"),
    "yEnc": yenc(EVIL, b"evil.exe"),
    "BinHex": binhex(EVIL, b"evil.exe"),
}


def hidden(data: bytes) -> list[Reading]:
    return [reading for reading in Message(data).readings if reading.hidden_at is not None]


@pytest.mark.parametrize("octets", FOUND.values(), ids=FOUND)
@pytest.mark.parametrize("before", [b"", b"some text\r\n--x\r\nX-A: b\r\n"], ids=["first", "later"])
def test_a_file_is_found_wherever_it_begins(octets: bytes, before: bytes) -> None:
    files = list(HiddenFileSearch([ODD + before + octets + b"\r\n--x--\r\n"]).files())
    assert any(file.content.startswith(EVIL.rstrip()) for file in files)


NAMES: dict[str, bytes] = {
    "in pieces": b'Content-Disposition: attachment; filename*0="evil."; filename*1="exe"',
    "extended": b"Content-Disposition: attachment; filename*=utf-8''evil%2Eexe",
    "an encoded word": b'Content-Type: a/b; name="=?utf-8?q?evil=2Eexe?="',
    "of two": b"Content-Disposition: attachment; filename=a.txt; filename=evil.exe",
    "folded": b"Content-Disposition: attachment;\r\n filename=evil.exe",
    "behind a line of blanks": b"Content-Disposition: attachment;\r\n \r\n\tfilename=evil.exe",
    "in a line that is not folded": b"Content-Disposition: attachment;\r\nfilename=evil.exe",
    "without a semicolon": b"Content-Disposition: attachment filename=evil.exe",
}


@pytest.mark.parametrize("field", NAMES.values(), ids=NAMES)
def test_a_name_is_known_in_every_form(field: bytes) -> None:
    names = [
        name for file in HiddenFileSearch([field + b"\r\n\r\nhello"]).files() for name in file.names
    ]
    assert "evil.exe" in names


@pytest.mark.parametrize("place", ["preamble", "epilogue"])
@pytest.mark.parametrize("code", [uuencoded, begin_base64, yenc, binhex])
def test_files_outside_of_all_parts_are_found(place: str, code: object) -> None:
    coded = code(EVIL, b"evil.exe")  # type: ignore[operator]
    parts = b"--x\r\n\r\nhello\r\n--x--\r\n"
    body = coded + parts if place == "preamble" else parts + coded
    files = hidden(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + body)
    assert ("evil.exe",) in [reading.root.filenames for reading in files]
    assert {reading.root.content for reading in files} == {EVIL}


def test_what_a_tree_has_is_not_found_again() -> None:
    part = NAMED + BASE64 + b"\r\n" + LETTERS
    body = b"--x\r\n\r\nhello\r\n--xy\r\n--x\r\n" + part + b"--x--\r\n"
    message = Message(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + body)
    assert message.root.children[0].has_near_boundaries is False
    assert message.root.has_near_boundaries
    assert hidden(bytes(message.data)) == []


def test_a_message_as_it_should_be_is_not_looked_through() -> None:
    text = b"as an attached file:\r\n\r\n" + NAMED + BASE64 + b"\r\n" + LETTERS
    assert hidden(b"Subject: a\r\n\r\n" + text) == []
    assert hidden(ODD + text) != []


def test_where_it_begins_is_said() -> None:
    data = ODD + NAMED + b"\r\n" + EVIL
    (reading,) = hidden(data)
    assert reading.hidden_at == data.index(NAMED)
    assert reading.is_end_guessed


def symbols(data: bytes) -> list[str]:
    return [name for name, _detail in Message(data).anomalies]


def test_more_than_the_limits_allow_is_said() -> None:
    files = [b"Content-Type: a/b\r\n\r\n%d\r\n" % number for number in range(HIDDEN_LIMIT)]
    assert "MIME_TOO_MANY_READINGS" not in symbols(ODD + b"".join(files))
    assert "MIME_TOO_MANY_READINGS" in symbols(ODD + b"".join(files) + NAMED + b"\r\n")
    same = b"Content-Type: a/b\r\n\r\nx\r\n" * (FILES_LIMIT + 1)
    assert "MIME_TOO_MANY_READINGS" in symbols(ODD + same)
    fields = b"Content-Type: a/b\r\n" * FIELDS_LIMIT
    assert "MIME_TOO_MANY_READINGS" not in symbols(ODD + fields + b"\r\nx")
    assert "MIME_TOO_MANY_READINGS" in symbols(ODD + fields + NAMED + b"\r\nx")


def test_codings_in_each_other_end_somewhere() -> None:
    octets = NAMED + b"\r\n" + EVIL
    for _ in range(14):
        octets = BASE64 + b"\r\n" + base64.b64encode(octets)
    search = HiddenFileSearch([ODD + octets])
    assert len(list(search.files())) < 200
    assert EVIL.rstrip() in [
        file.content.rstrip() for file in HiddenFileSearch([ODD + octets]).files()
    ]


def test_letters_of_no_file_are_read_without_an_error() -> None:
    for octets in (b"A" * 61, b"=" * 70, binascii.b2a_uu(b"x" * 45), b"begin 644 \r\n", b"begin"):
        list(HiddenFileSearch([ODD + octets]).files())
