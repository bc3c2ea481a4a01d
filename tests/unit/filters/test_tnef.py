"""TNEF streams, made on the spot."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.filters.contents.tnef import SIGNATURE, TnefError, attachments

RENDER_DATA, TITLE, DATA, PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005


def attribute(identifier: int, value: bytes, level: int = 2) -> bytes:
    return (
        struct.pack("<BII", level, identifier, len(value))
        + value
        + struct.pack("<H", sum(value) & 0xFFFF)
    )


def tnef(*attributes: bytes) -> bytes:
    return struct.pack("<IH", SIGNATURE, 1) + b"".join(attributes)


def long_filename(name: str) -> bytes:
    raw = name.encode("utf-16-le") + b"\0\0"
    padded = raw + bytes(-len(raw) % 4)
    return attribute(
        PROPERTIES, struct.pack("<IHHII", 1, 0x001F, 0x3707, 1, len(raw)) + padded
    )  # fmt: skip


def test_files_with_short_and_long_names() -> None:
    stream = tnef(
        attribute(RENDER_DATA, bytes(14)),
        attribute(TITLE, b"INVOIC~1.EXE\0"),
        attribute(DATA, b"first"),
        long_filename("invoice of May.exe"),
        attribute(RENDER_DATA, bytes(14)),
        attribute(DATA, b"second"),
        attribute(TITLE, b"b.txt\0"),
    )
    assert [(a.names, a.content) for a in attachments(stream)] == [
        (("invoice of May.exe", "INVOIC~1.EXE"), b"first"),
        (("b.txt",), b"second"),
    ]


def test_what_breaks_off_is_said_after_what_was_whole() -> None:
    stream = tnef(
        attribute(RENDER_DATA, bytes(14)),
        attribute(DATA, b"whole"),
        attribute(RENDER_DATA, bytes(14)),
        attribute(DATA, b"cut off")[:-5],
    )
    found = []
    with pytest.raises(TnefError):
        for attachment in attachments(stream):
            found.append(attachment.content)
    assert found == [b"whole"]


def test_trailing_octets_are_ignored() -> None:
    stream = tnef(attribute(RENDER_DATA, bytes(14)), attribute(DATA, b"x")) + b"\r\n\r\n" * 10
    assert [a.content for a in attachments(stream)] == [b"x"]


@given(st.binary(max_size=400))
def test_garbage_raises_nothing_else(garbage: bytes) -> None:
    for data in (garbage, tnef(garbage), tnef(attribute(PROPERTIES, garbage))):
        try:
            list(attachments(data))
        except TnefError:
            continue
