"""What the doctor says of the records of a site's own domains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from filterd.doctor.findings import Finding, Level
from filterd.doctor.senders.dkim import dkim
from filterd.doctor.senders.dmarc import dmarc
from filterd.doctor.senders.outgoing import OutgoingHost, outgoing
from filterd.doctor.senders.spf import spf
from filterd.message.envelope import ip
from filterd.resolver.answer import MX, DnsStatus
from tests.helpers.dkim import signing_key
from tests.helpers.zones import Zone, Zones

OURS = "8.8.4.4"
"""The address from which mail goes out: a public one, as those of the documentation are not."""


def host(*addresses: str, helo: str = "mx.a.example") -> OutgoingHost:
    every = tuple(found for one in addresses or (OURS,) if (found := ip(one)) is not None)
    return OutgoingHost(helo, every)


def told(found: Iterator[Finding]) -> list[tuple[Level, str, str]]:
    """Level, text and advice of each, which say what to do where something is to be done."""
    every = list(found)
    for one in every:
        assert one.found.isprintable()
        assert one.advice.isprintable()
        assert (one.level is Level.OK) == (one.advice == "")
    return [(one.level, one.found, one.advice) for one in every]


def worst(found: Iterator[Finding]) -> tuple[Level, str, str]:
    """The first that is not well, else the first."""
    every = told(found)
    return next((one for one in every if one[0] is not Level.OK), every[0])


def txt(name: str, *texts: bytes, more: Zone | None = None) -> Zones:
    return Zones({name: {"TXT": texts}, **(more or {})})


SPF: dict[str, tuple[Sequence[bytes], Level, str, str]] = {
    "none": ((b"other",), Level.FAIL, "has no SPF record", f"v=spf1 ip4:{OURS} -all"),
    "two": ((b"v=spf1 -all", b"v=spf1 mx"), Level.FAIL, "has 2 SPF records", "merge them into one"),
    "good": ((b"v=spf1 ip4:8.8.4.0/24 -all",), Level.OK, "lets 8.8.4.4 send (ip4:8.8.4.0/24)", ""),
    "soft": ((b"v=spf1 ip4:8.8.4.4 ~all",), Level.OK, "lets 8.8.4.4 send", ""),
    "by mx": ((b"v=spf1 mx -all",), Level.OK, "lets 8.8.4.4 send (mx)", ""),
    "not ours": ((b"v=spf1 ip4:8.8.8.8 -all",), Level.FAIL, "the result is fail", "ip4:8.8.4.4"),
    "not ours, softly": ((b"v=spf1 ~all",), Level.FAIL, "the result is softfail", "ip4:8.8.4.4"),
    "everybody": ((b"v=spf1 +all",), Level.FAIL, "lets everybody send", "take +all"),
    "half of it": (
        (b"v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all",),
        Level.FAIL,
        "lets everybody send",
        "too large",
    ),
    "open end": ((b"v=spf1 ip4:8.8.4.4",), Level.WARN, "says nothing about who else", "-all"),
    "syntax": ((b"v=spf1 ip4:8.8.4.4.4 -all",), Level.FAIL, "cannot be used", "correct it"),
    "hostile": ((b"v=spf1 \x1b[2J -all",), Level.FAIL, "cannot be used", "correct it"),
    "in a circle": (
        (b"v=spf1 include:a.example -all",),
        Level.FAIL,
        "cannot be used",
        "at most 10",
    ),
    "nearly full": (
        (b"v=spf1 " + b"a:mx.a.example " * 9 + b"ip4:8.8.4.4 -all",),
        Level.WARN,
        "asks the DNS 9 times, of 10",
        "one more makes it unusable",
    ),
    "full": ((b"v=spf1 " + b"a:mx.a.example " * 11 + b"-all",), Level.FAIL, "at", "at most 10"),
}


@pytest.mark.parametrize(("texts", "level", "expected", "advice"), SPF.values(), ids=SPF)
def test_spf(texts: Sequence[bytes], level: Level, expected: str, advice: str) -> None:
    zones = Zones(
        {
            "a.example": {"TXT": texts, "MX": [MX(1, "mx.a.example")]},
            "mx.a.example": {"A": [OURS]},
        }
    )
    found = worst(spf("a.example", host(), zones))
    assert (found[0], expected in found[1], advice in found[2]) == (level, True, True), found


def test_spf_where_the_dns_does_not_answer() -> None:
    zones = Zones({"a.example": {"TXT": DnsStatus.SERVFAIL}})
    assert worst(spf("a.example", host(), zones))[:2] == (
        Level.WARN,
        "the DNS does not answer about the SPF record of a.example: servfail of a.example",
    )
    zones = Zones(
        {
            "a.example": {"TXT": [b"v=spf1 include:b.example -all"]},
            "b.example": {"TXT": DnsStatus.TIMEOUT},
        }
    )
    level, text, _ = worst(spf("a.example", host(), zones))
    assert level is Level.WARN
    assert "could not be evaluated" in text


def test_spf_of_each_address() -> None:
    zones = txt("a.example", b"v=spf1 ip4:8.8.4.4 -all")
    found = told(spf("a.example", host(OURS, "2001:4860::1"), zones))
    assert found[0][:2] == (Level.OK, "a.example lets 8.8.4.4 send (ip4:8.8.4.4)")
    assert found[1] == (
        Level.FAIL,
        "a.example does not let 2001:4860::1 send: the result is fail",
        "put ip6:2001:4860::1 into its SPF record, or send its mail from elsewhere",
    )


def test_dkim() -> None:
    key = signing_key("rsa-sha256", "a.example", "s1")
    name = "s1._domainkey.a.example"
    record = key.record.encode()
    good = told(dkim("a.example", [("a.example", "s1")], txt(name, record)))
    assert good == [(Level.OK, f"{name}: a key of {key.bits} bits (rsa) can be used", "")]
    ed = signing_key("ed25519-sha256", "a.example", "s1").record.encode()
    assert told(dkim("a.example", [("a.example", "s1")], txt(name, ed)))[0][0] is Level.OK
    cases: list[tuple[Sequence[bytes], Level, str]] = [
        ((), Level.FAIL, "there is no key record"),
        ((b"v=DKIM1; p=",), Level.FAIL, "revoked"),
        ((b"v=DKIM1; p=AAAA",), Level.FAIL, "not a key"),
        ((b"v=DKIM1; k=\x1b; p=AAAA",), Level.FAIL, "octets in k="),
        ((record + b"; t=y",), Level.WARN, "says t=y"),
        ((record, ed), Level.WARN, "has 2 keys"),
    ]
    for texts, level, expected in cases:
        found = worst(dkim("a.example", [("a.example", "s1")], txt(name, *texts)))
        assert (found[0], expected in found[1]) == (level, True), found
    assert worst(dkim("a.example", [], Zones({})))[1].startswith("no DKIM selector of a.example")
    silent = Zones({name: {"TXT": DnsStatus.TIMEOUT}})
    assert worst(dkim("a.example", [("a.example", "s1")], silent))[0] is Level.WARN
    assert worst(dkim("a.example", [("a.example", "x" * 300)], Zones({})))[0] is Level.FAIL


DMARC: dict[str, tuple[Sequence[bytes], Level, str, str]] = {
    "none": ((), Level.FAIL, "has no DMARC record", '"v=DMARC1; p=none; rua=mailto:dmarc@a.'),
    "two": (
        (b"v=DMARC1; p=none", b"v=DMARC1; p=reject"),
        Level.FAIL,
        "has 2 DMARC records",
        "leave one",
    ),
    "good": (
        (b"v=DMARC1; p=reject; rua=mailto:d@a.example",),
        Level.OK,
        "_dmarc.a.example asks for reject on mail from a.example",
        "",
    ),
    "only looks": (
        (b"v=DMARC1; p=none; rua=mailto:d@a.example",),
        Level.OK,
        "forgeries are delivered",
        "",
    ),
    "a trial": (
        (b"v=DMARC1; p=quarantine; t=y; rua=mailto:d@a.example",),
        Level.OK,
        "t=y: receivers do one step less",
        "",
    ),
    "no policy": ((b"v=DMARC1; sp=none",), Level.FAIL, "does not say what to do", "p=none"),
    "damaged": (
        (b"v=DMARC1; p=none; adkim=x\x1b; rua=mailto:d@a.example",),
        Level.WARN,
        "adkim cannot be read",
        "correct it",
    ),
    "old tags": (
        (b"v=DMARC1; p=none; pct=50; rua=mailto:d@a.example",),
        Level.WARN,
        "pct counts no longer",
        "t=y",
    ),
    "no reports": ((b"v=DMARC1; p=none",), Level.WARN, "has no rua", "rua=mailto:dmarc@a.example"),
    "reports to a page": (
        (b"v=DMARC1; p=none; rua=https://a.example/",),
        Level.WARN,
        "reports are to go to https://a.example/",
        "expected mailto:",
    ),
    "reports to others": (
        (b"v=DMARC1; p=none; rua=mailto:d@b.example",),
        Level.WARN,
        "b.example does not say that it takes reports about a.example",
        'a.example._report._dmarc.b.example: "v=DMARC1"',
    ),
    "reports to others who want them": (
        (b"v=DMARC1; p=none; rua=mailto:d@c.example",),
        Level.OK,
        "asks for none",
        "",
    ),
}


@pytest.mark.parametrize(("texts", "level", "expected", "advice"), DMARC.values(), ids=DMARC)
def test_dmarc(texts: Sequence[bytes], level: Level, expected: str, advice: str) -> None:
    zones = Zones(
        {
            "_dmarc.a.example": {"TXT": texts},
            "a.example._report._dmarc.c.example": {"TXT": [b"v=DMARC1"]},
        }
    )
    found = worst(dmarc("a.example", [], zones))
    assert (found[0], expected in found[1], advice in found[2]) == (level, True, True), found


def test_dmarc_of_a_domain_below() -> None:
    zones = txt("_dmarc.a.example", b"v=DMARC1; p=reject; sp=none; aspf=s; rua=mailto:d@a.example")
    found = [text for _, text, _ in told(dmarc("news.a.example", [], zones))]
    assert found[0].startswith("_dmarc.a.example asks for none on mail from news.a.example")
    assert found[-1] == (
        "mail from news.a.example passes with an envelope sender of news.a.example (SPF), or a "
        "signature of a.example or a domain below it (DKIM); have both"
    )


def test_a_signature_that_is_not_aligned() -> None:
    record = b"v=DMARC1; p=none; adkim=s; rua=mailto:d@a.example"
    zones = txt("_dmarc.a.example", record)
    assert worst(dmarc("news.a.example", ["a.example"], zones)) == (
        Level.WARN,
        "_dmarc.a.example has adkim=s, and mail from news.a.example is signed by a.example: that "
        "does not count",
        "sign with a key of news.a.example, or take adkim=s out",
    )
    assert worst(dmarc("a.example", ["a.example"], zones))[0] is Level.OK


def test_dmarc_where_the_dns_does_not_answer() -> None:
    zones = Zones({"_dmarc.a.example": {"TXT": DnsStatus.TIMEOUT}})
    level, text, _ = worst(dmarc("a.example", [], zones))
    assert (level, "no answer about _dmarc.a.example" in text) == (Level.WARN, True)


POINTER = "4.4.8.8.in-addr.arpa"

HOSTS: dict[str, tuple[Zone, Level, str]] = {
    "good": (
        {POINTER: {"PTR": ["mx.a.example"]}, "mx.a.example": {"A": [OURS]}},
        Level.OK,
        "8.8.4.4 is mx.a.example, and mx.a.example is 8.8.4.4",
    ),
    "no PTR": ({"mx.a.example": {"A": [OURS]}}, Level.FAIL, "8.8.4.4 has no PTR record"),
    "another name": (
        {POINTER: {"PTR": ["x.b.example"]}, "mx.a.example": {"A": [OURS]}},
        Level.FAIL,
        "the PTR record of 8.8.4.4 says x.b.example, which does not have that address",
    ),
    "a name of another": (
        {POINTER: {"PTR": ["x.b.example"]}, "x.b.example": {"A": [OURS]}},
        Level.WARN,
        "the HELO name mx.a.example does not have the address 8.8.4.4",
    ),
    "silence": (
        {POINTER: {"PTR": DnsStatus.SERVFAIL}, "mx.a.example": {"A": [OURS]}},
        Level.WARN,
        "the DNS does not answer about the PTR record of 8.8.4.4",
    ),
    "silence about the PTR record's name": (
        {
            POINTER: {"PTR": ["x.b.example"]},
            "x.b.example": {"A": DnsStatus.TIMEOUT},
            "mx.a.example": {"A": [OURS]},
        },
        Level.WARN,
        "the DNS does not answer about the address of x.b.example",
    ),
    "silence about the name": (
        {
            POINTER: {"PTR": ["x.b.example"]},
            "x.b.example": {"A": [OURS]},
            "mx.a.example": {"A": DnsStatus.TIMEOUT},
        },
        Level.WARN,
        "the DNS does not answer about the address of mx.a.example",
    ),
}


@pytest.mark.parametrize(("zone", "level", "expected"), HOSTS.values(), ids=HOSTS)
def test_the_host(zone: Zone, level: Level, expected: str) -> None:
    found = worst(outgoing(host(), Zones(zone)))
    assert (found[0], expected in found[1]) == (level, True), found


def test_a_host_of_which_nothing_is_known() -> None:
    found = told(outgoing(OutgoingHost("", ()), Zones({})))
    assert [one[0] for one in found] == [Level.WARN, Level.WARN]
    assert "doctor.addresses" in found[1][2]
    (inside,) = told(outgoing(host("10.0.0.1"), Zones({})))
    assert "is not a public address" in inside[1]
