"""What is asked for a name or an address of a message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.resolver.names import pointer_name, query_name, reversed_address, written

NAMES = [
    ("Mail.Example.", "mail.example"),
    ("bücher.example", "xn--bcher-kva.example"),
    ("_dmarc.example", "_dmarc.example"),
    ("a\\.b.example", "a\\\\.b.example"),
    ("sp ace.example", "sp\\032ace.example"),
]


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_a_name(text: str, name: str) -> None:
    assert written(query_name(text)) == name


@pytest.mark.parametrize("text", ["", ".", "a..b", ".a", "x" * 64, ".".join(["abcdefg"] * 40)])
def test_what_the_dns_cannot_hold(text: str) -> None:
    with pytest.raises(ValueError):
        query_name(text)


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_a_value_error(text: str) -> None:
    try:
        name = query_name(text)
    except ValueError:
        return
    assert name.is_absolute()
    assert len(name.to_wire()) <= 255


ADDRESSES = [
    ("192.0.2.1", "1.2.0.192", "1.2.0.192.in-addr.arpa"),
    ("::ffff:192.0.2.1", "1.2.0.192", "1.2.0.192.in-addr.arpa"),
    (
        "2001:db8::1",
        ".".join("1" + "0" * 23 + "8bd01002"),
        ".".join("1" + "0" * 23 + "8bd01002") + ".ip6.arpa",
    ),
]


@pytest.mark.parametrize(("address", "labels", "pointer"), ADDRESSES)
def test_an_address(address: str, labels: str, pointer: str) -> None:
    assert reversed_address(address) == labels
    assert pointer_name(address) == pointer


@pytest.mark.parametrize("text", ["", "mail.example", "192.0.2.256", "192.0.2.1/24", "[::1]"])
def test_what_is_not_an_address(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IP address"):
        pointer_name(text)
