"""Verdicts add up: the greater action wins, symbols and edits are joined, points stay exact."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.chain.verdict import (
    NO_OPINION,
    Action,
    Infection,
    RemovedPart,
    Reply,
    Symbol,
    Verdict,
)

actions = st.sampled_from(Action)
symbols = st.builds(
    Symbol,
    st.text("ABC_", min_size=1),
    st.floats(-1000, 1000, allow_nan=False),
    st.text(max_size=5),
)
infections = st.builds(
    lambda start: Infection(RemovedPart("a", "b", start, start + 10), ()), st.integers(0, 50)
)
verdicts = st.builds(
    Verdict,
    action=actions,
    symbols=st.lists(symbols, max_size=5).map(tuple),
    virus=st.sampled_from([None, "Eicar", "Other"]),
    infected=st.lists(infections, max_size=2).map(tuple),
)


@given(verdicts, verdicts)
def test_of_two_actions_the_greater_wins(a: Verdict, b: Verdict) -> None:
    assert (a | b).action == max(a.action, b.action)


@given(verdicts, verdicts, verdicts)
def test_the_order_of_adding_does_not_matter_to_the_sum(a: Verdict, b: Verdict, c: Verdict) -> None:
    assert ((a | b) | c) == (a | (b | c))
    assert (a | NO_OPINION) == a == (NO_OPINION | a)


@pytest.mark.parametrize(
    ("virus", "infected", "virus_too", "infected_too", "known"),
    [
        ("A", "1", "B", "2", "12"),
        ("A", "1", "A", "1", "11"),
        ("A", "1", None, "", "1"),
        (None, "", "A", "1", "1"),
        # Whose virus is in no part that is known is still there without these.
        ("A", "1", "B", "", ""),
        ("A", "", "B", "1", ""),
        (None, "", "A", "", ""),
    ],
)
def test_infected_parts_are_known_if_those_of_every_virus_are(
    virus: str | None, infected: str, virus_too: str | None, infected_too: str, known: str
) -> None:
    def found(virus: str | None, parts: str) -> Verdict:
        spans = ((int(part), int(part) + 1) for part in parts)
        infected = tuple(Infection(RemovedPart("a", "b", *span), ()) for span in spans)
        return Verdict(virus=virus, infected=infected)

    total = found(virus, infected) | found(virus_too, infected_too)
    assert "".join(str(one.part.start) for one in total.infected) == known


@given(st.lists(symbols, max_size=50))
def test_shown_points_add_up_exactly(found: list[Symbol]) -> None:
    shown = sum(round(symbol.score * 100) for symbol in found)
    assert round(Verdict(symbols=tuple(found)).score * 100) == shown


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, 1.1e100, -1.1e100, 10**400])
def test_a_score_is_a_finite_number(score: float) -> None:
    with pytest.raises(
        ValueError, match=r"X: its score is not a finite number of at most 1e\+100$"
    ):
        Symbol("X", score)
    assert [Symbol("X", limit).score for limit in (1e100, -1e100)] == [1e100, -1e100]


def test_the_reply_comes_from_the_opinion_that_decided() -> None:
    delay = Verdict(Action.TEMPFAIL, reply=Reply(451, "4.7.1", "later"))
    refuse = Verdict(Action.REJECT, reply=Reply(554, "5.7.0", "no"))
    assert (delay | refuse).reply == refuse.reply == (refuse | delay).reply
    silent = Verdict(Action.REJECT)
    assert (delay | silent).reply is None
    assert (silent | refuse).reply == refuse.reply


def test_a_later_estimate_replaces_an_earlier_and_none_replaces_nothing() -> None:
    first, second = Verdict(probability=0.2), Verdict(probability=0.9)
    assert (first | second).probability == 0.9
    assert (first | NO_OPINION).probability == 0.2
