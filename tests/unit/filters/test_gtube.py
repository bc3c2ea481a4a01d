"""The test string of spam filters is found wherever a reader would see it, and nowhere else."""

from __future__ import annotations

import base64
import quopri

import pytest

from filterd.filters.gtube import STRING, Gtube, GtubeSettings
from filterd.message import Message

HTML = b"Content-Type: text/html\n"

FOUND: dict[str, bytes] = {
    "plain": b"Subject: a\n\n" + STRING + b"\n",
    "within a line": b"Subject: a\n\nhello " + STRING + b" there\n",
    "base64": (b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(b"hello\n" + STRING)),
    "quoted-printable": (
        b"Content-Transfer-Encoding: quoted-printable\n\n"
        + quopri.encodestring(b"x" * 40 + STRING).replace(b"*", b"=2A")
    ),
    "a part of a part": (
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\n"
        b"Content-Type: multipart/alternative; boundary=y\n\n--y\n"
        + HTML
        + b"Content-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(STRING)
        + b"--y--\n--x--\n"
    ),
}

CLEAN: dict[str, bytes] = {
    "in a header field only": b"Subject: " + STRING + b"\n\nhello\n",
    "in pieces": b"Subject: a\n\n" + STRING[:30] + b"\n" + STRING[30:],
    "none": b"Subject: a\n\nhello\n",
    "empty": b"",
}


@pytest.mark.parametrize("data", FOUND.values(), ids=FOUND)
def test_found(data: bytes) -> None:
    (symbol,) = Gtube(GtubeSettings()).examine(Message(data)).symbols
    assert (symbol.name, symbol.score) == ("GTUBE", 1000.0)


@pytest.mark.parametrize("data", CLEAN.values(), ids=CLEAN)
def test_not_found(data: bytes) -> None:
    assert Gtube(GtubeSettings()).examine(Message(data)).symbols == ()


def test_points_are_a_setting() -> None:
    assert Gtube(GtubeSettings(score=6.5)).examine(Message(FOUND["plain"])).score == 6.5
