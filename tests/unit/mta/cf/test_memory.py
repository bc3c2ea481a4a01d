"""Runs of rulesets that are remembered answer as if the rules were tried."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest

from filterd.mta.cf.lookup import MapAnswer
from filterd.mta.cf.marks import octets
from filterd.mta.cf.memory import MAX_MEMORY, MAX_RUNS, AskedMap, RememberedRun, RunMemory
from filterd.mta.maps.database import DatabaseMap
from filterd.mta.maps.makemap import makemap
from filterd.mta.sendmail.cf_files import parse_cf
from filterd.mta.sendmail.engine import RuleEngine, RuleSession

CF = """V10
Djmx.test
Kset macro
Ktable text -k 0 -v 1 {folder}/table
O DontBlameSendmail=truststickybit,groupwritabledirpathsafe
Mlocal, P=/bin/cat, F=lsA5, A=cat $u
Scheck_it
R$*\t$: $1 $(table $1 $) $(set {{seen}} $@ $1 $) $&{{who}}
"""


@pytest.fixture
def engine(tmp_path: Path) -> RuleEngine:
    (tmp_path / "table").write_text("joe one\n")
    return RuleEngine(parse_cf(CF.format(folder=tmp_path)))


def check(session: RuleSession, text: str) -> str:
    with session.asking() as question:
        return question.checker.check("check_it", octets(text)).result


def test_a_remembered_run_sees_changed_tables_and_macros(
    engine: RuleEngine, tmp_path: Path
) -> None:
    session = engine.session()
    session.set("{who}", "ann")
    assert [check(session, "joe") for _ in range(3)] == ["joe one ann"] * 3
    (tmp_path / "table").write_text("joe another\n")
    assert [check(session, "joe") for _ in range(2)] == ["joe another ann"] * 2
    session.set("{who}", "bob")
    assert check(session, "joe") == "joe another bob"
    assert check(session, "sue") == "sue sue bob"


def test_a_remembered_run_sets_the_macros_of_who_asks(engine: RuleEngine) -> None:
    for _ in range(3):
        session = engine.session()
        check(session, "joe")
        assert session.get("{seen}") == "joe"


@pytest.mark.slow
def test_what_is_remembered_is_bounded(engine: RuleEngine) -> None:
    session = engine.session()
    for number in range(MAX_RUNS + 10):
        assert check(session, f"u{number}") == f"u{number} u{number}"
    assert check(session, "x" * 200 + " " + "y" * 200).startswith("x")
    assert len(engine.memory) <= MAX_RUNS


def test_no_client_fills_the_memory(tmp_path: Path) -> None:
    # As LookUpDomain of access_db does: each end of a name is looked up.
    (tmp_path / "table").write_text("joe one\n")
    engine = RuleEngine(
        parse_cf(
            CF.format(folder=tmp_path) + "Sends\nR$- . $+\t$: $(table $1.$2 $) $| $>ends $2\n"
            "R$* $| $*\t$@ $2\nScheck_names\nR$*\t$: $>ends $1\n"
        )
    )
    session = engine.session()

    def ask(name: str) -> None:
        with session.asking() as question:
            question.checker.check("check_names", octets(name))

    ask("a.b.c")
    small = engine.memory.size
    assert len(engine.memory) == 1
    ask(".".join(["abcdefghijabcdefghij"] * 45))
    assert (len(engine.memory), engine.memory.size) == (1, small)


def test_the_memory_is_emptied_when_it_is_full() -> None:
    memory, tokens = RunMemory(), ("x" * 1000,)
    event = AskedMap("table", "k" * 20000, (), None, False)
    for number in range(MAX_MEMORY // 20000 + 10):
        memory.keep(number, tokens, RememberedRun(tokens, 0, (event,)))
        assert 0 < memory.size <= MAX_MEMORY
    assert 0 < len(memory) < MAX_MEMORY // 20000


def test_a_run_that_complains_complains_again(tmp_path: Path) -> None:
    engine = RuleEngine(parse_cf("V10\nScheck_it\nR$*\t$: $>nosuch $1\n"))
    for _ in range(3):
        with engine.session().asking() as question:
            question.checker.check("check_it", "joe")
            assert question.refusal == "554 5.3.5 Unknown ruleset nosuch"


def test_a_database_that_stays_as_it_is_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cf = CF.replace("text -k 0 -v 1", "hash").format(folder=tmp_path)

    def write(value: str) -> None:
        lines = f"joe\t{value}\nsue\t{value}\n".encode()
        with BytesIO(lines) as text, BytesIO() as said:
            assert not makemap(
                ["-C", str(tmp_path / "sendmail.cf"), "hash", str(tmp_path / "table")],
                text,
                said,
                said,
            )

    (tmp_path / "sendmail.cf").write_text(cf)
    write("one")
    engine = RuleEngine(parse_cf(cf))
    asked: list[str] = []
    answer = DatabaseMap._answer

    def counted(self: DatabaseMap, key: str, arguments: Sequence[str]) -> MapAnswer:
        asked.append(key)
        return answer(self, key, arguments)

    monkeypatch.setattr(DatabaseMap, "_answer", counted)
    session = engine.session()
    session.set("{who}", "ann")
    # When it was asked first, it was not open: nobody knew of which version that was.
    assert [check(session, "joe") for _ in range(4)] == ["joe one ann"] * 4
    first = len(asked)
    assert [check(session, "joe") for _ in range(3)] == ["joe one ann"] * 3
    assert len(asked) == first
    # What rules do beside that is done, and macros are compared.
    session.set("{who}", "bob")
    session.set("{seen}", None)
    assert [check(session, "joe") for _ in range(2)] == ["joe one bob"] * 2
    assert session.get("{seen}") == "joe"
    write("two")
    assert [check(session, "joe") for _ in range(2)] == ["joe two bob"] * 2
    (tmp_path / "table.db").unlink()
    assert check(session, "joe") != "joe two bob"
