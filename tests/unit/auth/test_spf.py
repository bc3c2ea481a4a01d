"""SPF: which result, for whom, and why."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from filterd.auth.spf import check_spf
from filterd.message.authentication import AuthResult, SpfCheck, SpfIdentity
from filterd.resolver.answer import MX, DnsStatus
from tests.helpers.zones import Zone, Zones

ZONE: Zone = {
    "bank.example": {
        "TXT": [b"v=spf1 mx include:senders.example -all exp=why.bank.example"],
        "MX": [MX(10, "mx.bank.example")],
    },
    "mx.bank.example": {"A": ["192.0.2.1"], "TXT": [b"v=spf1 a -all"]},
    "senders.example": {"TXT": [b"v=spf1 ip4:198.51.100.0/24 ip6:2001:db8::/32 ?all"]},
    "why.bank.example": {"TXT": [b"%{i} may not send for %{s}"]},
    "xn--mller-kva.example": {"TXT": [b"v=spf1 ip4:192.0.2.1 -all"]},
    "silent.example": {"TXT": DnsStatus.SERVFAIL},
}


def mail_from(client: str, sender: str, helo: str = "mx.bank.example") -> SpfCheck:
    return check_spf(Zones(ZONE), ip_address(client), helo, sender, host="mx.example.org")[0]


@pytest.mark.parametrize(
    ("client", "sender", "result", "mechanism", "lookups"),
    [
        ("192.0.2.1", "ann@bank.example", "pass", "mx", 1),
        ("::ffff:192.0.2.1", "ann@bank.example", "pass", "mx", 1),
        ("198.51.100.7", "ann@bank.example", "pass", "include:senders.example", 2),
        ("2001:db8::7", "ann@bank.example", "pass", "include:senders.example", 2),
        ("203.0.113.7", "ann@bank.example", "fail", "-all", 2),
        ("203.0.113.7", "ann@senders.example", "neutral", "?all", 0),
        ("192.0.2.1", "ann@müller.example", "pass", "ip4:192.0.2.1", 0),
        ("192.0.2.1", "ann@XN--MLLER-KVA.example.", "pass", "ip4:192.0.2.1", 0),
        ("192.0.2.1", "ann@nothing.example", "none", "", 0),
        ("192.0.2.1", "ann@silent.example", "temperror", "", 0),
        ("192.0.2.1", "ann@[192.0.2.1]", "none", "", 0),
        ("192.0.2.1", "ann@localhost", "none", "", 0),
        ("192.0.2.1", "ann", "none", "", 0),
    ],
)
def test_what_a_domain_says_of_a_client(
    client: str, sender: str, result: str, mechanism: str, lookups: int
) -> None:
    found = mail_from(client, sender)
    assert (found.result, found.mechanism, found.lookups) == (result, mechanism, lookups)


def test_the_domain_is_in_a_labels() -> None:
    assert mail_from("192.0.2.1", "ann@MÜLLER.example").domain == "xn--mller-kva.example"


def test_a_fail_is_explained() -> None:
    found = mail_from("203.0.113.7", "ann@bank.example")
    assert found.explanation == "203.0.113.7 may not send for ann@bank.example"


def test_the_null_reverse_path_is_postmaster_at_helo() -> None:
    about_sender, about_helo = check_spf(
        Zones(ZONE), ip_address("192.0.2.1"), "MX.bank.example", "", host="mx.example.org"
    )
    assert about_sender == SpfCheck(
        AuthResult.PASS, "mx.bank.example", SpfIdentity.MAIL_FROM, 1, 0, "a"
    )
    assert about_helo == SpfCheck(AuthResult.PASS, "mx.bank.example", SpfIdentity.HELO, 1, 0, "a")


def test_helo_has_a_result_of_its_own() -> None:
    _, about_helo = check_spf(
        Zones(ZONE), ip_address("203.0.113.7"), "mx.bank.example", "a@senders.example", host="h"
    )
    assert (about_helo.result, about_helo.mechanism) == ("fail", "-all")


@pytest.mark.parametrize("helo", ["[192.0.2.1]", "localhost", "192.0.2.1", "", "a b.example"])
def test_a_helo_that_is_no_domain_has_none(helo: str) -> None:
    for found in check_spf(Zones(ZONE), ip_address("192.0.2.1"), helo, "", host="h"):
        assert (found.result, found.domain) == (AuthResult.NONE, "")
