"""A stored message gets the line ends of the wire, and nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.message.line_ends import with_crlf


@pytest.mark.parametrize(
    ("stored", "wire"),
    [
        (b"", b""),
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b"a\nb\r\nc", b"a\r\nb\r\nc"),
        (b"a\rb\n", b"a\rb\r\n"),
        (b"a\r\r\nb", b"a\r\r\nb"),
        (b"\n\n", b"\r\n\r\n"),
    ],
)
def test_line_ends(stored: bytes, wire: bytes) -> None:
    assert with_crlf(stored) == wire


@given(st.lists(st.sampled_from([b"\r", b"\n", b"x"]), max_size=12).map(b"".join))
def test_what_has_them_stays(data: bytes) -> None:
    once = with_crlf(data)
    assert with_crlf(once) == once
    assert once.count(b"\n") == once.count(b"\r\n") == data.count(b"\n")
    assert once.replace(b"\r\n", b"\n") == data.replace(b"\r\n", b"\n")
