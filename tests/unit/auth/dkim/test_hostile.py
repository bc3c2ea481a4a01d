"""Mail that was made to cost time, or to break whoever verifies it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.auth.dkim import record as record_module
from filterd.auth.dkim import verify as verify_module
from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.header import Canonicalization
from filterd.auth.dkim.limits import DkimLimits
from filterd.auth.dkim.record import key_name
from filterd.auth.dkim.signature import Signature
from filterd.auth.dkim.verify import begin_dkim, verify_dkim
from filterd.message import Message
from filterd.message.authentication import AuthResult
from filterd.resolver.answer import DnsStatus
from tests.helpers.dkim import mail, partly_signed, published, signed, signing_key
from tests.helpers.zones import Zones

KEY = signing_key("ed25519-sha256")
DATA = signed(mail(), KEY)
FIELD = DATA[: DATA.index(b"\r\nFrom:") + 2]
NAME = key_name("bank.example", "mail")


def test_a_thousand_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    parse = Signature.parse

    def counted(value: bytes, now: float, limits: DkimLimits) -> Signature:
        parsed.append(value)
        return parse(value, now, limits)

    monkeypatch.setattr(verify_module.Signature, "parse", counted)
    message = Message(FIELD * 999 + DATA)
    zones, body = published(KEY), CanonicalBody.of(message)
    found = verify_dkim(message, zones, body=body)
    assert len(parsed) == 8
    assert body.passes == 1
    assert [check.result for check in found] == [*["pass"] * 8, "policy"]
    assert found[-1].reason == "992 more, not checked: the limit is 8"
    assert found[-1].domain == ""


def test_signatures_over_the_limit_ask_nothing() -> None:
    keys = [signing_key("ed25519-sha256", f"d{n}.example") for n in range(12)]
    data = signed(mail(), *keys)

    class Asked(Zones):
        def start(self, name: str, kind: object) -> None:
            started.append(name)

    started: list[str] = []
    zones = Asked({})
    begin_dkim(Message(data), zones, DkimLimits(signatures=3))
    assert started == [key_name(f"d{n}.example", "mail") for n in (11, 10, 9)]
    assert len(verify_dkim(Message(data), zones, DkimLimits(signatures=3))) == 4


def test_signatures_of_one_kind_share_a_pass() -> None:
    keys = [signing_key("ed25519-sha256", f"d{n}.example") for n in range(8)]
    message = Message(signed(mail(b"x\r\n" * 1000), *keys))
    body = CanonicalBody.of(message)
    found = verify_dkim(message, published(*keys), body=body)
    assert [check.result for check in found] == ["pass"] * 8
    assert body.passes == 1


def test_signatures_of_several_kinds_share_a_pass_that_was_prepared() -> None:
    simple, relaxed = Canonicalization.SIMPLE, Canonicalization.RELAXED
    data = partly_signed(mail(b"x  y\r\n" * 1000), 60, KEY)
    data = signed(data, KEY, canonical_body=simple)
    data = signed(data, KEY, canonical_body=relaxed)
    message = Message(data)
    body = CanonicalBody.of(message)
    begin_dkim(message, published(KEY), body=body)
    assert body.passes == 0
    body.hashed(relaxed)
    found = verify_dkim(message, published(KEY), body=body)
    assert [check.result for check in found] == ["pass", "pass", "policy"]
    assert body.passes == 1


@pytest.mark.parametrize(("count", "more"), [(3, 0), (4, 1), (5, 2)])
def test_how_many_are_left_out(count: int, more: int) -> None:
    message = Message(FIELD * (count - 1) + DATA)
    found = verify_dkim(message, published(KEY), DkimLimits(signatures=3))
    told = [f"{more} more, not checked: the limit is 3"] if more else []
    assert [check.reason for check in found] == ["", "", "", *told]


def test_no_arithmetic_with_a_key_of_a_size_that_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = signing_key("rsa-sha256", bits=1024)

    def arithmetic(*_arguments: object) -> bool:
        raise AssertionError

    data = signed(mail(), small)
    monkeypatch.setattr(record_module.PublicKey, "verifies", arithmetic)
    [check] = verify_dkim(Message(data), published(small), DkimLimits(least_bits=1025))
    assert check.result is AuthResult.POLICY
    [check] = verify_dkim(Message(data), published(small), DkimLimits(1, 1000, 1023))
    assert check.result is AuthResult.PERMERROR  # b= is larger than any key may be
    with pytest.raises(AssertionError):
        verify_dkim(Message(data), published(small))


def test_a_header_section_without_a_body() -> None:
    field = FIELD.rstrip()
    for end in (b"", b"\r\n", b"\n", b"\r\n\r\n", b"\r"):
        [check] = verify_dkim(Message(field + end), published(KEY))
        assert check.result is AuthResult.FAIL
    empty = signed(b"From: ann@bank.example\r\n\r\n", KEY)
    [check] = verify_dkim(Message(empty), published(KEY))
    assert check.result is AuthResult.PASS
    [check] = verify_dkim(Message(empty.removesuffix(b"\r\n\r\n")), published(KEY))
    assert check.result is AuthResult.PASS


@pytest.mark.parametrize("status", list(DnsStatus))
def test_whatever_becomes_of_the_question(status: DnsStatus) -> None:
    answer = () if status is DnsStatus.FOUND else status
    [check] = verify_dkim(Message(DATA), Zones({NAME: {"TXT": answer}}))
    failed = check.result is AuthResult.TEMPERROR
    assert failed == (status.value not in ("found", "no data", "nxdomain", "invalid name"))
    assert check.result is not AuthResult.PASS


def test_a_hundred_records_under_one_name() -> None:
    other = signing_key("ed25519-sha256", selector="other").record.encode()
    verified = []
    zones = Zones({NAME: {"TXT": [other] * 100 + [KEY.record.encode()]}})
    verifies = record_module.PublicKey.verifies

    def counted(self: record_module.PublicKey, signature: bytes, digest: bytes) -> bool:
        verified.append(signature)
        return verifies(self, signature, digest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_module.PublicKey, "verifies", counted)
        [check] = verify_dkim(Message(DATA), zones)
    assert check.result is AuthResult.FAIL
    assert len(verified) == 2


VALUES = st.lists(
    st.one_of(
        st.sampled_from(
            b"v=1;|a=rsa-sha256;|d=bank.example;|s=mail;|h=from:to;|bh=|b=|;|=|i=@|l=|x=|t=|c=|"
            b"\r\n |\xff|\x00|relaxed/relaxed;|AAAA".split(b"|")
        ),
        st.binary(max_size=6),
    ),
    max_size=25,
).map(b"".join)


@given(VALUES, st.binary(max_size=40))
def test_no_value_raises(value: bytes, record: bytes) -> None:
    data = b"DKIM-Signature: " + value + b"\r\nFrom: a@bank.example\r\n\r\nHi\r\n"
    for zones in (published(KEY), Zones({NAME: {"TXT": [record, b"p=" + record]}})):
        for check in verify_dkim(Message(data), zones):
            assert check.result is not AuthResult.PASS
            for text in (check.domain, check.selector, check.auid, check.signature, check.reason):
                assert text.isascii() and (text.isprintable() or not text)


@given(st.integers(0, len(FIELD) - 1), st.binary(min_size=1, max_size=3))
def test_no_change_of_a_signature_raises(place: int, octets: bytes) -> None:
    changed = DATA[:place] + octets + DATA[place:]
    for check in verify_dkim(Message(changed), published(KEY)):
        assert check.reason.isascii()
