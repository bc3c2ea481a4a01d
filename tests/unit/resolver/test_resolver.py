"""Questions to name servers that tell the truth, say nothing, refuse, cut, loop and lie."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.message
import pytest

from filterd.resolver.answer import MX, DnsAnswer, DnsStatus, RecordType
from filterd.resolver.lookups import DnsLookups
from filterd.resolver.resolver import Resolver, system_servers
from filterd.resolver.settings import NameServer, ResolverSettings
from tests.helpers.name_server import Question, Script, name_server, zone
from tests.helpers.process import free_port, wait_for

pytestmark = pytest.mark.server

A, TXT = RecordType.A, RecordType.TXT
LONG = 60.0
"""Seconds that no test waits for."""

EXAMPLE = zone(
    "mail.example 300 A 192.0.2.1",
    "mail.example 300 A 192.0.2.2",
    "mail.example 300 AAAA 2001:db8::1",
    "example 300 MX 10 mail.example.",
    "example 300 MX 20 Second.Example.",
    'example 300 TXT "v=spf1 " "-all"',
    "nomail.example 300 MX 0 .",
    "www.example 300 CNAME mail.example.",
    "1.2.0.192.in-addr.arpa 300 PTR mail.example.",
    "ring.example 300 CNAME back.example.",
    "back.example 300 CNAME ring.example.",
)


@pytest.fixture
def asked() -> Iterator[list[Resolver]]:
    """Resolvers that are closed after the test."""
    made: list[Resolver] = []
    yield made
    for one in made:
        one.close()


def resolver(made: list[Resolver], *servers: str, **settings: object) -> Resolver:
    made.append(Resolver(ResolverSettings(nameservers=servers, **settings)))  # type: ignore[arg-type]
    return made[-1]


TRUTH = [
    ("mail.example", "A", DnsStatus.FOUND, ("192.0.2.1", "192.0.2.2")),
    ("MAIL.example.", "A", DnsStatus.FOUND, ("192.0.2.1", "192.0.2.2")),
    ("mail.example", "AAAA", DnsStatus.FOUND, ("2001:db8::1",)),
    ("example", "MX", DnsStatus.FOUND, (MX(10, "mail.example"), MX(20, "second.example"))),
    ("nomail.example", "MX", DnsStatus.FOUND, (MX(0, ""),)),
    ("example", "TXT", DnsStatus.FOUND, (b"v=spf1 -all",)),
    ("1.2.0.192.in-addr.arpa", "PTR", DnsStatus.FOUND, ("mail.example",)),
    ("www.example", "A", DnsStatus.FOUND, ("192.0.2.1", "192.0.2.2")),
    ("www.example", "MX", DnsStatus.NODATA, ()),
    ("mail.example", "TXT", DnsStatus.NODATA, ()),
    ("nobody.example", "A", DnsStatus.NXDOMAIN, ()),
    ("ring.example", "A", DnsStatus.MALFORMED, ()),
    ("a..example", "A", DnsStatus.INVALID, ()),
    ("", "A", DnsStatus.INVALID, ()),
    ("x" * 64 + ".example", "A", DnsStatus.INVALID, ()),
    (".".join(["abcdefg"] * 40), "A", DnsStatus.INVALID, ()),
]


@pytest.mark.parametrize(("name", "kind", "status", "records"), TRUTH, ids=lambda v: str(v)[:20])
def test_a_server_that_tells_the_truth(
    asked: list[Resolver], name: str, kind: str, status: DnsStatus, records: tuple[object, ...]
) -> None:
    with name_server(EXAMPLE) as server:
        answer = resolver(asked, server.address).ask(name, RecordType(kind)).answer(LONG)
    assert (answer.status, set(answer.records)) == (status, set(records))
    assert answer.failed == (status is DnsStatus.MALFORMED)


def test_an_alias_counts_no_longer_than_it_says(asked: list[Resolver]) -> None:
    """Also where a server leaves it to the client to follow the alias."""
    records = ["short.example 20 CNAME sp\\032ace.example.", "sp\\032ace.example 300 A 192.0.2.8"]
    with name_server(zone(*records)) as server:
        answer = resolver(asked, server.address).ask("short.example", A).answer(LONG)
    assert (answer.records, answer.ttl) == (("192.0.2.8",), 20)
    assert answer.canonical == "sp\\032ace.example"


def test_a_domain_in_any_spelling_is_one_question(asked: list[Resolver]) -> None:
    with name_server(zone("xn--bcher-kva.example 60 A 192.0.2.7")) as server:
        asking = resolver(asked, server.address)
        spellings = ["bücher.example", "BÜCHER.example.", "xn--bcher-kva.EXAMPLE"]
        answers = {asking.ask(name, A).answer(LONG).records for name in spellings}
        assert answers == {("192.0.2.7",)}
        assert server.asked.total() == 1


def test_a_backslash_in_a_name_is_not_an_escape(asked: list[Resolver]) -> None:
    with name_server(EXAMPLE) as server:
        answer = resolver(asked, server.address).ask("mail\\046example", A).answer(LONG)
    assert answer.status is DnsStatus.NXDOMAIN


def refused(question: Question) -> bytes:
    return question.answer(rcode="REFUSED")


def failing(question: Question) -> bytes:
    return question.answer(rcode="SERVFAIL")


def silent(question: Question) -> None:
    del question


def cut(question: Question) -> bytes:
    """By UDP only that there is more; by TCP all of it."""
    if not question.stream:
        return question.answer(cut=True)
    return question.answer(f'{question.name} 60 TXT "{"x" * 250}" "{"y" * 250}"')


def without_edns(question: Question) -> bytes:
    if question.message.edns >= 0:
        return question.answer(rcode="FORMERR")
    return EXAMPLE(question) or b""


def broken_stream(question: Question) -> bytes:
    return question.answer(cut=True) if not question.stream else b"\0" * 20


SAID = [
    (refused, DnsStatus.REFUSED, ()),
    (failing, DnsStatus.SERVFAIL, ()),
    (cut, DnsStatus.FOUND, (b"x" * 250 + b"y" * 250,)),
    (broken_stream, DnsStatus.MALFORMED, ()),
]


@pytest.mark.parametrize(("script", "status", "records"), SAID)
def test_a_server_that_fails(
    asked: list[Resolver], script: Script, status: DnsStatus, records: tuple[object, ...]
) -> None:
    with name_server(script) as server:
        answer = resolver(asked, server.address).ask("big.example", TXT).answer(LONG)
    assert (answer.status, answer.records) == (status, records)


def test_a_server_without_edns(asked: list[Resolver]) -> None:
    with name_server(without_edns) as server:
        answer = resolver(asked, server.address).ask("mail.example", A).answer(LONG)
    assert answer.status is DnsStatus.FOUND


def another_id(question: Question) -> bytes:
    said = EXAMPLE(question) or b""
    return bytes([said[0] ^ 1]) + said[1:]


def another_question(question: Question) -> bytes:
    other = dns.message.make_query("other.example", question.type, id=question.message.id)
    return Question(other.to_wire(), stream=False).answer("other.example 60 A 203.0.113.9")


LIES: dict[str, Script] = {
    "another id": another_id,
    "another question": another_question,
    "rubbish": lambda _: b"\xff" * 40,
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_forged_datagram_is_not_an_answer(asked: list[Resolver], lie: str) -> None:
    """It is dropped and the wait goes on: here until the time of the question is over."""
    with name_server(LIES[lie]) as server:
        asking = resolver(asked, server.address, timeout=0.3)
        answer = asking.ask("mail.example", A).answer(LONG)
    assert (answer.status, answer.records) == (DnsStatus.TIMEOUT, ())


def test_a_record_of_another_name_is_not_taken(asked: list[Resolver]) -> None:
    with name_server(lambda q: q.answer("victim.example 60 A 203.0.113.9")) as server:
        answer = resolver(asked, server.address).ask("mail.example", A).answer(LONG)
    assert (answer.status, answer.records) == (DnsStatus.NODATA, ())


def test_the_next_server_is_asked(asked: list[Resolver]) -> None:
    with name_server(refused) as first, name_server(EXAMPLE) as second:
        asking = resolver(asked, first.address, second.address)
        assert asking.ask("mail.example", A).answer(LONG).status is DnsStatus.FOUND


def test_a_server_that_cannot_be_reached_is_left_alone(
    asked: list[Resolver], caplog: pytest.LogCaptureFixture
) -> None:
    """One line in the log, and every later question fails at once."""
    asking = resolver(asked, f"127.0.0.1:{free_port()}")
    answers = [asking.ask(f"host{n}.example", A).answer(LONG) for n in range(20)]
    assert {answer.status for answer in answers} == {DnsStatus.UNREACHABLE}
    assert len([one for one in caplog.records if "name server" in one.message]) == 1


def test_no_name_server_at_all(
    asked: list[Resolver], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, and costs not even a thread."""
    monkeypatch.setattr("filterd.resolver.resolver.system_servers", lambda: ())
    asking, threads = resolver(asked), threading.active_count()
    for name in ("mail.example", "other.example"):
        pending = asking.ask(name, A)
        assert pending.done
        answer = pending.answer(LONG)
        assert (answer.status, answer.detail) == (
            DnsStatus.UNREACHABLE,
            "no name server is configured",
        )
    assert threading.active_count() == threads
    assert caplog.text.count("nothing is looked up") == 1


