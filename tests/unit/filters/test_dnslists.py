"""DNS lists: what is asked, what counts, and lists that fail, refuse, or list everything."""

from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
import threading
import time

import pytest

from filterd.chain.stages import Stage
from filterd.chain.verdict import NO_OPINION, Action, Reply, Symbol, Verdict
from filterd.filters.dnslists.filter import LARGE, DnsLists
from filterd.filters.dnslists.health import ListHealth
from filterd.filters.dnslists.settings import DnsList
from filterd.filters.dnslists.subjects import spread
from filterd.message import Recipient
from tests.helpers.clock import Clock
from tests.helpers.dns_lists import details, dns_lists, found, mail, points, session, verdict
from tests.helpers.name_server import Question, Script, name_server, zone

pytestmark = pytest.mark.server

BL = DnsList("bl.example", codes={"127.0.0.2": "RCVD_IN_BL 3"}, ask=("client", "received"))
UNANSWERED = "DNSLISTS_UNANSWERED"


def test_the_client_is_asked_about_in_reverse() -> None:
    with (
        name_server(zone("9.113.0.203.bl.example 60 A 127.0.0.2")) as server,
        dns_lists(server.address, BL) as lists,
    ):
        told = verdict(lists, mail())
        assert points(told) == {"RCVD_IN_BL": 3.0}
        assert details(told) == {"RCVD_IN_BL": "203.0.113.9 (client)"}
        assert found(lists, mail(client="203.0.113.8")) == {}
        assert set(server.asked) == {
            "9.113.0.203.bl.example A",
            "8.113.0.203.bl.example A",
            "1.0.0.127.bl.example A",
        }


@pytest.mark.parametrize(
    ("client", "name"),
    [
        ("::ffff:203.0.113.9", "9.113.0.203.bl.example"),
        (
            "2001:db8::1",
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example",
        ),
    ],
)
def test_ipv6(client: str, name: str) -> None:
    with (
        name_server(zone(f"{name} 60 A 127.0.0.2")) as server,
        dns_lists(server.address, BL) as lists,
    ):
        assert found(lists, mail(client=client)) == {"RCVD_IN_BL": 3.0}


def test_a_list_without_ipv6_is_not_asked_about_it() -> None:
    own = DnsList("bl.example", symbol="BL", ipv6=False)
    with name_server(zone()) as server, dns_lists(server.address, own) as lists:
        assert found(lists, mail(client="2001:db8::1")) == {}
        assert not server.asked


@pytest.mark.parametrize(
    "client",
    "127.0.0.1 10.1.2.3 192.168.1.1 172.16.0.1 100.64.0.1 169.254.1.1 ::1 fe80::1 fd00::1 0.0.0.0 "
    "224.0.0.1 255.255.255.255 none ::ffff:10.1.2.3 [10.1.2.3]".split(),
)
def test_nobody_is_asked_about_addresses_of_a_site(client: str) -> None:
    own = DnsList("bl.example", symbol="BL", ask=("client", "received", "url", "helo"))
    urls = f"http://{client}/ http://10.9.8.7/ http://0x7f000001/ http://[fe80::1]/"
    fields = "Received: from x (x [10.1.1.1]) by y with SMTP; Sun\r\n"
    with name_server(zone()) as server, dns_lists(server.address, own) as lists:
        message = mail(urls, client=client, helo="[10.1.1.2]", fields=fields)
        assert found(lists, message) == {}
        assert not server.asked


@pytest.mark.parametrize("login", ["", "ann"])
def test_clients_that_logged_in(login: str) -> None:
    """They come from anywhere; what they write is looked at all the same."""
    own = DnsList("l.example", symbol="LISTED", points=1, ask=("client", "helo", "sender", "url"))
    with name_server(zone()) as server, dns_lists(server.address, own) as lists:
        found(lists, mail("http://a.test/", helo="b.test", sender="x@c.test", login=login))
        names = {name.removesuffix(".l.example A") for name in server.asked}
    client = set() if login else {"9.113.0.203", "1.0.0.127", "b.test", "c.test"}
    assert names == {"a.test", "invalid"} | client


