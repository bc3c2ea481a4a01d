"""The rules and maps of a sendmail.cf, shared by sessions."""

from __future__ import annotations

import threading

from filterd.mta.cf.marks import octets
from filterd.mta.sendmail.cf_files import parse_cf
from filterd.mta.sendmail.engine import RuleEngine, RuleSession

CF = """V10
Djmx.test
Cwmx.test
Kset macro
Mlocal, P=/bin/cat, F=lsA5, A=cat $u
S3
R$*\t$: $(set {seen} $@ $1 $) $1
S0
Rbad\t$#error $@ 5.1.1 $: "550 no such user"
Rworse\t$#nosuch $@ h $: u
R$*\t$#local $: $1
"""


def engine(*lines: str) -> RuleEngine:
    return RuleEngine(parse_cf(CF + "".join(f"{line}\n" for line in lines)))


def refusal(session: RuleSession, address: str) -> str | None:
    with session.asking() as question:
        question.resolver.parse(octets(address))
        return question.refusal


def test_the_first_error_is_what_a_client_gets() -> None:
    session = engine().session()
    assert refusal(session, "joe") is None
    assert refusal(session, "bad") == "550 5.1.1 bad... no such user"
    assert refusal(session, "worse") == "554 5.3.5 buildaddr: unknown mailer nosuch"
    assert refusal(session, "joe") is None


def test_each_session_has_its_own_macros() -> None:
    shared = engine()
    sessions = [shared.session() for _ in range(4)]

    def ask(session: RuleSession, name: str) -> None:
        for _ in range(50):
            refusal(session, name)
            assert session.get("{seen}") == name

    threads = [
        threading.Thread(target=ask, args=(session, f"user{number}"))
        for number, session in enumerate(sessions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.get("{seen}") for one in sessions] == ["user0", "user1", "user2", "user3"]
    assert shared.session().get("{seen}") is None


def test_macros_of_a_session_are_read_by_their_names_in_a_table() -> None:
    session = engine().session()
    session.update({"i": "ID", "{client_addr}": "192.0.2.1"})
    session.set("f", None)
    assert session.get("{client_addr}") == session.macro("client_addr") == "192.0.2.1"
    assert (session.get("i"), session.get("f"), session.macro("f")) == ("ID", None, "")
    assert session.macro("j") == "mx.test"
