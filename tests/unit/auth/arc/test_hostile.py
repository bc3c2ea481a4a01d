"""Whatever stands in ARC fields: a result, few questions, no exception."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.auth.arc.fields import SHOWN_RESULTS, results_in
from filterd.auth.arc.sealing import SealError
from filterd.auth.arc.verify import begin_arc, verify_arc
from filterd.message import Message
from filterd.message.authentication import AuthResult
from tests.helpers.arc import NOW, chain, hop, list_key
from tests.helpers.dkim import mail, published

NAMES = st.sampled_from(["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"])
TAG = st.sampled_from(
    """i=1 i=2 i=50 i=51 i=0 i= i cv=none cv=pass cv=fail cv= a=rsa-sha256 a=ed25519-sha256 a=x
    d=list1.example d=.. d=a.example s=arc s=. t=1 t=x x=1 h=from h=from:from:arc-seal h= bh=YQ==
    bh=!! b=YQ== b= b=!!
    c=relaxed c=x/y l=0 l=99999999999999999999999 mx.example spf=pass""".split()
)
VALUES = st.one_of(
    st.lists(TAG, max_size=12).map(lambda tags: "; ".join(tags).encode()),
    st.binary(max_size=200).map(lambda value: re.sub(rb"[\r\n\0]", b"", value)),
)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=12)


def field(name: str, value: bytes) -> bytes:
    return name.encode() + b": " + value + b"\r\n"


@pytest.mark.slow
@settings(max_examples=200)
@given(FIELDS)
def test_any_fields(fields: list[tuple[str, bytes]]) -> None:
    data = b"".join(field(*one) for one in fields) + mail()
    zones = published(list_key())
    found = verify_arc(Message(data), zones, now=NOW)
    assert found.result in (AuthResult.NONE, AuthResult.FAIL)
    assert (found.result is AuthResult.NONE) == (not fields)
    assert found.reason.isprintable() and found.reason.isascii()
    assert len(set(zones.asked)) <= 2
    try:
        hop(data, list_key())
    except SealError as error:
        assert str(error).isascii()


@pytest.mark.slow
@settings(max_examples=100)
@given(st.integers(0, 2000), st.binary(max_size=3), st.integers(0, 5))
def test_a_chain_with_some_octets_changed(at: int, put: bytes, gone: int) -> None:
    whole = chain(2)
    data = whole[:at] + put + whole[at + gone :]
    found = verify_arc(Message(data), published(list_key(1), list_key(2)), now=NOW)
    assert found.reason.isprintable() and found.reason.isascii()


def test_ten_thousand_names_are_not_looked_for() -> None:
    zones = published(list_key())
    data = hop(mail(), list_key()).replace(b"h=from:", b"h=" + b"x:" * 10_000 + b"from:")
    found = verify_arc(Message(data), zones, now=NOW)
    assert found.reason == "ARC-Message-Signature: more than 16384 octets of tags"
    data = hop(mail(), list_key()).replace(b"h=from:", b"h=" + b"x:" * 600 + b"from:")
    found = verify_arc(Message(data), zones, now=NOW)
    assert found.reason == "ARC-Message-Signature 1: h= has more than 512 names"
    assert zones.asked == []


def test_ten_thousand_fields_are_counted_and_not_read() -> None:
    zones = published(list_key())
    data = b"ARC-Seal: i=1; cv=none; d=a.example\r\n" * 10_000 + mail()
    begin_arc(Message(data), zones, now=NOW)
    found = verify_arc(Message(data), zones, now=NOW)
    assert (found.result, found.reason) == (AuthResult.FAIL, "more than 50 sets")
    assert zones.asked == []


def test_fifty_domains_are_fifty_questions() -> None:
    """One for each seal, and one for the newest signature; old signatures get none."""
    data = mail()
    for number in range(50, 0, -1):
        cv = b"none" if number == 1 else b"pass"
        tags = b"i=%d; a=ed25519-sha256; s=x; b=YQ==; " % number
        seal = tags + b"cv=%s; d=seal%d.example" % (cv, number)
        signature = tags + b"d=ams%d.example; h=from; bh=%s=" % (number, b"A" * 43)
        data += b""
        data = (
            field("ARC-Seal", seal)
            + field("ARC-Message-Signature", signature)
            + field("ARC-Authentication-Results", b"i=%d; mx.example; none" % number)
            + data
        )
    asked: list[str] = []

    class Questions:
        def start(self, name, kind):  # type: ignore[no-untyped-def]
            asked.append(name)

        def answer(self, name, kind):  # type: ignore[no-untyped-def]
            raise AssertionError("the body does not fit: nobody needs an answer")

    found = verify_arc(Message(data), Questions(), now=NOW)
    assert found.reason.endswith("the body was changed after it was signed")
    assert len(asked) == 51
    assert [name for name in asked if "ams" in name] == ["x._domainkey.ams50.example"]


def test_results_are_shown_in_printable_ascii_and_in_part() -> None:
    assert results_in('i=1; mx.example; spf=pass\r\n\treason="h\u00e4\x07"'.encode()) == (
        'mx.example; spf=pass reason="h??"'
    )
    assert len(results_in(b"i=1; " + b"x" * 100_000)) == SHOWN_RESULTS
    assert results_in(b"i=1; mx.example; \xff=\xc3") == "mx.example; ?=?"


def test_the_instance_of_results_may_be_spelled_in_odd_ways() -> None:
    assert results_in(b" (first) i (a) = (b\\)) 1 (c) ; mx.example; none") == "mx.example; none"
    assert results_in(b"i=1 (a\\\nb);\r\n mx.example; none") == "mx.example; none"
    assert results_in(b"i=((nested)) 1; mx.example") == "i=((nested)) 1; mx.example"
