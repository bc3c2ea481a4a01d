"""SPF against records, senders and name servers that mean harm: an answer, bounded, and no
exception."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.auth.spf import check_spf
from filterd.auth.spf.evaluation import MX_LIMIT, PTR_LIMIT, TERMS_LIMIT
from filterd.auth.spf.macros import EXPLANATION_LIMIT
from filterd.auth.spf.record import RECORD_LIMIT, is_record, parse_record
from filterd.message.authentication import AuthResult, SpfCheck
from filterd.resolver.answer import MX, DnsAnswer, DnsStatus, Record, RecordType
from filterd.resolver.names import pointer_name
from tests.helpers.growth import is_linear
from tests.helpers.zones import Zone, Zones

pytestmark = pytest.mark.slow

V4, V6 = "192.0.2.1", "2001:db8::1"

QUESTIONS_LIMIT = 1 + TERMS_LIMIT * (1 + MX_LIMIT) + 1 + PTR_LIMIT + 1
"""Of one identity: its record, ten terms, the name of the client, the explanation."""


def spf(text: str | bytes) -> dict[str, Sequence[Record] | DnsStatus]:
    terms = text if isinstance(text, bytes) else text.encode()
    return {"TXT": [b"v=spf1 " + terms]}


def checked(
    zone: Zone, *, client: str = V4, sender: str = "ann@a.example", helo: str = "mx"
) -> tuple[SpfCheck, Zones]:
    zones = Zones(zone)
    found, _ = check_spf(zones, ip_address(client), helo, sender, host="here.example")
    # Both identities; what is asked twice is one question of a message.
    assert len(set(zones.asked)) <= 2 * QUESTIONS_LIMIT
    for text in (found.mechanism, found.explanation, found.reason, found.domain):
        assert text.isascii()
        assert text.isprintable()
        assert len(text) <= 1000
    return found, zones


def names(count: int) -> list[str]:
    return [f"h{number}.a.example" for number in range(count)]


class TestExpansion:
    def test_mx_of_a_thousand_is_a_permerror_and_none_of_them_is_asked_for(self) -> None:
        exchanges = [MX(10, name) for name in names(1000)]
        found, zones = checked({"a.example": {**spf("mx -all"), "MX": exchanges}})
        assert found.result is AuthResult.PERMERROR
        assert len(zones.asked) == 2

    @pytest.mark.parametrize(("position", "result"), [(PTR_LIMIT - 1, "pass"), (PTR_LIMIT, "fail")])
    def test_of_a_thousand_names_of_the_client_ten_count(self, position: int, result: str) -> None:
        zone: Zone = {
            "a.example": spf("ptr -all"),
            pointer_name(V4): {"PTR": names(1000)},
            f"h{position}.a.example": {"A": [V4]},
        }
        found, zones = checked(zone)
        assert found.result == result
        assert len(zones.asked) == 2 + PTR_LIMIT

    def test_a_client_s_names_that_lead_nowhere_make_no_error_of_the_sender_s_record(self) -> None:
        zone: Zone = {"a.example": spf("ptr -all"), pointer_name(V4): {"PTR": names(9)}}
        found, _ = checked(zone)
        assert (found.result, found.void) == (AuthResult.FAIL, 0)

    def test_a_name_with_four_thousand_addresses(self) -> None:
        addresses = [f"203.0.{number // 256}.{number % 256}" for number in range(4000)]
        found, _ = checked({"a.example": {**spf("a/31 -all"), "A": addresses}})
        assert found.result is AuthResult.FAIL

    def test_ten_terms_of_ten_exchangers_are_what_the_rfc_allows(self) -> None:
        zone: dict[str, dict[str, Sequence[Record] | DnsStatus]] = {
            "a.example": spf(" ".join(f"mx:m{n}.example" for n in range(10)) + " -all")
        }
        for term in range(10):
            zone[f"m{term}.example"] = {"MX": [MX(1, f"h{n}.m{term}.example") for n in range(10)]}
            for number in range(10):
                zone[f"h{number}.m{term}.example"] = {"A": ["203.0.113.9"]}
        found, zones = checked(zone)
        assert (found.result, found.lookups) == (AuthResult.FAIL, 10)
        assert len(zones.asked) == 1 + 10 * 11


NESTS = {
    "itself": {"a.example": spf("include:a.example -all")},
    "each other": {
        "a.example": spf("include:b.example -all"),
        "b.example": spf("include:a.example -all"),
    },
    "by a macro": {"a.example": spf("include:%{d} -all")},
    "redirect to itself": {"a.example": spf("redirect=a.example")},
    "redirect in a circle": {
        "a.example": spf("redirect=b.example"),
        "b.example": spf("include:c.example redirect=a.example"),
        "c.example": spf("?all"),
    },
    "wide": {
        "a.example": spf("include:b.example " * 10),
        "b.example": spf("include:c.example " * 10),
        "c.example": spf("include:b.example " * 10),
    },
    "deep": {f"n{n}.example": spf(f"include:n{n + 1}.example -all") for n in range(2000)}
    | {"a.example": spf("include:n0.example -all")},
    "many terms": {"a.example": spf("exists:b.example " * 500), "b.example": {"A": []}},
}


@pytest.mark.parametrize("zone", NESTS.values(), ids=NESTS)
def test_nests_and_circles_are_a_permerror(zone: Zone) -> None:
    found, zones = checked(zone)
    assert found.result is AuthResult.PERMERROR
    assert found.lookups <= TERMS_LIMIT + 1
    assert len(zones.asked) <= TERMS_LIMIT + 1


MACRO_BOMBS = {
    "in a name": "exists:" + "%{s}" * 1500 + " -all",
    "parts of a name": "exists:" + "%{s1r.-+,/_=}" * 600 + " -all",
    "in a modifier": "x=" + "%{l}" * 1500 + " -all",
    "digits": "a:%{d" + "9" * 8000 + "} -all",
    "zeros": "a:%{d" + "0" * 8000 + "1} -all",
    "prefix": "a/" + "1" * 8000 + " -all",
    "braces": "a:" + "%{" * 4000 + " -all",
    "percents": "a:" + "%%" * 4000 + " -all",
    "slashes": "a:" + "/" * 8000 + " -all",
    "dots": "a:" + "a." * 4000 + "com -all",
    "dashes": "a:a.a" + "-" * 8000 + " -all",
    "terms": "?ip4:203.0.113.1 " * 480 + "-all",
    "blanks": " " * 8000 + "-all",
    "an address": "ip6:" + "1:" * 4000 + " -all",
    "a name of letters": "a" * 8000,
}


@pytest.mark.parametrize("terms", MACRO_BOMBS.values(), ids=MACRO_BOMBS)
def test_a_large_record_costs_what_it_is_large(terms: str) -> None:
    sender = "a.b-c+d" * 5000 + "@a.example"

    def made(size: int) -> Zone:
        # Between the limit and a quarter of it; what stands behind the cut is an error at most.
        return {"a.example": {"TXT": [(b"v=spf1 " + terms.encode())[:size]]}}

    for size in (RECORD_LIMIT // 4, RECORD_LIMIT):
        found, _ = checked(made(size), sender=sender)
        assert found.result in (AuthResult.FAIL, AuthResult.PERMERROR, AuthResult.NEUTRAL)
    assert is_linear(lambda zone: checked(zone, sender=sender), made, RECORD_LIMIT // 4)


def test_a_record_of_64_kilobytes_is_a_permerror() -> None:
    found, _ = checked({"a.example": spf(b"ip4:192.0.2.1 " * 4600)})
    assert found.result is AuthResult.PERMERROR
    assert found.reason == f"a.example: a record of 64407 octets, expected at most {RECORD_LIMIT}"


class TestText:
    """What others write is printable ASCII before it stands in a field or a log."""

    @pytest.mark.parametrize(
        "record",
        [
            b"a:x\r\nX-Spam: no -all",
            b"\r\n-all",
            b"a:\xff\xfe.example -all",
            b"moo\x00",
            b"a:b.example\x1b[31m",
            b"v=spf1\tall",
        ],
    )
    def test_a_record_with_control_characters_is_a_permerror(self, record: bytes) -> None:
        assert checked({"a.example": spf(record)})[0].result is AuthResult.PERMERROR

    @pytest.mark.parametrize(
        "sender",
        [
            "ann\r\nX: y@a.example",
            "ü@a.example",
            "\udcff@a.example",
            '"a b"@a.example',
            "\x00@a.example",
            "%{d}@a.example",
        ],
    )
    def test_an_explanation_holds_no_control_characters_of_the_sender(self, sender: str) -> None:
        zone: Zone = {
            "a.example": spf("-all exp=why.a.example"),
            "why.a.example": {"TXT": [b"%{s} %{l} %{S}"]},
        }
        found, _ = checked(zone, sender=sender)
        assert found.explanation.count("a.example") == 2

    @pytest.mark.parametrize("text", [b"a\r\nb", b"\xc3\xbc", b"", b"x" * 2001, b"%{x}", b"%"])
    def test_an_explanation_that_cannot_be_used_is_none(self, text: bytes) -> None:
        zone: Zone = {"a.example": spf("-all exp=e.example"), "e.example": {"TXT": [text]}}
        found, _ = checked(zone)
        assert (found.result, found.explanation) == (AuthResult.FAIL, "")

    @pytest.mark.parametrize(("size", "explained"), [(2000, True), (2001, False)])
    def test_a_published_explanation_is_bounded(self, size: int, *, explained: bool) -> None:
        zone: Zone = {"a.example": spf("-all exp=e.example"), "e.example": {"TXT": [b"x" * size]}}
        assert bool(checked(zone)[0].explanation) == explained

    def test_an_explanation_is_bounded(self) -> None:
        zone: Zone = {
            "a.example": spf("-all exp=e.example"),
            "e.example": {"TXT": [b"%{s}" * 400]},
        }
        found, _ = checked(zone, sender="a" * 5000 + "@a.example")
        assert len(found.explanation) == EXPLANATION_LIMIT

    @pytest.mark.parametrize(
        "domain",
        [
            "a.example\r\nX: y",
            "a .example",
            "a\x00.example",
            "a.example>",
            "a..example",
            ".example",
            "a" * 64 + ".example",
            "a." * 200 + "example",
            "a.example..",
            "%{d}",
        ],
    )
    def test_what_is_no_domain_is_not_asked_for(self, domain: str) -> None:
        found, zones = checked({}, sender=f"ann@{domain}")
        assert (found.result, found.domain, zones.asked) == (AuthResult.NONE, "", [])


class TestFailures:
    """A name server that does not answer is never the same as "no"."""

    @pytest.mark.parametrize(
        "zone",
        [
            {"a.example": {"TXT": DnsStatus.SERVFAIL}},
            {"a.example": spf("a:b.example -all"), "b.example": {"A": DnsStatus.TIMEOUT}},
            {"a.example": spf("mx -all") | {"MX": DnsStatus.REFUSED}},
            {
                "a.example": spf("mx -all") | {"MX": [MX(1, "b.example")]},
                "b.example": {"A": DnsStatus.LIMIT},
            },
            {"a.example": spf("exists:b.example -all"), "b.example": {"A": DnsStatus.MALFORMED}},
            {"a.example": spf("include:b.example -all"), "b.example": {"TXT": DnsStatus.TIMEOUT}},
            {"a.example": spf("redirect=b.example"), "b.example": {"TXT": DnsStatus.UNREACHABLE}},
        ],
    )
    def test_it_is_a_temperror(self, zone: Zone) -> None:
        assert checked(zone)[0].result is AuthResult.TEMPERROR

    def test_the_names_of_the_client_are_not_the_sender_s_fault(self) -> None:
        # RFC 7208 §5.5: such a mechanism does not match.
        zone: Zone = {"a.example": spf("ptr -all"), pointer_name(V4): {"PTR": DnsStatus.SERVFAIL}}
        assert checked(zone)[0].result is AuthResult.FAIL

    def test_what_matches_before_it_counts(self) -> None:
        zone: Zone = {
            "a.example": spf("ip4:192.0.2.1 a:b.example -all"),
            "b.example": {"A": DnsStatus.TIMEOUT},
        }
        assert checked(zone)[0].result is AuthResult.PASS


class Tired(Zones):
    """Answers so many questions, and no more: the time or the number of a message is used up."""

    def __init__(self, zone: Zone, strength: int) -> None:
        super().__init__(zone)
        self.strength = strength

    def answer(self, name: str, kind: RecordType) -> DnsAnswer:
        found = super().answer(name, kind)
        return found if len(self.asked) <= self.strength else DnsAnswer(DnsStatus.LIMIT)


def test_a_client_s_own_helo_uses_up_nothing_of_the_sender_s_check() -> None:
    # Else a client could turn the fail of a forged sender into a temperror, and DMARC's with it.
    zone: dict[str, dict[str, Sequence[Record] | DnsStatus]] = {
        "bank.example": spf("include:mailer.example -all"),
        "mailer.example": spf("ip4:203.0.113.0/24 ?all"),
        "evil.example": spf(" ".join(f"mx:m{n}.example" for n in range(10)) + " -all"),
    }
    for term in range(10):
        zone[f"m{term}.example"] = {"MX": [MX(1, f"h{n}.m{term}.example") for n in range(10)]}
    found, about_helo = check_spf(
        Tired(zone, 5), ip_address(V4), "evil.example", "ceo@bank.example", host="here.example"
    )
    assert found.result is AuthResult.FAIL
    assert about_helo.result is AuthResult.TEMPERROR


class TestVoid:
    def test_two_terms_may_find_nothing_and_a_third_may_not(self) -> None:
        terms = "a:x.example exists:y.example {} ip4:192.0.2.1 -all"
        found, _ = checked({"a.example": spf(terms.format(""))})
        assert (found.result, found.void) == (AuthResult.PASS, 2)
        found, _ = checked({"a.example": spf(terms.format("mx:z.example"))})
        assert (found.result, found.void) == (AuthResult.PERMERROR, 3)

    def test_exchangers_without_ipv6_are_one_term_that_finds_nothing(self) -> None:
        zone: dict[str, dict[str, Sequence[Record] | DnsStatus]] = {
            "a.example": spf("mx ip6:2001:db8::/32 -all")
            | {"MX": [MX(1, name) for name in names(5)]}
        }
        zone |= {name: {"A": ["203.0.113.1"]} for name in names(5)}
        found, _ = checked(zone, client=V6)
        assert (found.result, found.void) == (AuthResult.PASS, 1)


def test_a_local_part_that_is_not_ascii_matches_no_macro_of_it() -> None:
    # RFC 8616 §4.
    zone: Zone = {
        "a.example": spf("exists:%{l}.b.example ?all"),
        "jürgen.b.example": {"A": ["127.0.0.2"]},
    }
    found, zones = checked(zone, sender="jürgen@a.example")
    assert (found.result, len(zones.asked)) == (AuthResult.NEUTRAL, 1)


def test_a_long_name_loses_its_left_labels() -> None:
    local = ".".join(f"l{number}" for number in range(100))
    zone: Zone = {"a.example": spf("exists:%{l}.b.example -all")}
    found, zones = checked(zone, sender=f"{local}@a.example")
    assert found.result is AuthResult.FAIL
    name, _ = zones.asked[-1]
    assert f"{local}.b.example".endswith("." + name)
    assert 253 - 4 <= len(name) <= 253


WORDS = st.sampled_from(
    [
        *(
            "all",
            "include:",
            "a",
            "mx",
            "ptr",
            "ip4:",
            "ip6:",
            "exists:",
            "redirect=",
            "exp=",
            "x=",
        ),
        *(" ", " ", ":", "/", "//", "/24", "/0", "-", "~", "?", "+", ".", "..", "1", "v=spf1"),
        *(
            "%",
            "%{",
            "}",
            "{d}",
            "%{d}",
            "%{s}",
            "%{p}",
            "%{i}",
            "%{l1r-}",
            "%{h}",
            "%{d2}",
            "%{c}",
        ),
        *("x=", "%{c}", V4, V6, "a.example", "b.example", "\r\n", "\t", "ü", "\x00"),
    ]
)
RECORDS = st.lists(WORDS, max_size=12).map(lambda words: ("v=spf1 " + "".join(words)).encode())
STATUS = st.sampled_from(list(DnsStatus))
NAMES = st.sampled_from(["a.example", "b.example", "", "x" * 70, "a..b", "a b", "ü.example"])
ZONES = st.dictionaries(
    st.sampled_from(["a.example", "b.example", pointer_name(V4), pointer_name(V6)]),
    st.fixed_dictionaries(
        {},
        optional={
            "TXT": st.lists(RECORDS | st.binary(max_size=40), max_size=2) | STATUS,
            "A": st.lists(st.sampled_from([V4, "203.0.113.1"]), max_size=3) | STATUS,
            "AAAA": st.lists(st.sampled_from([V6, "::1"]), max_size=3) | STATUS,
            "MX": st.lists(st.builds(MX, st.just(1), NAMES), max_size=12) | STATUS,
            "PTR": st.lists(NAMES, max_size=12) | STATUS,
        },
    ),
)
ANYTHING = st.text(max_size=30) | st.sampled_from(
    ["a@a.example", "<>", "@", "[192.0.2.1]", "a.example"]
)


@given(ZONES, st.sampled_from([V4, V6, "::ffff:192.0.2.1", "fe80::1%eth0"]), ANYTHING, ANYTHING)
def test_whatever_is_published_there_is_a_bounded_answer(
    zone: Zone, client: str, helo: str, sender: str
) -> None:
    found, _ = checked(zone, client=client, helo=helo, sender=sender)
    assert found.result in set(AuthResult) - {AuthResult.POLICY}


@given(RECORDS)
def test_a_record_is_read_or_refused(text: bytes) -> None:
    assert is_record(text)
    try:
        parse_record(text)
    except ValueError as error:
        assert str(error).isascii()