def test_switched_off_nothing_is_asked(
    asked: list[Resolver], caplog: pytest.LogCaptureFixture
) -> None:
    with name_server(EXAMPLE) as server:
        answer = resolver(asked, server.address, enabled=False).ask("mail.example", A).answer(LONG)
        assert answer.failed
        assert "not enabled" in answer.detail
        assert not server.asked
    assert not caplog.text


@pytest.mark.parametrize(("size", "edns"), [(0, -1), (512, 0), (4096, 0)])
def test_the_size_that_edns_tells(asked: list[Resolver], size: int, edns: int) -> None:
    heard = []

    def say(question: Question) -> bytes:
        heard.append((question.message.edns, question.message.payload))
        return question.answer("mail.example 60 A 192.0.2.1")

    with name_server(say) as server:
        asking = resolver(asked, server.address, edns_size=size)
        assert asking.ask("mail.example", A).answer(LONG).texts == ("192.0.2.1",)
    assert heard == [(edns, size)]


@pytest.mark.parametrize(("tcp", "status"), [(True, DnsStatus.FOUND), (False, DnsStatus.MALFORMED)])
def test_a_cut_answer_with_and_without_tcp(
    asked: list[Resolver], tcp: bool, status: DnsStatus
) -> None:
    def say(question: Question) -> bytes:
        return question.answer("mail.example 60 A 192.0.2.1", cut=not question.stream)

    with name_server(say) as server:
        asking = resolver(asked, server.address, tcp=tcp)
        assert asking.ask("mail.example", A).answer(LONG).status is status


