"""SPF: which result, for whom, and why."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from filterd.auth.spf import check_spf
from filterd.message.authentication import AuthResult, SpfCheck, SpfIdentity
from filterd.resolver.answer import MX, DnsStatus, Record, RecordType
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
        assert found.reason == "no domain that the DNS could hold"


def record(text: str) -> dict[str, Sequence[Record] | DnsStatus]:
    return {"TXT": [f"v=spf1 {text}".encode()]}


def checked(
    zone: Zone, sender: str = "ann@a.example", helo: str = "mx.h.example", client: str = "192.0.2.1"
) -> tuple[SpfCheck, SpfCheck, Asked]:
    asked = Asked(zone)
    return *check_spf(asked, ip_address(client), helo, sender, host="here.example"), asked


class Asked(Zones):
    """Keeps what was started before it was asked for."""

    def __init__(self, zone: Zone) -> None:
        super().__init__(zone)
        self.early: list[str] = []

    def start(self, name: str, kind: RecordType) -> None:
        if (name, kind) not in self.asked:
            self.early.append(f"{name} {kind}")


class TestAskingEarly:
    """Answers are waited for one by one; so what will be needed is asked for before."""

    def test_both_records(self) -> None:
        *_, asked = checked({})
        assert asked.early == ["a.example TXT", "mx.h.example TXT"]

    @pytest.mark.parametrize(
        ("terms", "early"),
        [
            ("include:b.example a:c.example mx -all", "b.example TXT, c.example A, a.example MX"),
            ("ip4:203.0.113.1 a -all mx", "a.example A"),
            ("ip4:192.0.2.0/24 a mx", ""),
            ("exists:b.example ptr ?ip6:::/0 mx:c.example", "c.example MX"),
            ("a:%{d}.example mx:%{i}.example mx:c.example ?all", "c.example MX"),
            (
                " ".join(f"a:h{n}.example" for n in range(12)),
                ", ".join(f"h{n}.example A" for n in range(10)),
            ),
        ],
    )
    def test_the_terms_before_one_that_surely_matches(self, terms: str, early: str) -> None:
        *_, asked = checked({"a.example": record(terms)})
        assert ", ".join(asked.early[2:]) == early

    def test_what_is_left_of_ten(self) -> None:
        zone: Zone = {
            "a.example": record("include:b.example include:c.example " + "a:d.example " * 5),
            "b.example": record("ip4:203.0.113.1"),
            "c.example": record(" ".join(f"a:h{n}.example" for n in range(12))),
        }
        *_, asked = checked(zone)
        assert [one for one in asked.early if one.startswith("h")] == [
            f"h{n}.example A" for n in range(8)
        ]

    def test_exchangers_and_names_of_the_client(self) -> None:
        zone: Zone = {
            "a.example": record("mx ptr -all")
            | {"MX": [MX(1, "b.example"), MX(2, "c.example"), MX(3, "")]},
            "1.2.0.192.in-addr.arpa": {"PTR": ["d.a.example", "e.a.example"]},
            "b.example": {"A": ["203.0.113.1"]},
        }
        *_, asked = checked(zone)
        assert asked.early[3:] == [f"{n} A" for n in ("b.example", "c.example")] + [
            f"{n}.a.example A" for n in "de"
        ]
        assert ("", RecordType.A) not in asked.asked


class TestMacros:
    @pytest.mark.parametrize(
        ("helo", "shown"),
        [("[192.0.2.1]", "[192.0.2.1]"), ("Müller.EXAMPLE.", "xn--mller-kva.example"), ("", "")],
    )
    def test_helo_is_in_a_labels_or_as_the_client_said_it(self, helo: str, shown: str) -> None:
        zone: Zone = {
            "a.example": record("-all exp=e.example"),
            "e.example": {"TXT": [b"<%{h}> %{r}"]},
        }
        assert checked(zone, helo=helo)[0].explanation == f"<{shown}> here.example"

    def test_a_check_of_helo_is_about_its_postmaster(self) -> None:
        zone: Zone = {
            "mx.h.example": record("-all exp=e.example"),
            "e.example": {"TXT": [b"%{s} %{l}"]},
        }
        assert checked(zone)[1].explanation == "postmaster@mx.h.example postmaster"

    @pytest.mark.parametrize(
        ("names", "shown"),
        [
            ("x.example b.a.example a.example", "a.example"),
            ("x.example b.a.example nota.example", "b.a.example"),
            ("x.example y.example", "x.example"),
            ("x.example z.a.example", "z.a.example"),
            ("nowhere.a.example y.example", "y.example"),
            ("nowhere.a.example", "unknown"),
            ("", "unknown"),
        ],
    )
    def test_the_name_of_the_client_is_one_of_the_domain_if_it_can(
        self, names: str, shown: str
    ) -> None:
        zone: dict[str, dict[str, Sequence[Record] | DnsStatus]] = {
            name: {"A": ["192.0.2.1"]} for name in names.split() if "nowhere" not in name
        }
        zone["a.example"] = {**zone.get("a.example", {}), **record("-all exp=e.example")}
        zone["e.example"] = {"TXT": [b"%{p}"]}
        zone["1.2.0.192.in-addr.arpa"] = {"PTR": names.split()}
        assert checked(zone)[0].explanation == shown

    def test_the_domain_is_that_of_the_record_that_is_evaluated(self) -> None:
        zone: Zone = {
            "a.example": record("include:b.example exists:%{d}.c.example -all"),
            "b.example": record("exists:%{d}.c.example"),
            "a.example.c.example": {"A": ["127.0.0.2"]},
        }
        found, *_ = checked(zone)
        assert (found.result, found.mechanism) == (AuthResult.PASS, "exists:%{d}.c.example")


class TestTargets:
    def test_a_name_that_only_ends_alike_is_not_below_the_domain(self) -> None:
        zone: Zone = {
            "bank.example": record("ptr -all"),
            "evilbank.example": {"A": ["192.0.2.1"]},
            "1.2.0.192.in-addr.arpa": {"PTR": ["evilbank.example"]},
        }
        assert checked(zone, "ann@bank.example")[0].result is AuthResult.FAIL

    def test_a_name_of_one_label_has_no_record(self) -> None:
        zone: Zone = {"a.example": record("include:%{h} ?all"), "host": record("+all")}
        found, *_ = checked(zone, helo="host")
        assert found.reason == "host is included and has no SPF record"

    def test_a_redirect_that_cannot_be_followed_is_a_permerror(self) -> None:
        zone: Zone = {"a.example": record("redirect=%{l}.example")}
        found, *_ = checked(zone, "jürgen@a.example")
        assert found.reason == "redirect= goes to a domain without SPF record"

    def test_an_explanation_is_asked_for_after_a_fail_only(self) -> None:
        zone: Zone = {"a.example": record("~all exp=e.example"), "e.example": {"TXT": [b"no"]}}
        found, _, asked = checked(zone)
        assert (found.explanation, len(asked.asked)) == ("", 2)


class TestFoundNothing:
    def test_a_client_without_name(self) -> None:
        assert checked({"a.example": record("ptr -all")})[0].void == 1

    @pytest.mark.parametrize(("without", "void"), [("bc", 1), ("b", 0), ("c", 0), ("", 0)])
    def test_exchangers_without_address(self, without: str, void: int) -> None:
        zone: dict[str, dict[str, Sequence[Record] | DnsStatus]] = {
            f"{name}.example": {"A": ["203.0.113.1"]} for name in "bc" if name not in without
        }
        zone["a.example"] = record("mx -all") | {"MX": [MX(1, "b.example"), MX(2, "c.example")]}
        found, *_ = checked(zone)
        assert (found.result, found.void) == (AuthResult.FAIL, void)


@pytest.mark.parametrize(
    "sender",
    [
        "<ann@a.example>",
        " <ann@a.example> ",
        "@relay.example,@b.example:ann@a.example",
        "<@relay.example:ann@a.example>",
        "ann@A.Example.",
        '"@b.example"@a.example',
        "@a.example",
    ],
)
def test_a_sender_in_any_spelling(sender: str) -> None:
    assert checked({"a.example": record("+all")}, sender)[0].result is AuthResult.PASS


@pytest.mark.parametrize("sender", ["", "<>", " <> "])
def test_no_sender_in_any_spelling(sender: str) -> None:
    found, about_helo, _ = checked({"mx.h.example": record("+all")}, sender)
    assert (found.domain, found.identity) == ("mx.h.example", SpfIdentity.MAIL_FROM)
    assert about_helo.result is AuthResult.PASS


@pytest.mark.parametrize("sender", ["<ann@a.example", "ann@a.example>", "@relay.example"])
def test_half_a_sender(sender: str) -> None:
    found, *_ = checked({"a.example": record("+all")}, sender)
    assert found.result is AuthResult.NONE or sender.startswith("<")


def test_the_longest_names() -> None:
    domain = "a" * 63 + "." + "b" * 63 + "." + "c" * 63 + "." + "d" * 61
    assert checked({domain: record("+all")}, f"ann@{domain}")[0].result is AuthResult.PASS
    assert checked({}, f"ann@{domain}d")[0].domain == ""
