"""Scores from labelled mail: their signs, their limits, the ham that they keep."""

from __future__ import annotations

import random

import pytest

from filterd.filters.points import PointTable
from filterd.rules.lab.observations import Observation
from filterd.rules.lab.weighing import (
    KNOTS,
    LEAST_HITS,
    Wanted,
    WeighingError,
    as_local_cf,
    weigh,
)

pytestmark = pytest.mark.slow

CHANCES = {"PILLS": (0.6, 0.01), "LOTTERY": (0.3, 0.005), "REPLY": (0.02, 0.4), "COIN": (0.5, 0.5)}
"""Of spam and of ham: how probable it is that a rule hits."""


def mail(count: int = 500, *, classifier: bool = False) -> list[Observation]:
    chance = random.Random(3)
    found = []
    for number in range(count):
        spam = number % 2 == 0
        hits = {n for n, of in CHANCES.items() if chance.random() < of[0 if spam else 1]}
        said = chance.gauss(4.0 if spam else -4.0, 3.0) if classifier else None
        found.append(Observation(str(number), spam, frozenset(hits), said))
    return found


def test_rules_get_points_by_what_they_tell() -> None:
    scores = weigh(mail(), nice={"REPLY"}).scores

    assert scores["PILLS"] > 1.0
    assert scores["LOTTERY"] > 1.0
    assert scores["REPLY"] < -0.5
    assert abs(scores["COIN"]) < 0.5


def test_only_nice_rules_give_points_below_zero() -> None:
    scores = weigh(mail()).scores

    assert min(scores.values()) >= 0.0
    assert scores["REPLY"] == 0.0


def test_no_rule_gives_more_than_is_allowed() -> None:
    scores = weigh(mail(), {"REPLY"}, Wanted(most=2.0)).scores

    assert max(map(abs, scores.values())) <= 2.0


@pytest.mark.parametrize("percent", [0.5, 2.0, 5.0])
def test_no_more_ham_is_lost_than_is_allowed(percent: float) -> None:
    weighed = weigh(mail(classifier=True), {"REPLY"}, Wanted(ham_percent=percent))

    assert weighed.ham_lost <= percent
    assert 0.0 < weighed.spam_passed < 60.0


def test_ham_that_is_allowed_to_be_lost_finds_more_spam() -> None:
    passed = [
        weigh(mail(classifier=True), {"REPLY"}, Wanted(ham_percent=percent)).spam_passed
        for percent in (0.5, 8.0)
    ]
    assert passed[1] < passed[0]


def test_the_classifiers_table_is_one_that_the_filter_takes() -> None:
    weighed = weigh(mail(classifier=True))

    assert tuple(p for p, _ in weighed.table) == KNOTS
    assert dict(weighed.table)[0.5] == 0.0
    assert PointTable(weighed.table).most > 1.0


def test_the_same_evidence_counts_less_beside_the_classifier() -> None:
    """A rule that says what the classifier says already gets fewer points."""
    alone = weigh(mail()).scores["PILLS"]
    sure = [
        Observation(one.name, one.spam, one.hits, 6.0 if "PILLS" in one.hits else 0.0)
        for one in mail()
    ]
    assert weigh(sure).scores["PILLS"] < alone / 2


def test_a_rule_with_few_hits_keeps_its_score() -> None:
    rare = [Observation("", True, frozenset({"RARE"}))] * (LEAST_HITS - 1)
    weighed = weigh([*mail(), *rare])

    assert "RARE" not in weighed.scores
    assert weighed.left_out == 1


def test_the_file_says_where_the_scores_are_from() -> None:
    text = as_local_cf(weigh(mail(classifier=True), {"REPLY"}), "corpus/index")

    assert text.startswith("# Scores from 250 spam and 250 ham: corpus/index\n")
    assert "#   points = [[0.001, -" in text
    assert "\nscore PILLS " in text
    assert "\nscore REPLY -" in text


REFUSED: dict[str, tuple[list[Observation], str]] = {
    "no mail": ([], "0 spam and 0 ham; expected at least 5 of each"),
    "only spam": ([Observation("", True, frozenset({"A"}))] * 50, "50 spam and 0 ham"),
    "no rule hits": ([Observation("", n % 2 == 0, frozenset()) for n in range(50)], "no rule hits"),
    "a coin": (
        [Observation("", n % 2 == 0, frozenset({"A"})) for n in range(50)],
        "no rule tells spam from ham",
    ),
}


@pytest.mark.parametrize(("observations", "why"), REFUSED.values(), ids=REFUSED)
def test_mail_of_which_no_scores_can_be_made(observations: list[Observation], why: str) -> None:
    with pytest.raises(WeighingError, match=why):
        weigh(observations)
