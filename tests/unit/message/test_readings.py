"""Mail that two readers read differently: both readings are seen, honest mail has only one."""

from __future__ import annotations

import base64

import pytest

from filterd.message import Message
from filterd.message.coded import NESTING_LIMIT
from filterd.message.readings import READINGS_LIMIT
from tests.helpers.readings import EVIL, HONEST, TRICKS, uuencoded


@pytest.mark.parametrize("name", TRICKS)
@pytest.mark.parametrize("eol", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_some_reading_shows_what_is_hidden(name: str, eol: bytes) -> None:
    message = Message(TRICKS[name].replace(b"\n", eol))
    leaves = [
        leaf
        for root in (message.root, *(reading.root for reading in message.readings))
        for leaf in root.walk()
        if leaf.is_leaf
    ]
    shown = [
        content.replace(b"\r", b"\n").replace(b"\n\n", b"\n").rstrip()
        for leaf in leaves
        if "evil.exe" in leaf.filenames
        for content in (leaf.content, *leaf.other_contents)
    ]
    assert EVIL.rstrip() in shown
    reasons = [detail for symbol, detail in message.anomalies if symbol == "MIME_AMBIGUOUS"]
    assert all(reasons)
    # That one all readers read alike, and honest programs make it.
    assert bool(reasons) is (name != "a message in base64")


@pytest.mark.parametrize("data", HONEST.values(), ids=HONEST)
@pytest.mark.parametrize("eol", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_honest_mail_is_not_ambiguous(data: bytes, eol: bytes) -> None:
    message = Message(data.replace(b"\n", eol))
    assert message.readings == ()
    assert message.anomalies == ()


def test_files_of_one_name_and_size_are_all_seen() -> None:
    data = b"\n" + uuencoded(b"a.txt", b"good") + uuencoded(b"a.txt", b"evil")
    assert [reading.root.content for reading in Message(data).readings] == [b"good", b"evil"]


def test_padding_in_the_middle_has_its_place_to_some() -> None:
    content = b"zero: \0\0\0\0\0\0\0\0\0, text"
    letters = base64.b64encode(content).replace(b"AAAA", b"AA=A", 1)
    data = b"Content-Transfer-Encoding: base64\n\n" + letters + b"\n"
    assert content in [reading.root.content for reading in Message(data).readings]


def test_tricks_inside_an_encoded_message_are_seen() -> None:
    inner = TRICKS["two types"]
    for _ in range(3):
        inner = (
            b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
            + base64.encodebytes(inner)
        )
    leaves = [leaf for reading in Message(inner).readings for leaf in reading.root.walk()]
    assert EVIL.rstrip() in [leaf.content.rstrip() for leaf in leaves]


def test_more_readings_than_are_kept_are_said() -> None:
    files = b"".join(uuencoded(b"%d.txt" % number) for number in range(READINGS_LIMIT))
    assert "MIME_TOO_MANY_READINGS" not in symbols(b"\n" + files)
    assert "MIME_TOO_MANY_READINGS" in symbols(b"\n" + files + uuencoded(b"evil.exe"))
    assert "MIME_TOO_MANY_READINGS" in symbols(b"\n" + uuencoded(b"a.txt") * 300)


def test_more_nesting_than_is_opened_is_said() -> None:
    data = b"Subject: a\n\nhello\n"
    for _ in range(NESTING_LIMIT + 1):
        data = (
            b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
            + base64.encodebytes(data)
        )
    assert "MIME_TOO_DEEP" in symbols(data)


def symbols(data: bytes) -> list[str]:
    return [name for name, _detail in Message(data).anomalies]


@pytest.mark.parametrize(("name", "ambiguous"), [("notes.txt", True), ("minutes.uue", False)])
def test_a_file_in_uuencode_is_a_riddle_unless_its_name_says_so(name: str, ambiguous: bool) -> None:
    """A `.txt` is a text to its reader, and what is in it a file to others."""
    head = f'Content-Type: application/octet-stream; name="{name}"\r\n\r\n'.encode()
    message = Message(head + uuencoded(b"a.exe", b"MZ"))
    assert [reading.root.filenames for reading in message.readings] == [("a.exe",)]
    assert [name for name, _ in message.anomalies] == ["MIME_AMBIGUOUS"] * ambiguous


def test_prose_that_looks_a_little_like_uuencode_is_no_riddle() -> None:
    line = b"M" + b"1 2 3 4 5 " * 6
    message = Message(b"Subject: a\r\n\r\nbegin\r\n" + line + b"\r\nend\r\n")
    assert message.anomalies == ()
