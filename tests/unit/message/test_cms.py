"""S/MIME messages that hold what they sign: what is read, and that nothing raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.filters.parts.unpacking.unpack import Unpacker
from filterd.message import Message, cms
from tests.hostile.tricks.wrappings import (
    COMPRESSED,
    ber,
    compressed,
    der,
    opaque,
    signed,
    signed_in_pieces,
)

TEXT = b"Content-Type: text/plain\r\n\r\n" + b"The minutes are below. " * 20


@pytest.mark.parametrize("make", [signed, signed_in_pieces, compressed])
def test_the_message_is_read(make: object) -> None:
    assert cms.content(make(TEXT)) == (TEXT, True)  # type: ignore[operator]


def test_honest_signed_mail_has_a_reading_and_nothing_odd() -> None:
    message = Message(opaque(signed(TEXT)))
    assert [reading.root.content for reading in message.readings] == [Message(TEXT).root.content]
    assert message.anomalies == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"0",
        der(0x30, COMPRESSED, der(0xA0, der(0x30, der(0x02, b"\0")))),
        signed(TEXT)[:30],
        bytes([0x30, 0x80]) * 5000,
        ber(0x30, bytes.fromhex("06092a864886f70d010702"), bytes([0xA0, 0x80]) * 5000),
    ],
)
def test_what_is_no_message_is_none(data: bytes) -> None:
    assert cms.content(data) is None


def test_more_than_is_unfolded_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands behind the limit would come through unseen."""
    monkeypatch.setattr(cms, "SIZE_LIMIT", 100)
    assert "MIME_TOO_MANY_READINGS" in dict(Message(opaque(compressed(TEXT))).anomalies)
    unpacker = Unpacker()
    assert len(list(unpacker.files(("a.p7m",), compressed(TEXT)))) == 1
    assert [symbol for symbol, _ in unpacker.findings] == ["ARCHIVE_LIMIT"]


@given(st.binary(max_size=40), st.integers(0, 200), st.integers(0, 60))
def test_nothing_raises(octets: bytes, at: int, gap: int) -> None:
    for whole in (signed(TEXT[:100]), signed_in_pieces(TEXT[:200]), compressed(TEXT)):
        cms.content(whole[:at] + octets + whole[at + gap :])
