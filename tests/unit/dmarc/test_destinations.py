"""Who gets a report: what the record names, and whom another domain allows."""

from __future__ import annotations

import pytest

from filterd.auth.dmarc.record import DmarcRecord
from filterd.dmarc.collecting import Collected
from filterd.dmarc.destinations import Destination, destinations
from filterd.resolver.answer import DnsStatus
from tests.helpers.zones import Zone, Zones

ORG: Zone = {
    "_dmarc.example.org": {"TXT": [b"v=DMARC1; p=none"]},
    "_dmarc.own.example.org": {"TXT": [b"v=DMARC1; p=none; psd=n"]},
}


def told(rua: str, zone: Zone = ORG, domain: str = "example.org") -> list[Destination]:
    record = DmarcRecord.parse(f"v=DMARC1; p=none; rua={rua}")
    assert record is not None
    return destinations(Collected(domain, "example.org", record), Zones(zone))


@pytest.mark.parametrize(
    ("rua", "found"),
    [
        ("mailto:dmarc@example.org", [("dmarc@example.org", None)]),
        ("MAILTO:dmarc@Example.org", [("dmarc@Example.org", None)]),
        ("mailto:dmarc@example.org!10m", [("dmarc@example.org", 10 << 20)]),
        ("mailto:dmarc@example.org!500", [("dmarc@example.org", 500)]),
        (
            "mailto:a@example.org!1k , mailto:b@mail.example.org",
            [
                ("a@example.org", 1024),
                ("b@mail.example.org", None),
            ],
        ),
        ("mailto:a%2Bdmarc@example.org", [("a+dmarc@example.org", None)]),
        ("mailto:a@example.org,mailto:a@example.org!5m", [("a@example.org", None)]),
        (
            "mailto:a@example.org,mailto:a@EXAMPLE.org,mailto:a@example.org.,mailto:A@example.org",
            [
                ("a@example.org", None),
                ("A@example.org", None),
            ],
        ),
        ("https://example.org/dmarc", []),
        ("mailto:,mailto:@,mailto:a@example.org", [("a@example.org", None)]),
        ("mailto:a%0d%0aRCPT%20TO:b@example.org", []),
        ("mailto:a%20b@example.org", []),
        ("mailto:a@[192.0.2.1]", []),
        ("dmarc@example.org", []),
        (
            ",".join(f"mailto:a{n}@example.org" for n in range(9)),
            [(f"a{n}@example.org", None) for n in range(5)],
        ),
    ],
)
def test_what_the_record_names(rua: str, found: list[tuple[str, int | None]]) -> None:
    assert told(rua) == [Destination(address, limit) for address, limit in found]


NAME = "example.org._report._dmarc.reports.example"


@pytest.mark.parametrize(
    ("zone", "address", "trouble"),
    [
        ({NAME: {"TXT": [b"v=DMARC1"]}}, "a@reports.example", ""),
        ({NAME: {"TXT": [b"v=DMARC1;"]}}, "a@reports.example", ""),
        (
            {NAME: {"TXT": [b"hello", b"v=DMARC1; rua=mailto:b@reports.example"]}},
            "b@reports.example",
            "",
        ),
        ({}, "a@reports.example", f"reports.example does not say that it takes reports ({NAME})"),
        ({NAME: {"TXT": [b"v=spf1 -all"]}}, "a@reports.example", "reports.example does not say"),
        (
            {NAME: {"TXT": [b"v=DMARC1; rua=mailto:b@victim.example"]}},
            "a@reports.example",
            "reports.example names an address elsewhere in its place",
        ),
        (
            {NAME: {"TXT": [b"v=DMARC1; rua=https://reports.example/"]}},
            "a@reports.example",
            "reports.example names an address elsewhere in its place",
        ),
        ({NAME: {"TXT": DnsStatus.SERVFAIL}}, "a@reports.example", f"no answer about {NAME}"),
    ],
)
def test_somebody_elses_domain(zone: Zone, address: str, trouble: str) -> None:
    (found,) = told("mailto:a@reports.example", {**ORG, **zone})
    assert found.address == address
    assert found.trouble.startswith(trouble)
    assert bool(found.trouble) == bool(trouble)
    assert found.temporary == ("no answer" in trouble)


def test_a_subdomain_that_is_an_organization_of_its_own() -> None:
    (found,) = told("mailto:a@own.example.org")
    assert found.trouble.startswith("own.example.org does not say that it takes reports")


def test_a_name_that_is_too_long_is_a_no() -> None:
    long = ".".join(["a" * 60] * 4)
    (found,) = told(f"mailto:a@{long}.example")
    assert "the name is too long" in found.trouble


def test_a_limit_of_the_one_who_takes_reports_counts() -> None:
    zone: Zone = {**ORG, NAME: {"TXT": [b"v=DMARC1; rua=mailto:b@reports.example!1k"]}}
    assert told("mailto:a@reports.example!9k", zone) == [Destination("b@reports.example", 1024)]
    zone = {**ORG, NAME: {"TXT": [b"v=DMARC1; rua=mailto:b@reports.example"]}}
    assert told("mailto:a@reports.example!9k", zone) == [Destination("b@reports.example", 9216)]
