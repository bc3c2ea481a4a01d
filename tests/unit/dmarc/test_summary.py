"""What reports say together, and the sentence about each source."""

from __future__ import annotations

import pytest

from filterd.dmarc import summary as module
from filterd.dmarc.reading import read_report
from filterd.dmarc.summary import ReportSummary, advice, summarize
from filterd.dmarc.values import summary_values
from tests.helpers.feedback import DAY, NEW, OLD, dkim, feedback, record, spf


def summed(*reports: bytes) -> ReportSummary:
    return summarize(map(read_report, reports))


def said(*records: str, form: str = NEW) -> str:
    """The sentence about the only source of a report of one day."""
    found = summed(feedback(*records, form=form))
    (source,) = found.sources
    return advice(source, found.days)


@pytest.mark.parametrize(
    ("records", "form", "sentence"),
    [
        (
            [record(count=120, disposition="reject")],
            NEW,
            "192.0.2.1 sends 120 messages as example.org without aligned SPF or DKIM: if it is "
            "yours, add it to the SPF record of example.org and sign with DKIM; if not, it is "
            "forged, and by your policy (reject) receivers stopped or marked 120 of 120.",
        ),
        (
            [record(count=120)],
            OLD,
            "192.0.2.1 sends 120 messages as example.org without aligned SPF or DKIM: if it is "
            "yours, add it to the SPF record of example.org and sign with DKIM; if not, it is "
            "forged, and your policy (none) lets it pass.",
        ),
        (
            [record(found=dkim("sender.example") + spf("bounces.sender.example"))],
            OLD,
            "192.0.2.1 sends 1 message as example.org without aligned SPF or DKIM: it "
            "authenticates as sender.example; if that sends for you, let it sign with DKIM as "
            "example.org; if it forwards mail or is unknown to you, nothing can be done there; "
            "your policy (none) lets it pass.",
        ),
        (
            [record(found=dkim("example.org", "fail", "s7") + spf("list.example"))],
            OLD,
            "192.0.2.1 sends 1 message as example.org without aligned SPF or DKIM: it is signed as "
            "example.org (selector s7) and the signature fails; if the address is yours, "
            "check its key and signer; if not, somebody on the way changes the mail, "
            "as mailing lists do.",
        ),
        (
            [record(found=spf("example.org", "permerror"))],
            OLD,
            "192.0.2.1 sends 1 message as example.org without aligned SPF or DKIM: the SPF record "
            "of example.org cannot be used (permerror); correct it.",
        ),
        (
            [record(reason="mailing_list")],
            NEW,
            "192.0.2.1 sends 1 message as example.org without aligned SPF or DKIM: receivers know "
            "it as a forwarder or mailing list and let it pass; nothing needs to be done.",
        ),
        (
            [record(count=8, dkim="pass"), record(count=2)],
            OLD,
            "192.0.2.1 sends 10 messages as example.org, 2 of 10 without aligned SPF or DKIM: if "
            "it is yours, add it to the SPF record of example.org and sign with DKIM; if not, it "
            "is forged, and your policy (none) lets it pass.",
        ),
        (
            [record(dkim="pass", spf="pass")],
            NEW,
            "192.0.2.1 sends 1 message as example.org with aligned SPF and DKIM: nothing to do.",
        ),
        (
            [record(dkim="pass", found=spf("forwarder.example"))],
            NEW,
            "192.0.2.1 sends 1 message as example.org, which passes by DKIM alone (MAIL FROM is of "
            "forwarder.example, as forwarders and mailing services have it): nothing needs to be "
            "done.",
        ),
        (
            [record(spf="pass")],
            NEW,
            "192.0.2.1 sends 1 message as example.org, which passes by SPF alone and will fail "
            "where it is forwarded: sign it with DKIM as example.org.",
        ),
        (
            [record(spf="pass"), record(dkim="pass")],
            NEW,
            "192.0.2.1 sends 2 messages as example.org, and all of it passes, some by one of SPF "
            "and DKIM only: nothing urgent.",
        ),
    ],
)
def test_one_sentence(records: list[str], form: str, sentence: str) -> None:
    assert said(*records, form=form) == sentence


def test_sources_of_several_reports() -> None:
    found = summed(
        feedback(record(count=30, dkim="pass"), record("192.0.2.2", 5)),
        feedback(record(count=50, dkim="pass"), id="two", organization="Other", form=OLD),
        feedback(record(count=10, dkim="pass"), id="three", begin=DAY + 86400, end=DAY + 172800),
        feedback(record(count=999), id="two", organization="Other", form=OLD),
    )
    assert (found.reports, found.repeated, found.days) == (3, 1, 2)
    assert (found.begin, found.end) == (DAY, DAY + 172800)
    assert [(str(s.address), s.messages, s.neither) for s in found.sources] == [
        ("192.0.2.2", 5, 5),
        ("192.0.2.1", 90, 0),
    ]
    assert found.sources[1].reporters == {"Receiver": 40, "Other": 50}
    assert "192.0.2.1 sends 45 messages a day as example.org" in advice(found.sources[1], 2)
    assert (found.messages, found.passing) == (95, 90)


def test_a_subdomain_has_the_policy_of_subdomains() -> None:
    found = summed(feedback(record(header_from="news.example.org")))
    assert (found.sources[0].domain, found.sources[0].policy) == ("news.example.org", "quarantine")


def test_the_newest_report_says_the_policy() -> None:
    old = feedback(form=OLD, begin=DAY - 86400, end=DAY - 1, id="before")
    for reports in ([feedback(), old], [old, feedback()]):
        assert summed(*reports).sources[0].policy == "reject"


def test_forgers_from_everywhere_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOURCES_LIMIT", 2)
    records = [record(f"192.0.2.{number}", number) for number in range(1, 6)]
    found = summed(feedback(*records))
    assert [(str(s.address), s.messages) for s in found.sources] == [
        ("None", 12),
        ("192.0.2.2", 2),
        ("192.0.2.1", 1),
    ]
    assert advice(found.sources[0], 1) == (
        "12 messages from many other addresses are not told apart; 12 of them fail."
    )


def test_names_of_one_source_are_limited() -> None:
    found = "".join(dkim(f"d{number}.example") for number in range(100))
    (source,) = summed(feedback(record(found=found))).sources
    assert len(source.signed) == module.NAMES_LIMIT


def test_as_values() -> None:
    value = summary_values(summed(feedback(record(count=3, reason="other"))))
    assert value["begin"] == "2026-09-21T00:00:00+00:00"
    (source,) = value["sources"]
    assert source["source"] == "192.0.2.1"
    assert (source["messages"], source["fail"], source["reasons"]) == (3, 3, {"other": 3})
    assert summary_values(summed())["begin"] is None