def test_mail_of_a_trusted_relay_is_that_of_its_client() -> None:
    fields = (
        "Received: from a (a [198.51.100.7]) by relay with ESMTP; Sun\r\n"
        "Received: from b (b [203.0.113.77]) by a with ESMTP; Sun\r\n"
    )
    records = [
        "7.100.51.198.bl.example 60 A 127.0.0.2",
        "77.113.0.203.bl.example 60 A 127.0.0.2",
    ]
    with name_server(zone(*records)) as server:
        with dns_lists(server.address, BL, trusted=["203.0.113.9"]) as lists:
            told = verdict(lists, mail(fields=fields))
            assert points(told) == {"RCVD_IN_BL": 3.0, "RECEIVED_BL": 1.5}
            assert details(told)["RCVD_IN_BL"] == "198.51.100.7 (client)"
            assert "9.113.0.203.bl.example A" not in server.asked
        with dns_lists(server.address, BL) as lists:
            # Who is not trusted may write anything.
            assert found(lists, mail(fields=fields)) == {"RECEIVED_BL": 1.5}


def test_a_forged_field_makes_nothing_better() -> None:
    """Neither an allowed address in a forged field, nor a hundred fields."""
    own = DnsList("wl.example", codes={"127.0.0.2": "RCVD_IN_WL -5 allow"})
    forged = "".join(
        f"Received: from x (x [198.51.100.{n}]) by y with ESMTP; Sun\r\n" for n in range(1, 101)
    )
    records = [
        "1.100.51.198.wl.example 60 A 127.0.0.2",
        "9.113.0.203.bl.example 60 A 127.0.0.2",
    ]
    with (
        name_server(zone(*records)) as server,
        dns_lists(server.address, own, BL, received_limit=3) as lists,
    ):
        assert found(lists, mail(fields=forged)) == {"RCVD_IN_BL": 3.0}
        assert sum(name.endswith("198.bl.example A") for name in server.asked) == 3


def test_an_allowed_client_is_not_held_to_be_listed() -> None:
    own = DnsList("wl.example", codes={"127.0.0.2": "RCVD_IN_WL -1 allow", "127.0.0.3": "LOW"})
    urls = DnsList("ur.example", symbol="URIBL", points=2, ask=("url",))
    records = [
        "9.113.0.203.wl.example 60 A 127.0.0.2",
        "8.113.0.203.wl.example 60 A 127.0.0.3",
        "9.113.0.203.bl.example 60 A 127.0.0.2",
        "8.113.0.203.bl.example 60 A 127.0.0.2",
        "bad.test.ur.example 60 A 127.0.0.2",
    ]
    with (
        name_server(zone(*records)) as server,
        dns_lists(server.address, BL, own, urls) as lists,
    ):
        told = verdict(lists, mail("http://bad.test/"))
        assert points(told) == {"RCVD_IN_WL": -1.0, "RCVD_IN_BL": 0.0, "URIBL": 2.0}
        assert "RCVD_IN_WL outweighs it (+3 points)" in details(told)["RCVD_IN_BL"]
        assert found(lists, mail(client="203.0.113.8")) == {"LOW": 0.0, "RCVD_IN_BL": 3.0}


NAMES = {
    "url": mail("see http://www.bad.test/x"),
    "email": mail("write to ann@mail.bad.test"),
    "helo": mail(helo="smtp.bad.test"),
    "rdns": mail(name="host.bad.test"),
    "sender": mail(sender="ann@bad.test"),
    "dkim": mail(fields="DKIM-Signature: v=1; a=rsa-sha256;\r\n\td=bad.test; s=x; b=AA\r\n"),
}


@pytest.mark.parametrize("about", NAMES)
def test_names(about: str) -> None:
    own = DnsList("ur.example", symbol="URIBL", points=2, ask=(about,))  # type: ignore[arg-type]
    with (
        name_server(zone("bad.test.ur.example 60 A 127.0.0.2")) as server,
        dns_lists(server.address, own) as lists,
    ):
        told = verdict(lists, NAMES[about])
        assert points(told) == {"URIBL": 2.0}
        assert details(told) == {"URIBL": f"bad.test ({about})"}
        assert set(server.asked) == {"bad.test.ur.example A", "invalid.ur.example A"}


