"""DNS lists as rules ask them: what is asked, and what the answers mean."""

from __future__ import annotations

import pytest

from filterd.message.envelope import Client, Envelope
from filterd.message.message import Message
from filterd.resolver.answer import Record, RecordType
from filterd.rules.conf.rule import EvalTest, Option, Origin, Rule, RuleKind
from filterd.rules.evals import dns_eval, uridnsbl
from filterd.rules.evals.dns_questions import begin, is_meant
from filterd.rules.view.view import View
from tests.unit.rules.dns_zone import Zone

TESTS = dns_eval.PLUGIN.tests | uridnsbl.PLUGIN.tests
HERE = Origin("local.cf", 1)


MESSAGE = (
    "Received: from x.example (y.example [192.0.2.7]) by mx.example (Postfix) with SMTP id 123\n"
    "Received: from z.example (z.example [192.0.2.8]) by x.example (Postfix) with SMTP id 124\n"
    "Received: from q.example (q.example [10.0.0.1]) by z.example (Postfix) with SMTP id 125\n"
    "From: ann@sender.com\nSubject: x\n\nhttp://www.bad.com/ http://192.0.2.99/\n"
)


def rule(name: str, function: str, *arguments: str, **flags: str) -> Rule:
    return Rule(name, EvalTest(RuleKind.HEADER, function, arguments), HERE, flags=flags)


def asked(zone: Zone, *rules: Rule, **lines: str) -> View:
    options = {name: (Option(name, value, HERE),) for name, value in lines.items()}
    envelope = Envelope(sender="ann@sender.com")
    view = View(
        Message(MESSAGE.replace("\n", "\r\n").encode(), envelope),
        {"util_rb_tld": (Option("util_rb_tld", "com", HERE),)} | options,
    )
    begin(view, rules, zone)
    return view


def hits(view: View, one: Rule) -> bool:
    assert isinstance(one.test, EvalTest)
    return bool(TESTS[one.test.function](view, *one.test.arguments))


# The name of a set, and the addresses that it is asked about.
SETS = {
    "zen": ["8.2.0.192", "7.2.0.192"],
    "zen-lastexternal": ["7.2.0.192"],
    "zen-notfirsthop": ["7.2.0.192"],
    "zen-firsttrusted": ["7.2.0.192"],
    "zen-untrusted": ["8.2.0.192"],
}


@pytest.mark.parametrize(("name", "addresses"), SETS.items())
def test_which_relays_are_asked_about(name: str, addresses: list[str]) -> None:
    zone = Zone({})
    asked(zone, rule("A", "check_rbl", name, "list.example."))
    assert zone.started == {(f"{one}.list.example", RecordType.A) for one in addresses}


def test_a_relay_in_a_list() -> None:
    any_code = rule("ANY", "check_rbl", "zen", "list.example.")
    one_code = rule("ONE", "check_rbl_sub", "zen", "127.0.0.4")
    bits = rule("BITS", "check_rbl_sub", "zen", "4")
    other = rule("OTHER", "check_rbl_sub", "zen", "^127\\.0\\.0\\.[23]$")
    zone = Zone({"7.2.0.192.list.example A": "127.0.0.4"})
    view = asked(zone, any_code, one_code, bits, other)
    assert [hits(view, one) for one in (any_code, one_code, bits, other)] == [True] * 3 + [False]
    assert zone.late == set()


def test_the_text_of_a_list() -> None:
    one = rule("TXT", "check_rbl_txt", "cop", "bl.example", "(?i:spam)")
    view = asked(Zone({"7.2.0.192.bl.example TXT": b"this is Spam"}), one)
    assert hits(view, one)


def test_without_questions_nothing_is_listed() -> None:
    view = View(Message(MESSAGE.encode()))
    assert not hits(view, rule("A", "check_rbl", "zen", "list.example"))
    assert not hits(view, rule("B", "check_dns_sender"))
    assert not hits(view, rule("C", "check_uridnsbl", "C"))


def test_lists_that_the_options_forbid() -> None:
    zone = Zone({"7.2.0.192.list.example A": "127.0.0.4"})
    one = rule("A", "check_rbl", "zen", "list.example")
    assert not hits(asked(zone, one, skip_rbl_checks="1"), one)
    assert zone.started == set()


def test_an_answer_that_is_not_of_a_list() -> None:
    one = rule("A", "check_rbl", "zen", "list.example")
    view = asked(Zone({"7.2.0.192.list.example A": "198.51.100.1"}), one)
    assert not hits(view, one)
    assert not is_meant("198.51.100.1", None, RecordType.A)


