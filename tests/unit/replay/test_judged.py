"""Two judgements of one message, and what of them differs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.replay.judged import TAKEN, Judged, JudgedSummary, Pair


def pair(before: Judged, after: Judged) -> Pair:
    return Pair("m", before, after)


@pytest.mark.parametrize(
    ("before", "after", "differs"),
    [
        (Judged("accept"), Judged("accept"), False),
        (Judged("accept"), Judged("accept", labelled=True), True),
        (Judged("accept"), Judged("reject"), True),
        # A label is for mail that is delivered; refused mail is refused, labelled or not.
        (Judged("reject", labelled=True), Judged("reject"), False),
        # The wire does not say which of the two it was.
        (Judged(TAKEN), Judged("quarantine", labelled=True), False),
        (Judged("discard"), Judged(TAKEN), False),
        (Judged("quarantine"), Judged("discard"), True),
        (Judged(TAKEN), Judged("accept"), True),
        (Judged("tempfail"), Judged(TAKEN), True),
    ],
)
def test_another_answer(before: Judged, after: Judged, differs: bool) -> None:
    assert pair(before, after).action_differs is differs
    assert pair(after, before).action_differs is differs


@pytest.mark.parametrize(
    ("before", "after", "differs"),
    [
        (1.0, 1.0, False),
        (1.0, 1.01, True),
        (1.0, 1.004, False),
        (None, 1.0, False),
        (0.0, -1, True),
    ],
)
def test_other_points(before: float | None, after: float | None, differs: bool) -> None:
    found = pair(Judged("accept", score=before), Judged("accept", score=after))
    assert (found.score_differs, found.differs) == (differs, differs)


def test_symbols_that_came_went_and_count_differently() -> None:
    before = Judged("accept", symbols=(("A", 1.0), ("B", 2.0), ("B", 2.0), ("C", 0.0)))
    after = Judged("accept", symbols=(("B", 3.0), ("C", 0.0), ("D", -1.5)))
    assert pair(before, after).changes == ["-A 1.0", "B 4.0→3.0", "+D -1.5"]
    assert pair(before, before).changes == []


def test_symbols_of_a_side_that_does_not_tell_them() -> None:
    assert pair(Judged("accept", symbols=(("A", 1.0),)), Judged("accept")).changes == []


JUDGEMENTS = st.builds(
    Judged,
    st.sampled_from(["accept", "quarantine", "discard", "tempfail", "reject", TAKEN]),
    st.booleans(),
    st.none() | st.floats(-100, 100),
    st.none() | st.lists(st.tuples(st.sampled_from("ABC"), st.floats(-9, 9))).map(tuple),
)


@given(JUDGEMENTS)
def test_nothing_differs_from_itself(one: Judged) -> None:
    assert not pair(one, one).differs


@given(st.lists(st.tuples(JUDGEMENTS, JUDGEMENTS)))
def test_a_summary_counts_every_message_once(pairs: list[tuple[Judged, Judged]]) -> None:
    summary = JudgedSummary()
    for before, after in pairs:
        summary.add(pair(before, after))
    told = summary.to_json()
    assert told["messages"] == len(pairs) >= told["actions_differ"] + told["only_scores_differ"]
    assert sum(move["messages"] for move in told["moves"]) == told["actions_differ"]
    assert all(move["before"] != move["after"] for move in told["moves"])