def test_whole_names_where_a_list_wants_them() -> None:
    own = DnsList("ur.example", symbol="URIBL", points=2, ask=("url",), whole_names=True)
    with (
        name_server(zone("www.bad.test.ur.example 60 A 127.0.0.2")) as server,
        dns_lists(server.address, own) as lists,
    ):
        assert found(lists, mail("http://www.bad.test/ http://bad.test/")) == {"URIBL": 2.0}


@pytest.mark.parametrize("addresses", [True, False])
def test_urls_with_an_address(addresses: bool) -> None:
    own = DnsList("ur.example", symbol="URIBL", points=2, ask=("url",), url_addresses=addresses)
    with (
        name_server(zone("9.113.0.203.ur.example 60 A 127.0.0.2")) as server,
        dns_lists(server.address, own) as lists,
    ):
        told = found(lists, mail("http://0xcb007109/x"))
        assert told == ({"URIBL": 2.0} if addresses else {})
        assert bool(server.asked) is addresses


def test_domains_that_nobody_asks_about() -> None:
    own = DnsList("ur.example", symbol="URIBL", points=2, ask=("url", "helo"))
    urls = "http://www.w3.org/ http://localhost/ http://x.local/ http://com/ http://mx.invalid/"
    with name_server(zone()) as server, dns_lists(server.address, own) as lists:
        assert found(lists, mail(urls, helo="localhost.localdomain")) == {}
        assert not server.asked


def test_ten_thousand_urls() -> None:
    own = DnsList("ur.example", symbol="URIBL", points=2, ask=("url",))
    text = "".join(f"http://h{n}.test/\n" for n in range(10_000))
    with (
        name_server(zone("*.ur.example 60 A 127.0.0.1")) as server,
        dns_lists(server.address, own, domains_limit=20) as lists,
    ):
        told = verdict(lists, mail(text))
        assert details(told)["DNSLISTS_LIMIT"] == "asked about 20 of 10000 hosts"
        assert sum(server.asked.values()) == 21


