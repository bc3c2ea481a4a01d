"""A tag before the Subject, whatever that is: what a reader sees, and how its lines look."""

from __future__ import annotations

import re
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.message.subject import SUBJECT_LIMIT, tag_alone, tagged

LONG = "".join(
    f"\r\n =?utf-8?B?{word}?=" for word in ["0YHQu9C+0LLQviDQvdC+0LzQtdGAIDAg0Lgg0LXRidGR"] * 45
).encode()


def read(value: str) -> str:
    """What a mail reader shows."""
    return str(make_header(decode_header(value.replace("\n", "\r\n"))))


@pytest.mark.parametrize(
    ("raw", "tag", "value"),
    [
        (b" win big", "***SPAM*** ", "***SPAM*** win big"),
        (b" win big", "[spam]", "[spam] win big"),
        (b"win big", "[spam]  ", "[spam] win big"),
        (b" win\r\n big", "[spam]", "[spam] win\n big"),
        (b" win\n\tbig\r\n  time", "[spam]", "[spam] win\n\tbig\n  time"),
        (b"\r\n win big", "[spam]", "[spam]\n win big"),
        (b"", "[spam]", "[spam]"),
        (b" ", "[spam]", "[spam]"),
        (b" [spam] again", "[spam] ", None),
        (b" =?utf-8?q?=5Bspam=5D_again?=", "[spam] ", None),
        (b" =?utf-8?B?w6k=?=", "[spam]", "[spam] =?utf-8?B?w6k=?="),
        (b" caf\xe9", "[spam]", "[spam] =?iso-8859-1?q?caf=E9?="),
        (b" caf\xc3\xa9", "[spam]", "[spam] =?utf-8?b?Y2Fmw6k=?="),
        (b" win", "M\u00fcll:", "=?utf-8?b?TcO8bGw6?= win"),
        (b" =?utf-8?B?w6k=?=", "M\u00fcll:", "=?utf-8?b?TcO8bGw6IA==?= =?utf-8?B?w6k=?="),
        (b" a\0b\rc\td", "[spam]", "[spam] a b c\td"),
        (b" a\r\n \r\n b", "[spam]", "[spam] a\n b"),
        (b" " + b"x" * 70, "[spam] ", "[spam]\n " + "x" * 70),
        (b" " + b"x" * 800, "[spam] ", "[spam]\n " + "x" * 800),
    ],
)
def test_values(raw: bytes, tag: str, value: str | None) -> None:
    assert tagged(raw, tag) == value


def test_a_long_subject_of_encoded_words_keeps_its_lines() -> None:
    value = tagged(LONG[2:], "[spam] ")
    assert value is not None
    lines = value.split("\n")
    assert lines[0].startswith("[spam]")
    assert max(map(len, lines)) <= 78
    assert value.split()[1:] == LONG.decode().split()


@pytest.mark.parametrize(
    "raw",
    [
        b" " + b"x" * 200_000,
        b" " + b"\xff" * 200_000,
        b" " + "\u00e9".encode() * 100_000,
        b" x" * 100_000,
        b"\r\n x" * 50_000,
        b" " + b"\t" * 100_000,
        b"\0" * 100_000,
        b" =?utf-8?B?" + b"w6k=" * 50_000 + b"?=",
        b" =?" * 50_000,
        b"\r\n " * 50_000,
    ],
)
def test_hostile_ones_are_bounded(raw: bytes) -> None:
    check(raw, "[spam] ")


@given(
    st.binary(max_size=300) | st.lists(st.binary(max_size=120)).map(b"\r\n ".join),
    st.sampled_from(["[spam] ", "***SPAM***", "M\u00fcll: ", "\u5783\u573e\u90ae\u4ef6" * 10]),
)
def test_any_subject(raw: bytes, tag: str) -> None:
    check(raw, tag)


def check(raw: bytes, tag: str) -> None:
    value = tagged(raw, tag)
    if value is None:
        return
    assert value.isascii()
    assert not re.search(r"[\0-\x08\x0b-\x1f\x7f]", value)
    lines = value.split("\n")
    assert len(lines[0]) + len("Subject: ") <= 998
    assert all(len(line) <= 998 for line in lines)
    # Each line but the first is a continuation line that says something.
    assert all(line[0] in " \t" and line.strip() for line in lines[1:])
    assert len(value) <= 5 * SUBJECT_LIMIT + 1000
    assert read(value).startswith(tag.strip())


def test_the_tag_alone() -> None:
    assert tag_alone("[spam] ") == "[spam]"
    assert read(tag_alone("M\u00fcll: ")) == "M\u00fcll:"
