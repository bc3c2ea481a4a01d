"""What the doctor says of MTA-STS and TLSRPT."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from filterd.doctor.findings import Level
from filterd.doctor.senders.https import FetchError, HttpsAnswer
from filterd.doctor.senders.transport import Fetch, transport
from filterd.resolver.answer import MX, DnsStatus
from tests.helpers.zones import Zone, Zones

POLICY = b"version: STSv1\nmode: enforce\nmx: mx.a.example\nmax_age: 1209600\n"

ZONE: Zone = {
    "a.example": {"MX": [MX(1, "mx.a.example")]},
    "_mta-sts.a.example": {"TXT": [b"v=STSv1; id=1"]},
    "mta-sts.a.example": {"A": ["192.0.2.1"]},
    "_smtp._tls.a.example": {"TXT": [b"v=TLSRPTv1; rua=mailto:tls@a.example"]},
}


def serves(content: bytes, status: int = 200, kind: str = "text/plain") -> Fetch:
    def get(host: str, address: str, seconds: float) -> HttpsAnswer:
        assert host == "mta-sts.a.example"
        assert 0 < seconds <= 10
        if address != "192.0.2.1":
            raise FetchError("Connection refused")
        return HttpsAnswer(status, kind, content)

    return get


def told(zone: Zone, get: Fetch) -> list[tuple[Level, str, str]]:
    found = list(transport("a.example", Zones(zone), 10.0, get))
    for one in found:
        assert one.found.isprintable()
        assert (one.level is Level.OK) == (one.advice == "")
    return [(one.level, one.about, one.found) for one in found]


def test_all_is_well() -> None:
    assert told(ZONE, serves(POLICY)) == [
        (
            Level.OK,
            "mta-sts",
            "the policy of a.example asks for TLS to its MX hosts (mode enforce)",
        ),
        (
            Level.OK,
            "tlsrpt",
            "_smtp._tls.a.example: reports on failed TLS go to mailto:tls@a.example",
        ),
    ]


def test_who_has_none_is_told_that_it_is_optional() -> None:
    found = told({"a.example": {"MX": [MX(1, "mx.a.example")]}}, serves(b""))
    assert [(level, about) for level, about, _ in found] == [
        (Level.OK, "mta-sts"),
        (Level.OK, "tlsrpt"),
    ]
    assert "optional" in found[0][2]
    assert "DANE" in found[0][2]


POLICIES: dict[str, tuple[Fetch, Level, str]] = {
    "testing": (serves(POLICY.replace(b"enforce", b"testing")), Level.OK, "mode testing"),
    "retired": (serves(b"version: STSv1\nmode: none\nmax_age: 0"), Level.OK, "mode none"),
    "another host": (
        serves(POLICY.replace(b"mx.a", b"mx.b")),
        Level.FAIL,
        "(mode enforce) does not name mx.a.example, to which its mail goes",
    ),
    "another host, testing": (
        serves(POLICY.replace(b"mx.a", b"mx.b").replace(b"enforce", b"testing")),
        Level.WARN,
        "does not name mx.a.example",
    ),
    "short": (serves(POLICY.replace(b"1209600", b"60")), Level.WARN, "forgotten after 60 s"),
    "not there": (serves(b"", 404), Level.FAIL, "the answer is 404; expected 200"),
    "elsewhere": (serves(b"", 301), Level.FAIL, "301, which is not followed; expected 200"),
    "a page": (serves(POLICY, kind="text/html"), Level.FAIL, "its type is text/html"),
    "nonsense": (serves(b"\x1b[2J"), Level.FAIL, "line 1 is '?[2J'; expected `name: value`"),
}


@pytest.mark.parametrize(("get", "level", "expected"), POLICIES.values(), ids=POLICIES)
def test_the_policy(get: Fetch, level: Level, expected: str) -> None:
    found = [one for one in told(ZONE, get) if one[1] == "mta-sts"]
    assert any(one[0] is level and expected in one[2] for one in found), found


RECORDS: dict[str, tuple[str, Sequence[bytes] | DnsStatus, Level, str]] = {
    "two": ("_mta-sts.a.example", (b"v=STSv1; id=1", b"v=STSv1; id=2"), Level.FAIL, "2 TXT"),
    "no id": ("_mta-sts.a.example", (b"v=STSv1;",), Level.FAIL, "its id is ''"),
    "silence": ("_mta-sts.a.example", DnsStatus.TIMEOUT, Level.WARN, "does not answer"),
    "no reports": ("_smtp._tls.a.example", (), Level.WARN, "nobody tells you"),
    "to nobody": ("_smtp._tls.a.example", (b"v=TLSRPTv1; rua=x",), Level.FAIL, "its rua has 'x'"),
    "silence about reports": ("_smtp._tls.a.example", DnsStatus.SERVFAIL, Level.WARN, "not answer"),
}


@pytest.mark.parametrize(("name", "texts", "level", "expected"), RECORDS.values(), ids=RECORDS)
def test_the_records(
    name: str, texts: Sequence[bytes] | DnsStatus, level: Level, expected: str
) -> None:
    found = told({**ZONE, name: {"TXT": texts}}, serves(POLICY))
    assert any(one[0] is level and expected in one[2] for one in found), found


def test_the_host_of_the_policy() -> None:
    found = told({**ZONE, "mta-sts.a.example": {}}, serves(POLICY))
    assert "mta-sts.a.example has no address" in found[0][2]
    found = told({**ZONE, "mta-sts.a.example": {"A": DnsStatus.TIMEOUT}}, serves(POLICY))
    assert found[0][0] is Level.WARN
    assert "does not answer about the address of mta-sts.a.example: timeout" in found[0][2]
    # The first address that answers counts.
    two = {"A": ["192.0.2.9", "192.0.2.1"], "AAAA": ["2001:db8::1"]}
    assert told({**ZONE, "mta-sts.a.example": two}, serves(POLICY))[0][0] is Level.OK
    none = {"A": ["192.0.2.9"], "AAAA": ["2001:db8::1"]}
    found = told({**ZONE, "mta-sts.a.example": none}, serves(POLICY))
    assert "mta-sts.txt: Connection refused" in found[0][2]
    # Mail that has no MX record goes to the domain itself; the null MX takes none.
    bare = told({**ZONE, "a.example": {"A": ["192.0.2.1"]}}, serves(POLICY))
    assert "does not name a.example" in bare[0][2]
