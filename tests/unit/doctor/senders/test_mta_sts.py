"""MTA-STS and TLSRPT: records and policy files, as domains publish them and as strangers may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.doctor.senders.mta_sts import (
    MOST_AGE,
    POLICY_LIMIT,
    StsError,
    StsPolicy,
    record_of,
    report_uris,
    shown,
    sts_id,
)
from filterd.resolver.answer import DnsAnswer, DnsStatus

POLICY = (
    b"version: STSv1\r\nmode: enforce\r\nmx: mx1.a.example\r\nmx: *.b.example\r\n"
    b"max_age: 604800\r\n"
)


def answer(*texts: bytes) -> DnsAnswer:
    return DnsAnswer(DnsStatus.FOUND, texts)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ((), None),
        ((b"v=STSv1; id=1",), "v=STSv1; id=1"),
        ((b"v=spf1 -all", b"v=STSv1;id=1;"), "v=STSv1;id=1;"),
        ((b" v = STSv1 ; id=1",), " v = STSv1 ; id=1"),
        ((b"v=STSv10; id=1",), None),
        ((b"V=STSv1; id=1",), None),
        ((b"id=1; v=STSv1",), None),
        ((b"\xff\xfe",), None),
    ],
)
def test_the_record_is_found(texts: tuple[bytes, ...], expected: str | None) -> None:
    assert record_of(answer(*texts), "STSv1") == expected


def test_two_records_count_as_none() -> None:
    with pytest.raises(StsError, match="2 TXT records begin with v=STSv1"):
        record_of(answer(b"v=STSv1; id=1", b"v=STSv1; id=2"), "STSv1")
    with pytest.raises(StsError, match="more than 4096 octets"):
        record_of(answer(b"v=STSv1; " + b"x" * 5000), "STSv1")


def test_the_id_of_a_record() -> None:
    assert sts_id("v=STSv1; id=20160831085700Z;") == "20160831085700Z"
    for text in ("v=STSv1;", "v=STSv1; id=", "v=STSv1; id=1-2", "v=STSv1; id=" + "1" * 33):
        with pytest.raises(StsError, match="expected 1 to 32 letters and digits"):
            sts_id(text)


def test_where_reports_on_tls_go() -> None:
    assert report_uris("v=TLSRPTv1; rua=mailto:tls@a.example") == ("mailto:tls@a.example",)
    two = "v=TLSRPTv1;rua=mailto:tls@a.example, https://a.example/tls"
    assert report_uris(two) == ("mailto:tls@a.example", "https://a.example/tls")
    for text in ("", "rua=", "rua=tls@a.example", "rua=mailto:x", "rua=http://a.example/"):
        with pytest.raises(StsError, match="expected mailto:"):
            report_uris(f"v=TLSRPTv1; {text}")


def test_a_policy() -> None:
    policy = StsPolicy.parse(POLICY)
    assert policy == StsPolicy("enforce", 604800, ("mx1.a.example", "*.b.example"))
    assert policy.uncovered(["MX1.a.example.", "x.b.example", "b.example", "x.y.b.example"]) == (
        "b.example",
        "x.y.b.example",
    )
    # Without CR, with a key that nobody knows yet, and the first of two that may stand once.
    text = b"version: STSv1\nnew: x\nmode: none\nmode: enforce\nmax_age: 0"
    assert StsPolicy.parse(text) == StsPolicy("none", 0, ())


BAD = {
    b"": "version: STSv1",
    b"version: STSv2\nmode: none\nmax_age: 1": "version: STSv1",
    b"<html>": "line 1 is '<html>'; expected `name: value`",
    b"version: STSv1\nmax_age: 1": "mode is ''",
    b"version: STSv1\nmode: Enforce\nmax_age: 1": "expected enforce, testing or none",
    b"version: STSv1\nmode: none\nmax_age: -1": "max_age is '-1'",
    b"version: STSv1\nmode: none\nmax_age: %d" % (MOST_AGE + 1): "expected 0 to 31557600 seconds",
    b"version: STSv1\nmode: none\nmax_age: " + b"9" * 5000: "max_age is",
    b"version: STSv1\nmode: enforce\nmx: a b\nmax_age: 1": "line 3: mx is 'a b'",
    b"version: STSv1\nmx: a.*.example": "expected a host name",
    b"version: STSv1\nmx: \x1b[2J": "mx is '?[2J'",
    b"\n" * 1001: "more than 1000 lines",
    b"x" * (POLICY_LIMIT + 1): "more than 65536 octets",
}


@pytest.mark.parametrize(("content", "expected"), BAD.items(), ids=range(len(BAD)))
def test_a_policy_that_cannot_be_used(content: bytes, expected: str) -> None:
    with pytest.raises(StsError) as raised:
        StsPolicy.parse(content)
    assert expected in str(raised.value)


@given(st.binary(max_size=200))
def test_whatever_a_server_sends_is_a_policy_or_is_told(content: bytes) -> None:
    try:
        StsPolicy.parse(b"version: STSv1\nmode: none\n" + content)
    except StsError as error:
        assert str(error).isprintable()
        assert str(error).isascii()


def test_texts_from_outside_are_shown_short_and_printable() -> None:
    assert shown("a\r\n\x1bb") == "a???b"
    assert shown("x" * 200) == "x" * 100 + "..."
