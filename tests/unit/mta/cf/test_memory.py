"""Runs of rulesets that are remembered answer as if the rules were tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.mta.cf.marks import octets
from filterd.mta.cf.memory import MAX_MEMORY, MAX_RUNS, AskedMap, RememberedRun, RunMemory
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
