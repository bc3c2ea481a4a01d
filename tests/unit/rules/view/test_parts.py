"""The MIME tree as rules see it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.rules.view.parts import PART_LIMIT, parts_of

MIXED = b"Content-Type: multipart/mixed; boundary=b\n\n"


def types(message: bytes) -> list[str]:
    return [part.type for part in parts_of(message).walk()]


def texts(message: bytes) -> list[bytes]:
    return [part.content for part in parts_of(message).leaves()]


CONTENTS: dict[str, tuple[bytes, list[bytes]]] = {
    "one text": (b"Subject: x\n\nhello\n", [b"hello\n"]),
    "nothing": (b"", [b""]),
    "two parts": (
        MIXED + b"preamble\n--b\n\none\n--b\nContent-Type: text/html\n\ntwo\n\n--b--\nepilogue\n",
        [b"one", b"two\n"],
    ),
    "no end": (MIXED + b"--b\n\none\n", [b"one\n"]),
    "no boundary in the text": (MIXED + b"one\ntwo\n", [b"one\ntwo\n"]),
    "a header that never ends is lost, but for its last line": (
        MIXED + b"--b\nX-A: 1\nX-B: 2\n",
        [b"X-B: 2\n"],
    ),
    "base64 with CRLF": (
        b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nYQ0KYg0K\n",
        [b"a\nb\n"],
    ),
    "quoted-printable": (
        b"Content-Transfer-Encoding: quoted-printable\n\na=3Db=\n c =ZZ  \n",
        [b"a=b c =ZZ\n"],
    ),
    "mbox separator": (b"From a@b Mon Jan 1\nSubject: x\n\nhello\n", [b"hello\n"]),
    "25 blank lines are 20": (b"A: b\n\nx\n" + b"\n" * 25 + b"y\n", [b"x\n" + b"\n" * 20 + b"y\n"]),
    "a long line in a part is broken": (
        MIXED + b"--b\n\n" + b"x" * 3000 + b"\n--b--\n",
        [b"x" * 2048 + b"\n" + b"x" * 952],
    ),
}


@pytest.mark.parametrize(("message", "expected"), CONTENTS.values(), ids=CONTENTS)
def test_contents(message: bytes, expected: list[bytes]) -> None:
    assert texts(message) == expected


TYPES: dict[str, tuple[bytes, str]] = {
    "none": (b"", "text/plain"),
    "any text": (b"Content-Type: text/enriched\n", "text/plain"),
    "HTML": (b"Content-Type: TEXT/HTML; charset=x\n", "text/html"),
    "the last of two": (b"Content-Type: text/html\nContent-Type: image/png\n", "image/png"),
    "a multipart without a boundary": (b"Content-Type: multipart/mixed\n", "text/plain"),
    "odd octets": (b'Content-Type: "image/png"\n', "image/png"),
}


@pytest.mark.parametrize(("header", "expected"), TYPES.values(), ids=TYPES)
def test_type(header: bytes, expected: str) -> None:
    assert types(header + b"\nx\n") == [expected]


def test_a_message_in_a_message() -> None:
    inner = b"Subject: inner\nContent-Type: text/html\n\n<b>x</b>\n"
    message = MIXED + b"--b\nContent-Type: message/rfc822\n\n" + inner + b"--b--\n"
    assert types(message) == ["multipart/mixed", "message/rfc822", "text/html"]


def test_a_digest_holds_messages() -> None:
    message = b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\nhello\n--b--\n"
    assert types(message) == ["multipart/digest", "message/rfc822", "text/plain"]


FLAGS: dict[str, tuple[bytes, str]] = {
    "no empty line": (b"Subject: x\n", "lacks_separator"),
    "a boundary in the header": (b"Subject: x\n--b\n", "lacks_separator"),
    "four bad lines": (b"Subject: x\n" + b"bad line\n" * 4, "lacks_separator"),
    "a part without a header": (MIXED + b"--b\nhello\n--b--\n", "lacks_part_header"),
    "a part without an empty line": (MIXED + b"--b\nX: y\nhello\n--b--\n", "lacks_part_separator"),
    "text behind the end": (MIXED + b"--b\n\nx\n--b--\nhello\n", "has_epilogue"),
    "a long field": (b"X: " + b"y" * 9000 + b"\n\n", "is_truncated"),
    "many parts": (MIXED + b"--b\n\n" * (PART_LIMIT + 2), "has_too_many_parts"),
}


@pytest.mark.parametrize(("message", "flag"), FLAGS.values(), ids=FLAGS)
def test_what_is_odd_is_noted(message: bytes, flag: str) -> None:
    usual = parts_of(MIXED + b"--b\nA: b\n\nx\n--b--\n")
    assert not getattr(usual, flag)
    assert getattr(parts_of(message), flag)


WORDS: dict[str, tuple[bytes, bytes]] = {
    "plain": (b" x\n\ty \n", b"x y"),
    "UTF-8": (b" \xc3\xa9", b"\xc3\xa9"),
    "Latin-1": (b" \xe9", b"\xc3\xa9"),
    "base64": (b" =?utf-8?B?w6k=?=", b"\xc3\xa9"),
    "quoted": (b" =?iso-8859-1?Q?a_=E9?= b", b"a \xc3\xa9 b"),
    "two words": (b" =?utf-8?Q?a?=\n =?utf-8?Q?b?=", b"ab"),
    "a character in two words": (b" =?utf-8?B?ww==?= =?utf-8?B?qQ==?=", b"\xc3\xa9"),
    "a language": (b" =?us-ascii*en?Q?Keith?=", b"Keith"),
    "UTF-16 stays": (b" =?utf-16?B?QQBiACAAYwA=?=", b"A\0b\0 \0c\0"),
    "no word": (b" =?utf-8?X?a?=", b"=?utf-8?X?a?="),
}


@pytest.mark.parametrize(("value", "expected"), WORDS.values(), ids=WORDS)
def test_a_field_is_decoded(value: bytes, expected: bytes) -> None:
    assert parts_of(b"Subject:" + value + b"\n\n").header(b"subject") == expected


def test_encoded_words_are_none_in_a_date() -> None:
    message = parts_of(b"Date: =?utf-8?Q?a?=\n\n")
    assert message.header(b"date") == b"=?utf-8?Q?a?="


LINES = st.sampled_from(
    (
        *(b"--b", b"--b--", b"", b"A: b", b" c", b"text", b"x" * 2049),
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: message/rfc822",
        b"Content-Transfer-Encoding: base64",
    )
)


@pytest.mark.slow
@settings(max_examples=200)
@given(st.lists(LINES, max_size=30))
def test_any_lines_are_read(lines: list[bytes]) -> None:
    octets = b"\n".join(lines) or b"\n"
    message = parts_of(octets)
    assert message.header_octets + message.body_octets == octets
    for part in message.walk():
        assert part.is_leaf == (part.children is None)
        assert part.content is not None
