"""Reports of others: what is read, and what hostile XML may not do."""

from __future__ import annotations

import contextlib
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.dmarc import reading
from filterd.dmarc.feedback import (
    NAMESPACE,
    DkimResult,
    OverrideReason,
    PolicyPublished,
    SpfResult,
)
from filterd.dmarc.files import reports_in
from filterd.dmarc.reading import AggregateReportError, read_report
from tests.helpers.feedback import DAY, OLD, dkim, feedback, record, spf


def test_a_report_of_rfc_9990() -> None:
    found = read_report(
        feedback(
            record(
                "2001:db8::1",
                12,
                dkim="pass",
                disposition="pass",
                found=dkim("example.org")
                + dkim("list.example", "fail", "s2")
                + spf("list.example"),
            ),
            record(count=3, disposition="none", reason="policy_test_mode"),
        )
    )
    assert (found.organization, found.id, found.version) == ("Receiver", "one", "1.0")
    assert (found.begin, found.end, found.namespace) == (DAY, DAY + 86399, NAMESPACE)
    assert (found.generator, found.contact) == ("Receiver 1.0", "https://receiver.example/dmarc")
    assert found.policy == PolicyPublished(
        "example.org", "reject", "quarantine", "reject", "s", "r", "1", "n", "treewalk"
    )
    first, second = found.records
    assert (first.source, first.count, first.disposition) == (ip_address("2001:db8::1"), 12, "pass")
    assert (first.dkim_passes, first.spf_passes) == (True, False)
    assert first.dkim == (
        DkimResult("example.org", "s1", "pass", "why"),
        DkimResult("list.example", "s2", "fail", "why"),
    )
    assert first.spf == (SpfResult("list.example", "pass", "mfrom"),)
    assert second.reasons == (OverrideReason("policy_test_mode", "as told"),)
    assert found.messages == 15


def test_a_report_of_rfc_7489() -> None:
    found = read_report(feedback(record(spf="pass", reason="sampled_out"), form=OLD))
    assert found.namespace == ""
    assert found.policy == PolicyPublished("example.org", "none", "none", adkim="r", aspf="r")
    assert found.records[0].reasons == (OverrideReason("sampled_out", "as told"),)


@pytest.mark.parametrize(
    "data",
    [
        feedback(),
        b"\n  " + feedback(),
        feedback().replace(b'encoding="UTF-8"', b'encoding="us-ascii"'),
        feedback().replace(b'encoding="UTF-8"', b'encoding="Windows-1252"'),
        feedback().decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        feedback()
        .replace(b"<feedback xmlns=", b"<d:feedback xmlns:d=")
        .replace(b"</feedback>", b"</d:feedback>"),
        feedback().replace(b"</feedback>", b"<unknown><a/></unknown></feedback>"),
    ],
)
def test_spellings_of_the_same(data: bytes) -> None:
    assert read_report(data).records == read_report(feedback()).records


BOMB = (
    '<!DOCTYPE feedback [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "line 1, column 0: not XML: no element found"),
        (b"<feedback>", "not XML"),
        (b"<html></html>", "line 1: the root element is html, expected feedback"),
        (b"<feedback></feedback>", "line 1: begin is '', expected a number"),
        (feedback(record(count=-1)), "count is '-1', expected a number up to 1000000000000"),
        (feedback(record(count=10**13)), "expected a number up to"),
        (feedback(record("192.0.2.300")), "source_ip is '192.0.2.300', expected an address"),
        (feedback(begin=DAY, end=DAY - 1), "its time ends before it begins"),
        (feedback().replace(b"<domain>example.org</domain>", b"", 1), "names no domain"),
        (feedback().replace(b"\xef", b"").replace(b"UTF-8", b"cp037"), "its encoding is cp037"),
        (
            feedback().replace(b"<feedback", BOMB.encode() + b"<feedback", 1),
            "has a document type or entities, which no report needs",
        ),
        (
            feedback().replace(
                b"<feedback", b'<!DOCTYPE f SYSTEM "file:///etc/passwd"><feedback', 1
            ),
            "has a document type",
        ),
        (b"<feedback>" + b"<a>" * 100_000, "line 1: elements nest deeper than 16"),
        (b"<feedback>" + b"<a/>" * 100_000, "more than 1000 elements in one part"),
        (b"<!--" + b"-" * 100_000, "not XML"),
        (b"<!-- " + b"x" * 100_000 + b" --><feedback/>", "no element in the first 65536 octets"),
        (b"\0" * 100, "not XML"),
    ],
)
def test_what_is_no_report_says_why(data: bytes, words: str) -> None:
    with pytest.raises(AggregateReportError) as raised:
        read_report(data)
    assert words in str(raised.value)


