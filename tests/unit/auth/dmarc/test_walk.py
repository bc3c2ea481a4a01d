"""The DNS tree walk: RFC 9989 §4.10, with all examples of its text."""

from __future__ import annotations

import pytest

from filterd.auth.dmarc.walk import QUERIES_LIMIT, begin_walk, organizational_domain, walk, walked
from filterd.resolver.answer import DnsStatus, RecordType
from tests.helpers.zones import Zones
from tests.unit.auth.dmarc import published

NAMES = {
    "example": ["example"],
    "mx.example": ["mx.example", "example"],
    "a.mail.example.com": ["a.mail.example.com", "mail.example.com", "example.com", "com"],
    # Eight labels: each step takes one away.
    "a.b.c.d.e.f.g.example": [
        "a.b.c.d.e.f.g.example",
        "b.c.d.e.f.g.example",
        "c.d.e.f.g.example",
        "d.e.f.g.example",
        "e.f.g.example",
        "f.g.example",
        "g.example",
        "example",
    ],
    # Nine and more: from the name to seven labels at once (§4.10, §5.1.8).
    "mail.a.b.c.d.e.f.g.example.com": [
        "mail.a.b.c.d.e.f.g.example.com",
        "c.d.e.f.g.example.com",
        "d.e.f.g.example.com",
        "e.f.g.example.com",
        "f.g.example.com",
        "g.example.com",
        "example.com",
        "com",
    ],
    "a.b.c.d.e.f.g.h.i.j.mail.example.com": [
        "a.b.c.d.e.f.g.h.i.j.mail.example.com",
        "g.h.i.j.mail.example.com",
        "h.i.j.mail.example.com",
        "i.j.mail.example.com",
        "j.mail.example.com",
        "mail.example.com",
        "example.com",
        "com",
    ],
}


@pytest.mark.parametrize(("domain", "names"), NAMES.items())
def test_which_names_are_asked_for(domain: str, names: list[str]) -> None:
    questions = Zones({})
    assert walk(domain, questions).found == ()
    assert questions.asked == [(f"_dmarc.{name}", RecordType.TXT) for name in names]
    assert list(walked(domain)) == names


def test_a_thousand_labels_are_eight_questions() -> None:
    questions = Zones({})
    walk(".".join("abcdefgh" * 500), questions)
    assert len(questions.asked) == QUERIES_LIMIT


def test_all_of_them_are_asked_at_once() -> None:
    class Started(Zones):
        def start(self, name: str, kind: RecordType) -> None:
            self.asked.append((name, kind))

    questions = Started({})
    begin_walk("a.mx.example", questions)
    names = ["_dmarc.a.mx.example", "_dmarc.mx.example", "_dmarc.example"]
    assert questions.asked == [(name, RecordType.TXT) for name in names]