def test_domains_that_do_not_answer_leave_the_server_in_use(asked: list[Resolver]) -> None:
    """A sender whose own name servers are silent must not switch ours off for others."""
    honest = zone("mail.example 60 A 192.0.2.1")

    def say(question: Question) -> bytes | None:
        return None if question.name.endswith("hostile.example") else honest(question)

    with name_server(say) as server:
        asking = resolver(asked, server.address, timeout=0.2)
        waiting = [asking.ask(f"n{n}.hostile.example", A) for n in range(30)]
        assert {one.answer(LONG).status for one in waiting} == {DnsStatus.TIMEOUT}
        wait_for("the trial question", lambda: server.asked[". NS"] or server.asked[" NS"])
        assert asking.ask("mail.example", A).answer(LONG).status is DnsStatus.FOUND


def test_answers_are_kept_and_shared(asked: list[Resolver]) -> None:
    gate = threading.Event()

    def slow(question: Question) -> bytes | None:
        gate.wait(LONG)
        return EXAMPLE(question)

    with name_server(slow) as server:
        asking = resolver(asked, server.address, timeout=LONG)
        waiting = [asking.ask("mail.example", A) for _ in range(50)]
        wait_for("the question", server.asked.total)
        gate.set()
        assert {one.answer(LONG).status for one in waiting} == {DnsStatus.FOUND}
        assert asking.ask("mail.example", A).done
        nobody = asking.ask("nobody.example", A).answer(LONG)
        assert asking.ask("nobody.example", A).answer(0) == nobody
        assert server.asked == {"mail.example A": 1, "nobody.example A": 1}