def test_what_there_is_too_much_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "RECORDS_LIMIT", 3)
    assert len(read_report(feedback(*[record()] * 3)).records) == 3
    with pytest.raises(AggregateReportError, match="more than 3 records"):
        read_report(feedback(*[record()] * 4))
    monkeypatch.setattr(reading, "XML_LIMIT", 100)
    with pytest.raises(AggregateReportError, match="larger than"):
        read_report(feedback())


def test_elements_between_records_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a report of 32 MiB would have eight million of them in memory."""
    monkeypatch.setattr(reading, "CHILDREN_LIMIT", 50)
    assert len(read_report(feedback(*[record()] * 20)).records) == 20
    with pytest.raises(AggregateReportError, match="more than 50 elements in one part"):
        read_report(feedback(*[record() + "<x/>" * 10] * 20))


def test_empty_results_say_nothing() -> None:
    """Else a report of 30 MB, which is 30 KB in gzip, has four million of them."""
    empty = "<dkim/><spf></spf>" * 100
    wanted = read_report(feedback(record(found=dkim("a.example"))))
    assert read_report(feedback(record(found=empty + dkim("a.example")))) == wanted
    many = record(reason="other").replace("<reason>", "<reason/><reason>")
    assert read_report(feedback(many)) == read_report(feedback(record(reason="other")))


def test_no_records_are_no_report() -> None:
    with pytest.raises(AggregateReportError, match="has no record"):
        read_report(feedback().replace(record().encode(), b""))


def test_texts_are_cut_and_printable() -> None:
    data = feedback(organization="x\u202ey\u0085" + "z" * 5000)
    found = read_report(data)
    assert found.organization == "x\ufffdy\ufffd" + "z" * 496


@given(st.binary(max_size=300))
def test_no_octets_break_it(data: bytes) -> None:
    for octets in (data, b"<feedback>" + data, b"\x1f\x8b\x08" + data, b"PK\x03\x04" + data):
        for found in reports_in(octets, "x"):
            assert found.report is None
            assert found.trouble


WHOLE = feedback(record(found=dkim("example.org") + spf("example.org"), reason="other"))


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=4), st.booleans())
def test_a_damaged_report_is_read_or_refused(place: int, new: bytes, added: bool) -> None:
    data = WHOLE[:place] + new + WHOLE[place if added else place + len(new) :]
    with contextlib.suppress(AggregateReportError):
        found = read_report(data)
        assert found.records
        assert all(one.count >= 0 for one in found.records)


@pytest.mark.parametrize(
    "part",
    [
        b"<x " + b" ".join(b"a%d='1'" % number for number in range(50_000)) + b"/>",
        b"<x y='" + b"z" * 1_000_000 + b"'/>",
        b"<x>" + b"text &amp; " * 100_000 + b"</x>",
        b"<!-- " + b"- " * 500_000 + b"-->",
        b"<?pi " + b"x" * 1_000_000 + b"?>",
        b"<![CDATA[" + b"]" * 1_000_000 + b"]]>",
        b"<n" + b"a" * 100_000 + b"/>",
        b"".join(b"<x xmlns:n%d='u'/>" % number for number in range(900)),
    ],
    ids=["attributes", "value", "entities", "comment", "instruction", "cdata", "name", "prefixes"],
)
def test_what_is_large_in_odd_places_is_passed_over(part: bytes) -> None:
    for place in (b"<extension>", b"<report_metadata>"):
        data = feedback().replace(place, place + part)
        assert read_report(data).records == read_report(feedback()).records