def test_nobody_knows_which_of_many_hosts_are_asked_about() -> None:
    values = [str(n) for n in range(1000)]
    chosen = {tuple(spread(values, 50)) for _ in range(20)}
    assert len(chosen) > 1
    for some in chosen:
        assert [int(one) // 20 for one in some] == list(range(50))
    assert spread(values, 1000) == values


def test_a_senders_silent_name_server_takes_no_time_of_a_list() -> None:
    """Of the hosts of a message one has a name server that says nothing."""
    own = DnsList("bl.example", symbol="URIBL", points=2, ask=("url",), resolve=True)
    records = ["bad.test 60 A 203.0.113.9", "9.113.0.203.bl.example 60 A 127.0.0.2"]
    honest = zone(*records)

    def say(question: Question) -> bytes | None:
        return None if question.name == "silent.test" else honest(question)

    with (
        name_server(say) as server,
        dns_lists(server.address, own, wait=3.0, failures=1) as lists,
    ):
        told = verdict(lists, mail("http://silent.test/ http://bad.test/"))
        assert points(told) == {"URIBL": 2.0, UNANSWERED: 0.0}
        assert details(told)["URIBL"] == "bad.test at 203.0.113.9 (url)"
        assert details(told)[UNANSWERED].startswith("silent.test: ")


def test_a_list_that_had_no_time_does_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterd.resolver.lookups.FAIR", 1000.0)
    with (
        name_server(lambda _question: None) as server,
        dns_lists(server.address, BL, failures=1, wait=3000.0) as lists,
    ):
        lists.ask(message := mail())
        use_up(lists)
        assert set(points(lists.examine(message))) == {UNANSWERED}
        assert not lists._lists[0].health.resting


def use_up(lists: DnsLists) -> None:
    """The filters before this one have taken all the time."""
    assert lists._begun is not None
    lists._begun[1]._lookups._end = 0.0


def test_a_large_message_has_time_behind_slow_filters() -> None:
    own = DnsList("ur.example", symbol="URIBL", points=2, ask=("url",))
    with (
        name_server(zone("bad.test.ur.example 60 A 127.0.0.2")) as server,
        dns_lists(server.address, own) as lists,
    ):
        lists.ask(message := mail("http://bad.test/ " + "x" * LARGE))
        use_up(lists)
        assert points(lists.examine(message)) == {"URIBL": 2.0}


def test_the_limit_of_questions_for_one_message() -> None:
    own = DnsList("ur.example", symbol="URIBL", points=2, ask=("url",))
    text = "".join(f"http://h{n}.test/\n" for n in range(40))
    with (
        name_server(zone()) as server,
        dns_lists(server.address, own, resolver={"per_message": 10}) as lists,
    ):
        assert "more than 10 questions" in details(verdict(lists, mail(text)))[UNANSWERED]
        assert sum(server.asked.values()) == 10


def test_scores_of_the_settings() -> None:
    fields = "Received: from b (b [203.0.113.77]) by a with ESMTP; Sun\r\n"
    records = ["9.113.0.203.bl.example 60 A 127.0.0.2", "77.113.0.203.bl.example 60 A 127.0.0.2"]
    with (
        name_server(zone(*records)) as server,
        dns_lists(server.address, BL, scores={"RCVD_IN_BL": 1.0, "RECEIVED_BL": 0.1}) as lists,
    ):
        assert found(lists, mail(fields=fields)) == {"RCVD_IN_BL": 1.0, "RECEIVED_BL": 0.1}


def everything(answer: str) -> Script:
    return lambda question: question.answer(f"{question.name} 60 A {answer}")


def refusing(question: Question) -> bytes:
    return question.answer(rcode="REFUSED")


def only_tested(question: Question) -> bytes | None:
    """Fails its test point, by saying nothing that counts, and lists all others."""
    if question.name.startswith("1.0.0.127"):
        return question.answer(rcode="SERVFAIL")
    return question.answer(f"{question.name} 60 A 127.0.0.2")


LIES = {
    "lists everything": (everything("127.0.0.2"), "it lists 127.0.0.1"),
    "says that we ask too often": (everything("127.255.255.255"), "127.255.255.255"),
    "says that our resolver is open": (everything("127.255.255.254"), "127.255.255.254"),
    "was sold": (everything("192.0.2.80"), "192.0.2.80"),
    "is in a private network": (everything("10.0.0.1"), "10.0.0.1"),
    "refuses": (refusing, "REFUSED"),
    "does not pass its test": (only_tested, "did not pass its test"),
}


@pytest.mark.parametrize(("script", "why"), LIES.values(), ids=LIES)
def test_what_is_no_listing(script: Script, why: str) -> None:
    """No such answer gives points, and the message's symbols say what became of the list."""
    with name_server(script) as server, dns_lists(server.address, BL) as lists:
        told = verdict(lists, mail())
        assert set(points(told)) == {UNANSWERED}
        assert why in details(told)[UNANSWERED]


def test_a_list_that_lists_everything_rests(caplog: pytest.LogCaptureFixture) -> None:
    with name_server(everything("127.0.0.2")) as server, dns_lists(server.address, BL) as lists:
        for last in range(1, 20):
            told = verdict(lists, mail(client=f"203.0.113.{last}"))
            assert set(points(told)) == {UNANSWERED}
        assert sum(server.asked.values()) == 2
    assert caplog.text.count("bl.example is not asked for 60 s: it lists 127.0.0.1") == 1


def test_a_silent_list_rests_and_the_others_do_not(caplog: pytest.LogCaptureFixture) -> None:
    """Its questions go unanswered; those of the other list, by the same server, do not."""
    other = DnsList("good.example", symbol="GOOD", points=1)
    honest = zone("9.113.0.203.good.example 60 A 127.0.0.2")

    def say(question: Question) -> bytes | None:
        return None if question.name.endswith("bl.example") else honest(question)

    with (
        name_server(say) as server,
        dns_lists(
            server.address, BL, other, wait=0.2, failures=1, resolver={"timeout": 0.1}
        ) as lists,
    ):
        told = verdict(lists, mail())
        assert points(told) == {"GOOD": 1.0, UNANSWERED: 0.0}
        asked = sum(count for name, count in server.asked.items() if "bl.example" in name)
        assert points(verdict(lists, mail())) == {"GOOD": 1.0, UNANSWERED: 0.0}
        assert asked == sum(count for name, count in server.asked.items() if "bl.example" in name)
    assert caplog.text.count("DNS list bl.example is not asked") == 1
    assert "good.example" not in caplog.text


def test_all_questions_are_under_way_before_the_first_answer_is_awaited() -> None:
    """Ten questions whose answers all need the tenth to have been asked."""
    own = DnsList("ur.example", symbol="URIBL", points=1, ask=("url",))
    together = threading.Barrier(11)

    def say(question: Question) -> bytes:
        together.wait(60)
        return question.answer(rcode="NXDOMAIN", soa="example 60 SOA ns h 1 2 3 4 30")

    text = "".join(f"http://h{n}.test/\n" for n in range(10))
    with name_server(say) as server, dns_lists(server.address, own) as lists:
        assert found(lists, mail(text)) == {}
        assert len(server.asked) == 11


@pytest.mark.parametrize("resolver", [{"enabled": False}, {}])
def test_without_a_network_nothing_is_asked(
    resolver: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filterd.resolver.resolver.system_servers", lambda: ())
    threads = threading.active_count()
    with dns_lists("", BL, resolver=resolver) as lists:
        for _ in range(3):
            assert verdict(lists, mail("http://bad.test/")) is NO_OPINION
    assert threading.active_count() == threads


def test_the_filter_fails_where_an_answer_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterd.resolver.resolver.system_servers", lambda: ())
    with (
        dns_lists("", BL, must_answer=True) as lists,
        pytest.raises(OSError, match=r"no DNS list answers: bl\.example: no name server"),
    ):
        verdict(lists, mail())


def test_it_fails_while_its_lists_rest() -> None:
    with (
        name_server(refusing) as server,
        dns_lists(server.address, BL, must_answer=True, failures=1) as lists,
    ):
        for _ in range(2):
            with pytest.raises(OSError, match=r"no DNS list answers: bl\.example: .*REFUSED"):
                verdict(lists, mail())
        assert verdict(lists, mail(login="ann")) is NO_OPINION


def test_one_that_answers_is_enough() -> None:
    other = DnsList("good.example", symbol="GOOD", points=1)
    honest = zone("9.113.0.203.good.example 60 A 127.0.0.2")

    def say(question: Question) -> bytes:
        return refusing(question) if "bl.example" in question.name else honest(question)

    with (
        name_server(say) as server,
        dns_lists(server.address, BL, other, must_answer=True) as lists,
    ):
        assert found(lists, mail())["GOOD"] == 1.0


def test_huge_answers_and_alias_loops() -> None:
    names = {n: f"h{n}.test.ur.example" for n in range(3)}
    own = DnsList("ur.example", symbol="URIBL", points=1, ask=("url",))

    def say(question: Question) -> bytes:
        if question.name == names[0]:
            return question.answer(f"{names[0]} 60 CNAME {names[1]}.")
        if question.name == names[1]:
            return question.answer(f"{names[1]} 60 CNAME {names[0]}.")
        if question.name == names[2]:
            if not question.stream:
                return question.answer(cut=True)
            lines = (f"{names[2]} 60 A 127.{n // 250}.{n % 250}.2" for n in range(3000))
            return question.answer(*lines)
        return question.answer(rcode="NXDOMAIN", soa="example 60 SOA ns h 1 2 3 4 30")

    with name_server(say) as server, dns_lists(server.address, own, failures=50) as lists:
        told = verdict(lists, mail("http://h0.test/ http://h2.test/"))
        assert points(told) == {"URIBL": 1.0, UNANSWERED: 0.0}
        assert "aliases" in details(told)[UNANSWERED]


def test_health_over_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    clock = Clock()
    health = ListHealth("bl.example", failures=2, rest=60, clock=clock)
    assert health.needs_test("invalid")
    health.passed("invalid")
    assert health.is_proven("invalid")
    assert not health.needs_test("invalid")
    health.failed("no answer")
    health.answered()
    health.failed("no answer")
    assert not health.resting
    health.failed("no answer")
    assert health.resting == "no answer"
    clock.now += 60
    assert not health.resting
    health.failed("no answer")
    health.failed("no answer")
    clock.now += 119
    assert health.resting
    clock.now += 1
    health.answered()
    assert not health.resting
    assert [record.message for record in caplog.records] == [
        "DNS list bl.example is not asked for 60 s: no answer",
        "DNS list bl.example is not asked for 120 s: no answer",
        "DNS list bl.example answers again",
    ]
    clock.now += 600
    assert health.needs_test("invalid")
    assert health.is_proven("invalid")
    health.refused("it lists everything")
    assert not health.is_proven("invalid")


REFUSING = DnsList(
    "key.bl.example",
    like="zen.spamhaus.org",
    codes={"127.0.0.2": "RCVD_IN_SBL 4", "127.0.0.4": "RCVD_IN_XBL 3", "127.0.0.9": "WL -1 allow"},
)
LISTED = [
    "9.113.0.203.key.bl.example 60 A 127.0.0.2",
    "8.113.0.203.key.bl.example 60 A 127.0.0.4",
    "7.113.0.203.key.bl.example 60 A 127.0.0.2",
    "7.113.0.203.key.bl.example 60 A 127.0.0.9",
]
ACTIONS = {"reject": ("RCVD_IN_SBL",), "tempfail": ("RCVD_IN_XBL",)}


def test_mail_is_refused_in_the_name_of_a_list() -> None:
    """The key in the zone's name is told to nobody."""
    with (
        name_server(zone(*LISTED)) as server,
        dns_lists(server.address, REFUSING, **ACTIONS) as lists,
    ):
        refused = verdict(lists, mail())
        assert refused.action is Action.REJECT
        assert refused.because.startswith("RCVD_IN_SBL (")
        assert refused.reply == Reply(
            554,
            "5.7.1",
            "Service unavailable, 203.0.113.9 is listed by zen.spamhaus.org",
            "listed",
        )
        assert verdict(lists, mail(client="203.0.113.8")).action is Action.TEMPFAIL
        assert verdict(lists, mail(client="203.0.113.7")).action is Action.ACCEPT
        assert verdict(lists, mail(client="203.0.113.6")).action is Action.ACCEPT


def test_a_trusted_relay_is_not_made_to_bounce() -> None:
    fields = "Received: from a (a [203.0.113.9]) by relay with ESMTP; Sun\r\n"
    with (
        name_server(zone(*LISTED)) as server,
        dns_lists(server.address, REFUSING, trusted=["198.51.100.1"], **ACTIONS) as lists,
    ):
        told = verdict(lists, mail(client="198.51.100.1", fields=fields))
        assert (told.action, points(told)) == (Action.ACCEPT, {"RCVD_IN_SBL": 4.0})


def at_stages(lists: DnsLists, recipient: str, **client: str) -> tuple[Verdict, Verdict]:
    """What is said at MAIL and at RCPT."""
    memory: dict[str, object] = {}
    assert lists.connect(session(Stage.CONNECT, memory=memory, **client)) is NO_OPINION
    assert lists.helo(session(Stage.HELO, memory=memory, **client)) is NO_OPINION
    sender = lists.sender(session(Stage.SENDER, memory=memory, **client))
    return sender, lists.recipient(
        session(Stage.RECIPIENT, memory=memory, **client), Recipient(recipient)
    )


def test_stages() -> None:
    """Points at MAIL, where greylisting may see them; a refusal at RCPT."""
    with (
        name_server(zone(*LISTED)) as server,
        dns_lists(server.address, REFUSING, early=True, **ACTIONS) as lists,
    ):
        assert lists.stages == {Stage.CONNECT, Stage.HELO, Stage.SENDER, Stage.RECIPIENT}
        sender, recipient = at_stages(lists, "joe@mx.example")
        assert (sender.action, points(sender)) == (Action.ACCEPT, {"RCVD_IN_SBL": 4.0})
        assert (recipient.action, recipient.symbols) == (Action.REJECT, ())
        assert recipient.reply is not None
        assert recipient.reply.kind == "listed"
        for one in ("postmaster@mx.example", "Abuse+x@mx.example", "<Postmaster>"):
            assert at_stages(lists, one)[1] is NO_OPINION, one
        assert at_stages(lists, "joe@mx.example", login="ann") == (NO_OPINION, NO_OPINION)
        assert at_stages(lists, "joe@mx.example", client="203.0.113.6") == (NO_OPINION, NO_OPINION)
        assert server.asked["9.113.0.203.key.bl.example A"] == 1


def test_a_session_that_another_process_goes_on_with() -> None:
    with (
        name_server(zone(*LISTED)) as server,
        dns_lists(server.address, REFUSING, early=True, **ACTIONS) as lists,
    ):
        told = lists.recipient(session(Stage.RECIPIENT), Recipient("joe@mx.example"))
        assert told.action is Action.REJECT


def test_what_was_found_early_is_not_found_twice() -> None:
    urls = DnsList("ur.example", symbol="URIBL", points=2, ask=("url", "helo"))
    with (
        name_server(zone(*LISTED, "bad.test.ur.example 60 A 127.0.0.2")) as server,
        dns_lists(server.address, REFUSING, urls, early=True) as lists,
    ):
        message = mail("http://bad.test/")
        # Nobody asked before: a message that is scanned once more.
        assert found(lists, message) == {"RCVD_IN_SBL": 4.0, "URIBL": 2.0}
        message = mail("http://bad.test/")
        lists.ask(message)
        message.symbols = (Symbol("RCVD_IN_SBL", 4.0),)
        assert points(lists.examine(message)) == {"URIBL": 2.0}


@pytest.mark.parametrize(
    ("asked", "symbols", "again"),
    [
        (False, (), True),
        (True, (), False),
        (True, ("SOMETHING_ELSE",), False),
        (True, ("DNSLISTS_UNANSWERED",), True),
    ],
)
def test_who_was_asked_about_at_the_stages_is_asked_about_again_only_without_an_answer(
    asked: bool, symbols: tuple[str, ...], again: bool
) -> None:
    with (
        name_server(zone(*LISTED)) as server,
        dns_lists(server.address, REFUSING, early=True) as lists,
    ):
        message = mail()
        message.asked_early = asked
        message.symbols = tuple(Symbol(name, 0.0) for name in symbols)
        lists.ask(message)
        assert points(lists.examine(message)) == ({"RCVD_IN_SBL": 4.0} if again else {})
        assert bool(server.asked) is again


def test_at_a_stage_nothing_is_known_of_a_relays_client() -> None:
    fields = "Received: from a (a [203.0.113.9]) by relay with ESMTP; Sun\r\n"
    with (
        name_server(zone(*LISTED)) as server,
        dns_lists(server.address, REFUSING, trusted=["198.51.100.1"], early=True) as lists,
    ):
        assert at_stages(lists, "joe@mx.example", client="198.51.100.1")[0] is NO_OPINION
        assert not server.asked
        message = mail(client="198.51.100.1", fields=fields)
        assert found(lists, message) == {"RCVD_IN_SBL": 4.0}


def test_what_a_question_needs_is_loaded_before_workers_are_forked() -> None:
    """A worker that had to load it with its first message would take too long for `ask`."""
    program = (
        "import sys\n"
        "from filterd.chain.services import Services\n"
        "from filterd.filters.dnslists.settings import DnsList, DnsListsSettings\n"
        "from filterd.resolver.settings import ResolverSettings\n"
        "services = Services(ResolverSettings(nameservers=('127.0.0.1',)))\n"
        "made = DnsListsSettings((DnsList('bl.example', symbol='BL'),)).build_with(services)\n"
        "print('dns' in sys.modules, end=' ')\n"
        "made.prepare()\n"
        "import threading\n"
        "print('dns' in sys.modules, 'filterd.resolver.engine' in sys.modules, end=' ')\n"
        "print('publicsuffixlist' in sys.modules, threading.active_count())\n"
    )
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.stdout.split() == ["True", "True", "True", "True", "1"], told.stderr


def test_without_early_there_is_no_stage() -> None:
    with dns_lists("127.0.0.1", REFUSING) as lists:
        assert lists.stages == frozenset()
    with dns_lists("127.0.0.1", early=True) as lists:
        assert lists.stages == frozenset()


def test_the_end_of_a_stage_is_kept() -> None:
    """What is missing then does not count; the filter does not run into its own time limit."""
    with (
        name_server(lambda _question: None) as server,
        dns_lists(server.address, REFUSING, early=True) as lists,
    ):
        late = dataclasses.replace(session(), deadline=time.monotonic() + 0.2)
        assert set(points(lists.sender(late))) == {UNANSWERED}