ORGANIZATIONS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "no record": ({}, {"a.mx.example": "a.mx.example", "mx.example": "mx.example"}),
    "the record with the fewest labels": (
        {"mail.example.com": "p=none", "example.com": "p=none"},
        {
            "a.mail.example.com": "example.com",
            "mail.example.com": "example.com",
            "example.com": "example.com",
            "other.example.com": "example.com",
            "com": "com",
            "a.other.com": "a.other.com",
        },
    ),
    "only the record below": (
        {"mail.example.com": "p=none"},
        {
            "a.mail.example.com": "mail.example.com",
            "mail.example.com": "mail.example.com",
            "example.com": "example.com",
            "b.example.com": "b.example.com",
        },
    ),
    "psd=n": (
        {"mail.example.com": "p=none; psd=n", "example.com": "p=none"},
        {
            "a.mail.example.com": "mail.example.com",
            "mail.example.com": "mail.example.com",
            "b.example.com": "example.com",
        },
    ),
    "psd=n above": (
        {"mail.example.com": "p=none", "example.com": "p=none; psd=n", "com": "p=none"},
        {"a.mail.example.com": "example.com", "example.com": "example.com", "b.com": "com"},
    ),
    "psd=y": (
        {"com": "p=none; psd=y"},
        {
            "a.mail.example.com": "example.com",
            "example.com": "example.com",
            "com": "com",
            "a.b.c.d.e.f.g.h.i.com": "i.com",
        },
    ),
    "psd=y of several labels": (
        {"co.example": "p=none; psd=y"},
        {
            "a.mx.co.example": "mx.co.example",
            "mx.co.example": "mx.co.example",
            "co.example": "co.example",
            "mx.example": "mx.example",
        },
    ),
    "psd=y, and records below it": (
        {"example": "psd=y", "mx.example": "p=none", "a.mx.example": "p=none"},
        {"a.mx.example": "mx.example", "mx.example": "mx.example", "example": "example"},
    ),
    "psd=y in the place of a name without a record": (
        {"example": "psd=y", "b.a.mx.example": "p=none"},
        {"b.a.mx.example": "mx.example", "c.b.a.mx.example": "mx.example"},
    ),
    "psd=y where the walk begins says nothing": (
        {"mx.example": "p=none; psd=y", "example": "p=none"},
        # The walk stops there all the same.
        {"mx.example": "mx.example", "a.mx.example": "a.mx.example"},
    ),
    "psd=y below psd=y": (
        {"co.example": "psd=y", "example": "psd=y"},
        {
            "a.mx.co.example": "mx.co.example",
            "co.example": "co.example",
            "mx.example": "mx.example",
        },
    ),
    "psd=u": (
        {"mx.example": "p=none; psd=u", "example": "p=none; psd=u"},
        {"a.mx.example": "example", "example": "example"},
    ),
    "a public suffix that does not say so": (
        {"example": "p=none", "mx.example": "p=none; psd=n"},
        {"a.mx.example": "mx.example", "other.example": "example"},
    ),
    "a record in the gap": (
        # §5.1.8: too far below for the short cut.
        {"b.c.d.e.f.g.example.com": "p=none; psd=n", "example.com": "p=none"},
        {
            "mail.a.b.c.d.e.f.g.example.com": "example.com",
            "b.c.d.e.f.g.example.com": "b.c.d.e.f.g.example.com",
            "a.b.c.d.e.f.g.example.com": "example.com",
            "c.d.e.f.g.example.com": "example.com",
        },
    ),
    "records without a policy count": (
        {"mail.example.com": "p=bad; psd=n", "example.com": "sp=bad"},
        {"a.mail.example.com": "mail.example.com", "b.example.com": "example.com"},
    ),
}


@pytest.mark.parametrize(
    ("records", "domain", "expected"),
    [
        pytest.param(records, domain, expected, id=f"{name}: {domain}")
        for name, (records, domains) in ORGANIZATIONS.items()
        for domain, expected in domains.items()
    ],
)
def test_the_organizational_domain(records: dict[str, str], domain: str, expected: str) -> None:
    questions = Zones(published(records))
    assert organizational_domain(domain, questions) == expected
    assert len(questions.asked) <= QUERIES_LIMIT


@pytest.mark.parametrize(
    ("records", "stops_at"),
    [
        ({"mx.example": "p=none; psd=n"}, "mx.example"),
        ({"mx.example": "p=none; psd=y"}, "mx.example"),
        ({"a.mx.example": "p=none; psd=y"}, "a.mx.example"),
        ({"mx.example": "p=none; psd=u"}, "example"),
        ({"mx.example": "p=none; psd=x"}, "example"),
        ({"mx.example": "p=none; psd=n; psd=y"}, "example"),
    ],
)
def test_where_a_walk_stops(records: dict[str, str], stops_at: str) -> None:
    questions = Zones(published(records))
    walk("a.mx.example", questions)
    assert questions.asked[-1][0] == f"_dmarc.{stops_at}"


