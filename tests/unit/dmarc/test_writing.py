"""What is written is what the RFC's schema wants, and reads as what was meant."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.dmarc.feedback import (
    NAMESPACE,
    AggregateReport,
    DkimResult,
    OverrideReason,
    PolicyPublished,
    ReportRecord,
    SpfResult,
)
from filterd.dmarc.reading import read_report
from filterd.dmarc.writing import write_report
from filterd.message.authentication import AuthResult
from filterd.message.envelope import ip
from tests.helpers.feedback import OLD, feedback, record, schema

pytestmark = pytest.mark.slow

RECORD = ReportRecord(
    IPv4Address("192.0.2.1"),
    120,
    "none",
    dkim_passes=False,
    spf_passes=False,
    header_from="example.org",
    envelope_from="news.example.org",
    envelope_to="receiver.example",
    reasons=(OverrideReason("policy_test_mode"), OverrideReason("local_policy", "we know it")),
    dkim=(
        DkimResult("example.org", "s1", "fail", "body hash <does> not & fit"),
        DkimResult("list.example", "", "pass"),
    ),
    spf=(SpfResult("news.example.org", "softfail", "mfrom", "~all"),),
)
REPORT = AggregateReport(
    organization="Prüfer & Söhne",
    email="reports@receiver.example",
    contact="https://receiver.example/dmarc",
    id="0123456789abcdef01234567",
    begin=1_790_000_000,
    end=1_790_086_399,
    errors=("tags that cannot be used: sp",),
    generator="filterd 0.1.0",
    policy=PolicyPublished(
        "example.org", "reject", "quarantine", "reject", "s", "r", "1:d", "y", "treewalk"
    ),
    records=(RECORD, ReportRecord(IPv6Address("2001:db8::1"), 1, "pass", True, True, "a.example")),
    version="1.0",
    namespace=NAMESPACE,
)


def written(report: AggregateReport) -> bytes:
    return b"".join(write_report(report))


def test_it_is_valid_and_reads_as_it_was_meant() -> None:
    data = written(REPORT)
    schema().validate(data.decode())
    assert read_report(data) == REPORT


def test_the_schema_refuses_what_is_wrong() -> None:
    for wrong in (
        feedback(form=OLD).decode(),
        written(REPORT).decode().replace("<p>reject</p>", "<p>kill</p>"),
        written(REPORT).decode().replace("<disposition>pass</disposition>", ""),
    ):
        assert not schema().is_valid(wrong)


def test_the_test_reports_of_rfc_9990_are_valid() -> None:
    schema().validate(feedback(record(reason="other", found="")).decode())


TEXT = st.text(max_size=20)
DOMAIN = st.sampled_from(["example.org", "xn--mller-kva.example", "a.b.example"])
RESULTS = [one.value for one in AuthResult]


@st.composite
def records(draw: st.DrawFn) -> ReportRecord:
    address = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
    reasons = st.sampled_from(
        ["local_policy", "mailing_list", "other", "policy_test_mode", "trusted_forwarder"]
    )
    dkim = st.sampled_from([one for one in RESULTS if one != "softfail"])
    return ReportRecord(
        draw(address),
        draw(st.integers(1, 10**9)),
        draw(st.sampled_from(["none", "pass", "quarantine", "reject"])),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(DOMAIN),
        draw(DOMAIN | st.just("")),
        reasons=tuple(draw(st.lists(st.builds(OverrideReason, reasons, TEXT), max_size=3))),
        dkim=tuple(draw(st.lists(st.builds(DkimResult, DOMAIN, TEXT, dkim, TEXT), max_size=3))),
        spf=tuple(
            draw(
                st.lists(
                    st.builds(SpfResult, DOMAIN, st.sampled_from(RESULTS), st.just("mfrom"), TEXT),
                    max_size=1,
                )
            )
        ),
    )


@settings(deadline=None)
@given(st.lists(records(), min_size=1, max_size=4), TEXT, TEXT)
def test_any_text_makes_a_valid_report(
    found: list[ReportRecord], organization: str, contact: str
) -> None:
    report = AggregateReport(
        organization, "a@b.example", "id", 1, 2, REPORT.policy, tuple(found), contact
    )
    data = written(report)
    schema().validate(data.decode())
    again = read_report(data)
    assert [one.count for one in again.records] == [one.count for one in found]
    assert [one.source for one in again.records] == [ip(str(one.source)) for one in found]


@pytest.mark.parametrize("number", [1, 4096, 4097, 9000])
def test_long_reports_come_in_pieces(number: int) -> None:
    report = AggregateReport("o", "e@x.example", "i", 1, 2, REPORT.policy, (RECORD,) * number)
    pieces = list(write_report(report))
    assert len(read_report(b"".join(pieces)).records) == number
    assert len(pieces) > number // 4096
