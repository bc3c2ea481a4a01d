"""Long lines are cut as sendmail 8.17 was seen to do it with `L=20` in an M line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mta.delivery.lines import limited


@pytest.mark.parametrize(
    ("line", "cut"),
    [
        (b"yyyyyyyyyyyyyyyyyyyy", b"yyyyyyyyyyyyyyyyyyyy"),
        (b"zzzzzzzzzzzzzzzzzzzzz", b"zzzzzzzzzzzzzzzzzzz!\n zz"),
        (b"w" * 39, b"w" * 19 + b"!\n " + b"w" * 18 + b"!\n ww"),
        (b"v" * 40, b"v" * 19 + b"!\n " + b"v" * 18 + b"!\n vvv"),
        (
            b"Subject: a very long subject line with more than twenty characters",
            b"Subject: a very lon!\n g subject line wit!\n h more than twenty!\n  characters",
        ),
        (b"From here and now on and on and on", b"From here and now o!\n n and on and on"),
        (b"X-Long: " + b"h" * 31 + b"\r", b"X-Long: hhhhhhhhhhh!\r\n " + b"h" * 18 + b"!\r\n hh\r"),
    ],
)
def test_a_long_line_is_cut(line: bytes, cut: bytes) -> None:
    assert limited(b"a\n" + line + b"\nb\n", 20) == b"a\n" + cut + b"\nb\n"


@given(st.binary(max_size=200), st.integers(3, 30))
def test_no_line_is_longer_and_nothing_is_lost(message: bytes, limit: int) -> None:
    cut = limited(message, limit)
    assert all(len(line.removesuffix(b"\r")) <= limit for line in cut.split(b"\n"))
    if b"!" not in message and b"\r" not in message:
        assert cut.replace(b"!\n ", b"") == message


def test_without_a_limit_the_message_stays() -> None:
    assert limited(b"x" * 5000, 0) == limited(b"x" * 5000, 5000) == b"x" * 5000