APPLICABLE: dict[str, tuple[dict[str, str], dict[str, str | None]]] = {
    "its own": (
        {"a.mx.example": "p=none", "mx.example": "p=reject"},
        {"a.mx.example": "a.mx.example", "mx.example": "mx.example", "b.mx.example": "mx.example"},
    ),
    "of the organizational domain, not of one between": (
        {"b.mx.example": "p=none", "mx.example": "p=reject"},
        {"a.b.mx.example": "mx.example", "b.mx.example": "b.mx.example"},
    ),
    "of the public suffix": (
        {"example": "p=reject; psd=y"},
        {"mx.example": "example", "a.mx.example": "example", "example": "example"},
    ),
    "not of the public suffix where the organization has one": (
        {"example": "p=reject; psd=y", "mx.example": "p=none"},
        {"mx.example": "mx.example", "a.mx.example": "mx.example", "other.example": "example"},
    ),
    "of the public suffix, not of one below the organization": (
        {"example": "p=reject; psd=y", "b.mx.example": "p=none"},
        {"a.b.mx.example": "example"},
    ),
    "none": ({}, {"mx.example": None, "example": None}),
    "none of a neighbour": ({"b.mx.example": "p=none"}, {"a.mx.example": None, "mx.example": None}),
}


@pytest.mark.parametrize(
    ("records", "domain", "expected"),
    [
        pytest.param(records, domain, expected, id=f"{name}: {domain}")
        for name, (records, domains) in APPLICABLE.items()
        for domain, expected in domains.items()
    ],
)
def test_whose_record_applies(records: dict[str, str], domain: str, expected: str | None) -> None:
    found = walk(domain, Zones(published(records))).applicable
    assert (found and found[0]) == expected


RECORD = b"v=DMARC1; p=reject"


@pytest.mark.parametrize(
    ("texts", "has_record"),
    [
        ([RECORD], True),
        ([RECORD, b"v=spf1 -all", b"\xff\x00", b""], True),
        ([RECORD, b"v=DMARC2; p=none", b" v=DMARC1; p=none"], True),
        ([RECORD, RECORD], False),
        ([RECORD, b"v=DMARC1; p=none"], False),
        ([RECORD, b"v=DMARC1"], False),
        ([b"v=spf1 -all"], False),
        ([RECORD] * 1000, False),
    ],
)
def test_of_several_records_only_a_single_dmarc_record_counts(
    texts: list[bytes], has_record: bool
) -> None:
    found = walk("mx.example", Zones({"_dmarc.mx.example": {"TXT": texts}}))
    assert (found.own is not None) is has_record
    assert not found.failure


def test_two_records_are_none_and_the_walk_goes_on() -> None:
    zone = published({"example": "p=none"})
    zone["_dmarc.mx.example"] = {"TXT": [RECORD, RECORD]}
    assert walk("mx.example", Zones(zone)).organizational == "example"


def test_a_record_behind_an_alias() -> None:
    zone = published({"other.example": "p=reject"})
    zone["_dmarc.mx.example"] = {"CNAME": ["_dmarc.other.example"]}
    assert walk("mx.example", Zones(zone)).own is not None


FAILURES = [
    status
    for status in DnsStatus
    if status.name in ("SERVFAIL", "REFUSED", "TIMEOUT", "UNREACHABLE", "MALFORMED", "LIMIT")
]


@pytest.mark.parametrize("status", FAILURES)
def test_a_name_server_that_fails_ends_the_walk_and_is_not_no_record(status: DnsStatus) -> None:
    zone = published({"a.mx.example": "p=reject", "example": "p=none"})
    zone["_dmarc.mx.example"] = {"TXT": status}
    found = walk("a.mx.example", Zones(zone))
    assert "_dmarc.mx.example" in found.failure
    assert found.own is not None
    assert organizational_domain("a.mx.example", Zones(zone)) == "a.mx.example"


@pytest.mark.parametrize(
    "domain",
    [
        "x" * 64 + ".mx.example",
        "a..mx.example",
        "ü" * 80 + ".mx.example",
        "a\x00 b.mx.example",
        ".".join(["abcdefg"] * 40) + ".mx.example",
    ],
)
def test_what_cannot_be_in_the_dns_has_no_record_of_its_own(domain: str) -> None:
    found = walk(domain, Zones(published({"mx.example": "p=reject"})))
    assert found.own is None
    assert found.organizational == "mx.example"
