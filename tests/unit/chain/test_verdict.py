"""Verdicts add up: the greater action wins, symbols and edits are joined, points stay exact."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.chain.verdict import NO_OPINION, Action, Reply, Symbol, Verdict

actions = st.sampled_from(Action)
symbols = st.builds(
    Symbol,
    st.text("ABC_", min_size=1),
    st.floats(-1000, 1000, allow_nan=False),
    st.text(max_size=5),
)
verdicts = st.builds(Verdict, action=actions, symbols=st.lists(symbols, max_size=5).map(tuple))


@given(verdicts, verdicts)
def test_of_two_actions_the_greater_wins(a: Verdict, b: Verdict) -> None:
    assert (a | b).action == max(a.action, b.action)


@given(verdicts, verdicts, verdicts)
def test_the_order_of_adding_does_not_matter_to_the_sum(a: Verdict, b: Verdict, c: Verdict) -> None:
    assert ((a | b) | c) == (a | (b | c))
    assert (a | NO_OPINION) == a == (NO_OPINION | a)


@given(st.lists(symbols, max_size=50))
def test_shown_points_add_up_exactly(found: list[Symbol]) -> None:
    shown = sum(round(symbol.score * 100) for symbol in found)
    assert round(Verdict(symbols=tuple(found)).score * 100) == shown


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_is_a_finite_number(score: float) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        Symbol("X", score)


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
