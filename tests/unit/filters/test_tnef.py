"""TNEF streams, made on the spot."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.filters.parts.unpacking.tnef import TnefError, attachments
from filterd.filters.parts.unpacking.unpack import Unpacker
from filterd.message import Message
from tests.helpers import messages
from tests.helpers.archives import zipped
from tests.helpers.tnef import DATA, PROPERTIES, RENDER_DATA, TITLE, attribute, tnef
from tests.hostile.tricks import documents
from tests.hostile.tricks.wrappings import packaged


def long_filename(name: str) -> bytes:
    raw = name.encode("utf-16-le") + b"\0\0"
    padded = raw + bytes(-len(raw) % 4)
    return attribute(PROPERTIES, struct.pack("<IHHII", 1, 0x001F, 0x3707, 1, len(raw)) + padded)


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
    assert found == [b"whole", b"cut "]


def test_trailing_octets_are_ignored() -> None:
    stream = tnef(attribute(RENDER_DATA, bytes(14)), attribute(DATA, b"x")) + b"\r\n\r\n" * 10
    assert [a.content for a in attachments(stream)] == [b"x"]


PLACEHOLDER = b"This attachment is a message that this mail system cannot show."
INTERFACE = bytes.fromhex("0703020000000000c000000000000046")


def properties(*values: tuple[int, int, bytes]) -> bytes:
    """An attachment's properties: type, identifier, octets of each."""
    packed = struct.pack("<I", len(values))
    for kind, tag, value in values:
        packed += struct.pack("<HH", kind, tag)
        packed += struct.pack("<II", 1, len(value)) + value + bytes(-len(value) % 4)
    return attribute(PROPERTIES, packed)


def forwarded(message: bytes, *, has_data: bool = True, interface: bytes = INTERFACE) -> bytes:
    """A message that was forwarded as attachment, as Outlook writes it."""
    return tnef(
        attribute(RENDER_DATA, bytes(14)),
        attribute(TITLE, b"Minutes\0"),
        *([attribute(DATA, PLACEHOLDER)] if has_data else []),
        properties((0x000D, 0x3701, interface + message)),
    )


INNER = tnef(
    attribute(RENDER_DATA, bytes(14)),
    attribute(TITLE, b"run.exe\0"),
    attribute(DATA, b"hello"),
)


@pytest.mark.parametrize(
    "stream",
    [
        forwarded(INNER),
        forwarded(INNER, has_data=False),
        forwarded(INNER, interface=b""),
        forwarded(forwarded(INNER)),
        tnef(attribute(RENDER_DATA, bytes(14)), properties((0x0102, 0x3701, INNER))),
        forwarded(messages.multipart([("run.exe", b"hello")])),
        forwarded(documents.compound(("\1Ole10Native", packaged(b"run.exe", b"hello")))),
        forwarded(zipped(**{"run.exe": b"hello"})),
    ],
)
def test_what_is_in_a_forwarded_message_is_found(stream: bytes) -> None:
    unpacker = Unpacker()
    paths = [file.shown_path for file in unpacker.files(("winmail.dat",), stream)]
    assert any(path.endswith("/run.exe") for path in paths)
    assert unpacker.findings == []
    data = messages.multipart([("winmail.dat", stream)])
    verdict = Parts(PartsSettings(verify_dkim=False)).examine(Message(data, id="X1"))
    assert [part.filename for part in verdict.removed] == ["winmail.dat"]


def test_both_contents_of_an_attachment_are_given_with_its_declared_type() -> None:
    declared = properties((0x001F, 0x370E, "Application/HTA".encode("utf-16-le")))
    stream = tnef(
        attribute(RENDER_DATA, bytes(14)),
        attribute(DATA, b"one"),
        properties((0x000D, 0x3701, INTERFACE + b"two")),
        declared,
    )
    found = list(attachments(stream))
    assert [(a.content, a.media_type) for a in found] == [
        (b"one", "application/hta"),
        (b"two", "application/hta"),
    ]
    data = messages.multipart([("winmail.dat", stream)])
    verdict = Parts(PartsSettings(verify_dkim=False)).examine(Message(data, id="X1"))
    assert [part.filename for part in verdict.removed] == ["winmail.dat"]


@given(st.binary(max_size=400))
def test_garbage_raises_nothing_else(garbage: bytes) -> None:
    for data in (garbage, tnef(garbage), tnef(attribute(PROPERTIES, garbage))):
        try:
            list(attachments(data))
        except TnefError:
            continue
