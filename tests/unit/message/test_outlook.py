"""Messages out of Outlook items."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.message import Envelope, Message
from filterd.message.decoding import header_text
from filterd.message.outlook import (
    ATTACHMENTS_LIMIT,
    DEPTH_LIMIT,
    OutlookError,
    message_of,
)
from tests.helpers import outlook

HEADER = """\
Received: from client.example (client.example [192.0.2.1])
\tby mx.example; Mon, 30 Nov 2026 12:00:00 +0000
From: =?utf-8?q?J=C3=B6rg?= <joerg@shop.example>
To: joe@mx.example
Subject: cheap
\twatches
Message-ID: <1@shop.example>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="gone"
"""


def read(data: bytes) -> Message:
    return Message(message_of(data), Envelope(""))


def test_the_header_as_it_came_and_the_texts() -> None:
    message = read(outlook.item(HEADER, "text\r\nof it", b"<p>html of it</p>"))
    assert message.get("From") == "=?utf-8?q?J=C3=B6rg?= <joerg@shop.example>"
    assert message.get("Subject") == "cheap watches"
    assert message.get("Received").startswith("from client.example")
    assert "gone" not in message.get("Content-Type")
    assert message.get("MIME-Version") == "1.0"
    texts = {one.content_type: one.text.strip() for one in message.walk() if one.text.strip()}
    assert texts["text/plain"].split() == ["text", "of", "it"]
    assert texts["text/html"] == "<p>html of it</p>"


def test_without_a_header_fields_are_made_of_the_properties() -> None:
    message = read(
        outlook.item(
            body="hello",
            n0037="Gr\u00fc\u00dfe",
            n0C1A='J\u00f6rg "X"',
            n0C1F="joerg@shop.example",
            n0E04="Joe",
        )
    )
    assert "joerg@shop.example" in message.get("From")
    assert header_text(next(iter(message.fields("Subject"))).raw_value) == "Gr\u00fc\u00dfe"
    assert message.get("To") == "Joe"


def test_files_and_messages_inside() -> None:
    inner = outlook.streams("Subject: inner\n", "text inside")
    content = bytes(range(256)) * 40
    message = read(
        outlook.item(
            HEADER,
            "text",
            attachments=[
                outlook.attachment("Gr\u00fc\u00dfe; x=1.exe", content, "application/x-msdownload"),
                outlook.attachment("small.txt", b"few octets", "multipart/mixed"),
                outlook.embedded(inner),
            ],
        )
    )
    parts = list(message.walk())
    (program,) = [one for one in parts if one.content_type == "application/x-msdownload"]
    assert program.filenames[0] == "Gr\u00fc\u00dfe; x=1.exe"
    assert program.content == content
    (small,) = [one for one in parts if one.content_type == "application/octet-stream"]
    assert (small.filenames[0], small.content) == ("small.txt", b"few octets")
    assert any(one.text.strip() == "text inside" for one in parts)


def test_deep_and_many() -> None:
    deep: outlook.Streams = outlook.streams("Subject: deepest\n", "deepest")
    for number in range(DEPTH_LIMIT + 3):
        deep = outlook.streams(f"Subject: {number}\n", "x", attachments=[outlook.embedded(deep)])
    data = message_of(outlook.compound(deep))
    assert data.count(b"message/rfc822") == DEPTH_LIMIT
    many = [outlook.attachment(f"{n}.txt", b"x") for n in range(ATTACHMENTS_LIMIT + 3)]
    assert message_of(outlook.item(attachments=many)).count(b"attachment;") == ATTACHMENTS_LIMIT


def test_no_text_ends_a_header_field() -> None:
    data = message_of(
        outlook.item(
            "Subject: a\u2028Bcc: b\n no colon\nX: \x0b\x0c\x85y\n:empty\n", n0E04="a\r\nX-Evil: 1"
        )
    )
    head = data.partition(b"\r\n\r\n")[0]
    assert b"\nX-Evil" not in head
    assert b"\n" not in head.replace(b"\r\n", b"")
    assert all(b":" in line for line in head.split(b"\r\n"))


def test_octets_that_are_named_again_and_again() -> None:
    content = b"x" * 200_000
    data = bytearray(
        outlook.item(
            attachments=[
                outlook.attachment(f"{n}", content[: 5000 if n else None]) for n in range(50)
            ]
        )
    )
    # Every attachment's entry in the directory points to the first, large one.
    name = "__substg1.0_37010102".encode("utf-16-le")
    places, at = [], data.find(name)
    while at >= 0:
        places.append(at)
        at = data.find(name, at + 1)
    first = data[places[0] + 116 : places[0] + 128]
    for place in places:
        data[place + 116 : place + 128] = first
    with pytest.raises(OutlookError, match="again and again"):
        message_of(bytes(data))


GOOD = outlook.item(HEADER, "text", b"<p>x</p>", [outlook.attachment("a.txt", b"x" * 5000)])


@given(st.binary(max_size=400))
def test_what_is_none(rest: bytes) -> None:
    with pytest.raises(OutlookError, match="expected"):
        message_of(bytes.fromhex("d0cf11e0a1b11ae1") + rest)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_one_octet_of_another_value_is_a_message_or_an_error(place: int, value: int) -> None:
    data = bytearray(GOOD)
    data[place] = value
    try:
        found = message_of(bytes(data))
    except OutlookError:
        return
    assert len(found) < 40 * len(GOOD)
    Message(found, Envelope("")).get("Subject")


@settings(deadline=None)
@given(st.integers(0, len(GOOD)))
def test_cut_anywhere(length: int) -> None:
    with contextlib.suppress(OutlookError):
        assert message_of(GOOD[:length])
