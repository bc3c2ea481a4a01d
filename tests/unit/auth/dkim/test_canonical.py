"""Canonical forms of fields and bodies (RFC 6376 §3.4), and that the body is read once."""

from __future__ import annotations

import hashlib
import mmap
import re
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.auth.dkim import body as body_module
from filterd.auth.dkim.body import BLOCK, CanonicalBody
from filterd.auth.dkim.header import CanonicalHeader, Canonicalization, canonical_field
from filterd.message import Message

pytestmark = pytest.mark.slow

SIMPLE, RELAXED = Canonicalization.SIMPLE, Canonicalization.RELAXED

BODIES = [
    # as it came, simple, relaxed
    (b"", b"\r\n", b""),
    (b"\r\n", b"\r\n", b""),
    (b"\r\n\r\n\r\n", b"\r\n", b""),
    (b" \r\n\t\r\n", b" \r\n\t\r\n", b""),
    (b" ", b" \r\n", b""),
    (b" C \r\nD \t E\r\n\r\n\r\n", b" C \r\nD \t E\r\n", b" C\r\nD E\r\n"),
    (b"a", b"a\r\n", b"a\r\n"),
    (b"a ", b"a \r\n", b"a\r\n"),
    (b"a\r\n \r\n", b"a\r\n \r\n", b"a\r\n"),
    (b"a\r\n\r\nb\r\n\r\n", b"a\r\n\r\nb\r\n", b"a\r\n\r\nb\r\n"),
    (b"\r\n\r\na\r\n", b"\r\n\r\na\r\n", b"\r\n\r\na\r\n"),
    (b"a\nb\n\n", b"a\r\nb\r\n", b"a\r\nb\r\n"),
    (b"a\rb\r\r\n", b"a\rb\r\r\n", b"a\rb\r\r\n"),
    (b"a\r", b"a\r\r\n", b"a\r\r\n"),
    (b"a \r", b"a \r\r\n", b"a \r\r\n"),
    (b"a\r\n\r\n\r", b"a\r\n\r\n\r\r\n", b"a\r\n\r\n\r\r\n"),
    (b"\r\r\n", b"\r\r\n", b"\r\r\n"),
    (b"a\x0b\x0c b\r\n", b"a\x0b\x0c b\r\n", b"a\x0b\x0c b\r\n"),
    (b"a\xa0\x00b\r\n", b"a\xa0\x00b\r\n", b"a\xa0\x00b\r\n"),
    (b"-- \r\nAnn\r\n", b"-- \r\nAnn\r\n", b"--\r\nAnn\r\n"),
]


def digest(octets: bytes) -> tuple[bytes, int]:
    return hashlib.sha256(octets).digest(), len(octets)


def hashed(data: bytes, canonicalization: Canonicalization) -> tuple[bytes, int]:
    found = CanonicalBody(data).hashed(canonicalization)
    return found.digest, found.octets


@pytest.mark.parametrize(("came", "simple", "relaxed"), BODIES)
def test_a_body(came: bytes, simple: bytes, relaxed: bytes) -> None:
    assert hashed(came, SIMPLE) == digest(simple)
    assert hashed(came, RELAXED) == digest(relaxed)