def test_domains_of_senders() -> None:
    one = rule("A", "check_rbl_from_host", "dbl", "dbl.example")
    sender = rule("B", "check_rbl_envfrom", "dbl", "dbl.example", "127.0.1.2")
    view = asked(Zone({"sender.com.dbl.example A": "127.0.1.2"}), one, sender)
    assert hits(view, one)
    assert hits(view, sender)


def test_a_sender_that_does_not_exist() -> None:
    one = rule("A", "check_dns_sender")
    assert hits(asked(Zone({}), one), one)
    assert not hits(asked(Zone({"sender.com A": "192.0.2.1"}), one), one)


def test_a_link_in_a_list_of_domains() -> None:
    one = rule("URIBL", "check_uridnsbl", "URIBL")
    line = {"urirhssub": "URIBL dbl.example. A 127.0.1.2"}
    zone = Zone({"bad.com.dbl.example A": "127.0.1.2"})
    assert hits(asked(zone, one, **line), one)
    assert zone.late == set()
    assert not hits(asked(zone, one, **line, uridnsbl_skip_domain="bad.com"), one)
    assert not hits(asked(Zone({"bad.com.dbl.example A": "127.0.1.4"}), one, **line), one)
    whole = rule("URIBL", "check_uridnsbl", "URIBL", notrim="")
    assert not hits(asked(zone, whole, **line), whole)


def test_a_link_whose_name_server_is_in_a_list() -> None:
    line = {"uridnssub": "SBL zen.example. A 127.0.0.2"}
    records: dict[str, Record] = {
        "bad.com NS": "ns.bad.com",
        "ns.bad.com A": "198.51.100.1",
        "1.100.51.198.zen.example A": "127.0.0.2",
    }
    by_server = rule("SBL", "check_uridnsbl", "SBL")
    assert hits(asked(Zone(records), by_server, **line), by_server)
    by_address = rule("SBL", "check_uridnsbl", "SBL", a="")
    assert not hits(asked(Zone(records), by_address, **line), by_address)
    itself: dict[str, Record] = {"www.bad.com A": "198.51.100.1"} | records
    assert hits(asked(Zone(itself), by_address, **line), by_address)


def test_the_address_in_a_link_is_not_one_of_a_name_server() -> None:
    one = rule("SBL", "check_uridnsbl", "SBL")
    zone = Zone({"99.2.0.192.zen.example A": "127.0.0.2"})
    assert not hits(asked(zone, one, uridnssub="SBL zen.example. A 127.0.0.2"), one)
    assert hits(asked(zone, one, urirhssub="SBL zen.example. A 127.0.0.2"), one)


# An option, what its list is asked about, and whether that is listed.
BY_SERVERS_NAME = {
    "urinsrhssub": "crime.com.dbl.example",
    "urifullnsrhssub": "ns7.crime.com.dbl.example",
}


@pytest.mark.parametrize("option", BY_SERVERS_NAME)
def test_a_link_whose_name_servers_name_is_in_a_list(option: str) -> None:
    records: dict[str, Record] = {"bad.com NS": "ns7.crime.com"}
    one = rule("NS", "check_uridnsbl", "NS")
    line = {option: "NS dbl.example. A 127.0.1.2"}
    zone = Zone(records | {f"{BY_SERVERS_NAME[option]} A": "127.0.1.2"})
    view = asked(zone, one, **line)
    assert ("bad.com", RecordType.NS) in zone.started
    assert hits(view, one)
    assert zone.late == set()
    other = next(name for key, name in BY_SERVERS_NAME.items() if key != option)
    assert not hits(asked(Zone(records | {f"{other} A": "127.0.1.2"}), one, **line), one)


ANSWERS = {
    "127.0.1.2": "127.0.1.2",
    "8": "127.0.1.12",
    "0x04": "127.0.1.12",
    "127.0.1.2-127.0.1.9": "127.0.1.9",
    "127.0.1.0/255.255.255.0": "127.0.1.200",
}


@pytest.mark.parametrize("wanted", ANSWERS)
def test_numbers_that_a_line_wants(wanted: str) -> None:
    one = rule("URIBL", "check_uridnsbl", "URIBL")
    line = {"urirhssub": f"URIBL dbl.example. A {wanted}"}
    for record, expected in ((ANSWERS[wanted], True), ("127.0.2.1", False), ("198.0.1.12", False)):
        zone = Zone({"bad.com.dbl.example A": record})
        assert hits(asked(zone, one, **line), one) is expected, record


def test_no_client_no_question() -> None:
    zone = Zone({})
    message = Message(b"Subject: x\r\n\r\n", Envelope(client=Client("localhost", "127.0.0.1")))
    begin(View(message), [rule("A", "check_rbl", "zen", "list.example")], zone)
    assert zone.started == set()
