"""What a reviewer of one recipient sees of mail to several."""

from __future__ import annotations

from dataclasses import replace

import pytest

from filterd.chain.report import ScanReport
from filterd.chain.verdict import Action, Outcome, Symbol
from filterd.history import Record
from filterd.review.reviewer import Reviewer
from filterd.review.seen import all_as_seen, as_seen
from tests.helpers.reports import record, report

JOE, JIM, MAX = "joe@mx.example", "jim@mx.example", "max@other.example"
ADMIN = Reviewer("ann", "admin")
BOB = Reviewer("bob", "reviewer", frozenset({"mx.example"}))
NOBODY = Reviewer("eve", "reviewer")

S, A, P, Q = (Symbol(name, points) for name, points in (("S", 3.0), ("A", 1), ("P", 2), ("Q", 4)))


def found(*behind: Symbol, **own: tuple[Symbol, ...]) -> ScanReport:
    """A report on mail with the symbol S. own: what was found about each alone; behind: what of
    that stands behind the symbols of all."""
    outcomes = tuple(
        Outcome({"joe": JOE, "jim": JIM, "max_": MAX}[name], Action.ACCEPT, "default", symbols)
        for name, symbols in own.items()
    )
    symbols = (S, *behind)
    made = report(
        "id1",
        symbols=symbols,
        score=sum(one.score for one in symbols),
        recipients=tuple(one.recipient for one in outcomes),
        outcomes=outcomes,
    )
    assert isinstance(made, ScanReport)
    return made


@pytest.mark.parametrize(
    ("report", "symbols", "score"),
    [
        # Only the other's.
        (found(Q, joe=(), max_=(Q,)), (S,), 3.0),
        (found(A, Q, joe=(), max_=(A, Q)), (S,), 3.0),
        # In its place that of the reviewer's, with the most points if there are several.
        (found(Q, joe=(P,), max_=(Q,)), (S, P), 5.0),
        (found(Q, joe=(P,), jim=(A,), max_=(Q,)), (S, P), 5.0),
        # The reviewer's own stands there.
        (found(P, joe=(P,), max_=(A,)), (S, P), 5.0),
        (found(P, joe=(P,), max_=(P,)), (S, P), 5.0),
        # As it does where another of its own has more points, but does not get the message.
        (found(P, joe=(P,), jim=(Q,), max_=()), (S, P), 5.0),
        # The end of it is all of another's.
        (found(A, Q, joe=(A, Q), max_=(Q,)), (S, A, Q), 8.0),
        # The beginning is the reviewer's, the end is the other's.
        (found(A, Q, joe=(Q,), max_=(A, Q)), (S, Q), 7.0),
        # Nothing was found about anybody alone.
        (found(joe=(), max_=()), (S,), 3.0),
        # What was found about those alone whose copy is held is not behind the symbols.
        (found(joe=(P,), max_=(Q,)), (S,), 3.0),
    ],
)
def test_of_others_nothing_is_seen(
    report: ScanReport, symbols: tuple[Symbol, ...], score: float
) -> None:
    seen = as_seen(report, BOB)
    assert (seen.symbols, seen.score) == (symbols, score)
    assert as_seen(report, ADMIN) is report
    assert as_seen(report, NOBODY).symbols == (S,)
    assert replace(seen, symbols=report.symbols, score=report.score) == report


@pytest.fixture
def records() -> list[Record]:
    return [
        record(
            one.id,
            1.0,
            symbols=one.symbols,
            score=one.score,
            recipients=one.recipients,
            outcomes=one.outcomes,
        )
        for one in (found(Q, joe=(P,), max_=(Q,)), found(Q, joe=(Q,), max_=(Q,)))
    ]


@pytest.mark.parametrize(
    ("reviewer", "symbol", "symbols"),
    [
        (BOB, "", [(S, P), (S, Q)]),
        (BOB, "s", [(S, P), (S, Q)]),
        # The first has it for somebody else, which a search must not tell.
        (BOB, "q", [(S, Q)]),
        (ADMIN, "q", [(S, Q), (S, Q)]),
    ],
)
def test_what_a_search_finds(
    records: list[Record], reviewer: Reviewer, symbol: str, symbols: list[tuple[Symbol, ...]]
) -> None:
    assert [one.symbols for one in all_as_seen(records, reviewer, symbol)] == symbols