def relaxed_body(body: bytes) -> bytes:
    """The words of RFC 6376 §3.4.4, one after the other, on the whole body."""
    body = re.sub(rb"(?<!\r)\n", b"\r\n", body)
    lines = [re.sub(rb"[ \t]+", b" ", line).removesuffix(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


def simple_body(body: bytes) -> bytes:
    """The words of RFC 6376 §3.4.3."""
    body = re.sub(rb"(?<!\r)\n", b"\r\n", body)
    return re.sub(rb"(\r\n)*\Z", b"", body, count=1) + b"\r\n"


ODD = st.lists(st.sampled_from([b" ", b"\t", b"\r", b"\n", b"\r\n", b"a", b"\x0b"])).map(b"".join)


@given(ODD, st.integers(1, 9))
def test_blocks_make_no_difference(data: bytes, block: int) -> None:
    with patch.object(body_module, "BLOCK", block):
        assert hashed(data, RELAXED) == digest(relaxed_body(data))
        assert hashed(data, SIMPLE) == digest(simple_body(data))


@given(ODD, st.integers(0, 20), st.integers(1, 9))
def test_a_length_is_of_the_canonical_body(data: bytes, length: int, block: int) -> None:
    with patch.object(body_module, "BLOCK", block):
        found = CanonicalBody(data).hashed(RELAXED, length)
    assert found.octets == len(relaxed_body(data))
    assert found.digest == digest(relaxed_body(data)[:length])[0]


class Counted(bytes):
    """Octets that count what is taken of them."""

    taken = 0

    def __getitem__(self, key: object) -> object:  # type: ignore[override]
        found = super().__getitem__(key)  # type: ignore[call-overload]
        self.taken += len(found)
        return found


LARGE = {
    "blanks": (b" ", 50 << 20),
    "empty lines": (b"\r\n", 25 << 20),
    "lines of a blank": (b" \r\n", 5 << 20),
    "CR": (b"\r", 20 << 20),
    "words": (b"a b\tc  d\r\n", 2 << 20),
}
"""What is repeated, and how often."""


@pytest.mark.parametrize(("piece", "count"), LARGE.values(), ids=LARGE)
def test_a_large_body_is_read_once(piece: bytes, count: int) -> None:
    data = piece * count
    counted = Counted(data + b"x")
    body = CanonicalBody(counted)
    body.want(RELAXED)
    body.want(SIMPLE)
    body.want(RELAXED, 10)
    streams = []

    class Stream(body_module._Stream):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            streams.append(self)

        def feed(self, block: bytes) -> None:
            assert len(block) <= BLOCK
            super().feed(block)
            assert len(self._undecided) <= 2  # however long the line is

    with patch.object(body_module, "_Stream", Stream):
        body.hashed(RELAXED)
        body.hashed(SIMPLE)
        body.hashed(RELAXED, 10)
    assert counted.taken == len(counted)
    assert body.passes == 1
    assert len(streams) == 2


def test_what_was_not_wanted_ahead_costs_another_pass() -> None:
    body = CanonicalBody(b"a\r\n")
    body.hashed(RELAXED)
    body.hashed(RELAXED)
    assert body.passes == 1
    body.hashed(SIMPLE)
    assert body.passes == 2


def test_a_spooled_message(tmp_path: Path) -> None:
    path = tmp_path / "mail"
    text = b"From: a@b.example\r\n\r\n" + b"line \t \r\n" * 100_000
    path.write_bytes(text)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = CanonicalBody.of(Message(data)).hashed(RELAXED)
        assert (found.digest, found.octets) == digest(b"line\r\n" * 100_000)


FIELDS = [
    # name, raw value, relaxed
    ("Subject", b" a  b\t c \t", b"subject:a b c"),
    ("SUBJect", b"a", b"subject:a"),
    ("X", b"", b"x:"),
    ("X", b" \r\n\t", b"x:"),
    ("X", b" a\r\n b", b"x:a b"),
    ("X", b" a\n\tb", b"x:a b"),
    ("X", b" a\r\n \r\n b", b"x:a b"),
    ("X", b" a:b : c", b"x:a:b : c"),
    ("X", b" a\x0bb\x0c", b"x:a\x0bb\x0c"),
    ("X", " ä".encode(), "x:ä".encode()),
]


@pytest.mark.parametrize(("name", "value", "relaxed"), FIELDS)
def test_a_field(name: str, value: bytes, relaxed: bytes) -> None:
    assert canonical_field(name, value, RELAXED) == relaxed
    simple = name.encode() + b":" + value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert canonical_field(name, value, SIMPLE) == simple


def test_blanks_before_the_colon() -> None:
    header = CanonicalHeader.of(Message(b"Subject \t: a\r\n\r\n"))
    assert header.canonical(0, SIMPLE) == b"Subject \t: a"
    assert header.canonical(0, RELAXED) == b"subject:a"


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["from"], [0]),
        (["received"], [4]),
        (["received", "received"], [4, 2]),
        (["received", "received", "received", "received"], [4, 2, 1]),
        (["subject", "from", "received"], [3, 0, 4]),
        (["cc"], []),
        (["dkim-signature"], [6]),
        (["dkim-signature", "dkim-signature"], [6]),
    ],
)
def test_names_mean_the_lowest_fields_first(names: list[str], chosen: list[int]) -> None:
    fields = "From Received received Subject RECEIVED DKIM-Signature dkim-signature".split()
    header = CanonicalHeader([(name, b" x") for name in fields])
    assert header.chosen(names, but=5) == chosen