def test_one_slow_question_delays_no_other(asked: list[Resolver]) -> None:
    gate = threading.Event()

    def say(question: Question) -> bytes | None:
        if question.name == "slow.example":
            gate.wait(LONG)
        return EXAMPLE(question)

    with name_server(say) as server:
        asking = resolver(asked, server.address, timeout=LONG)
        slow = asking.ask("slow.example", A)
        assert asking.ask("mail.example", A).answer(LONG).status is DnsStatus.FOUND
        assert not slow.done
        assert slow.answer(0).status is DnsStatus.TIMEOUT
        gate.set()
        assert slow.answer(LONG).status is DnsStatus.NXDOMAIN


def test_too_many_at_a_time(asked: list[Resolver]) -> None:
    with name_server(silent) as server:
        asking = resolver(asked, server.address, timeout=LONG, in_flight=3)
        waiting = [asking.ask(f"n{n}.example", A) for n in range(5)]
        assert [one.answer(LONG).status for one in waiting[3:]] == [DnsStatus.LIMIT] * 2
        assert not any(one.done for one in waiting[:3])


def test_the_questions_of_one_message(asked: list[Resolver]) -> None:
    with name_server(EXAMPLE) as server:
        lookups = DnsLookups(resolver(asked, server.address, timeout=LONG), limit=2)
        lookups.start("mail.example", A)
        lookups.start("mail.example", A)
        lookups.start("example", RecordType.MX)
        assert lookups.answer("mail.example", A).status is DnsStatus.FOUND
        assert lookups.answer("third.example", A).status is DnsStatus.LIMIT
        assert lookups.answer("example", RecordType.MX).texts == ("mail.example", "second.example")
        assert lookups.count == 2


def test_the_time_of_a_message_is_over(asked: list[Resolver]) -> None:
    with name_server(silent) as server:
        lookups = DnsLookups(resolver(asked, server.address, timeout=LONG), seconds=0.1)
        for n in range(100):
            lookups.start(f"n{n}.example", A)
        answers = [lookups.answer(f"n{n}.example", A) for n in range(100)]
        assert {answer.status for answer in answers} == {DnsStatus.TIMEOUT}


def test_a_child_asks_for_itself(asked: list[Resolver]) -> None:
    """Workers are forked from a process that may have asked before."""
    with name_server(EXAMPLE) as server:
        asking = resolver(asked, server.address)
        assert asking.ask("mail.example", A).answer(LONG).status is DnsStatus.FOUND
        child = os.fork()
        if child == 0:
            found = DnsAnswer(DnsStatus.TIMEOUT)
            try:
                found = asking.ask("example", RecordType.MX).answer(LONG)
            finally:
                os._exit(0 if found.status is DnsStatus.FOUND else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_it_can_be_closed_and_used_again(asked: list[Resolver]) -> None:
    with name_server(EXAMPLE) as server:
        asking = resolver(asked, server.address)
        assert asking.ask("mail.example", A).answer(LONG).status is DnsStatus.FOUND
        asking.close()
        asking.close()
        assert asking.ask("example", RecordType.MX).answer(LONG).status is DnsStatus.FOUND


def test_resolv_conf(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# comment\nnameserver 192.0.2.53\nnameserver nonsense\nsearch example\n"
        "nameserver 2001:db8::53\nnameserver 192.0.2.54\nnameserver 192.0.2.55\n"
    )
    assert system_servers(path) == (
        NameServer("192.0.2.53"),
        NameServer("2001:db8::53"),
        NameServer("192.0.2.54"),
    )
    assert system_servers(path.with_name("none")) == ()
