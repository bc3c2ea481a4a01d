"""What rules do on labelled mail: how often they hit, and what they tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.rules.lab.observations import Observation
from filterd.rules.lab.statistics import by_worth, statistics

MAIL = [
    Observation(f"spam{n}", True, frozenset({"ALL"} | ({"PILLS"} if n < 3 else set())))
    for n in range(4)
] + [
    Observation(f"ham{n}", False, frozenset({"ALL"} | ({"REPLY"} if n else set())))
    for n in range(2)
]


def test_percent_and_share_of_spam() -> None:
    found = statistics(MAIL)

    assert list(found) == ["ALL", "PILLS", "REPLY"]
    table = {
        name: (one.overall_percent, one.spam_percent, one.ham_percent, one.s_o)
        for name, one in found.items()
    }
    assert table == {
        "ALL": (100.0, 100.0, 100.0, 0.5),
        "PILLS": (50.0, 75.0, 0.0, 1.0),
        "REPLY": (pytest.approx(100 / 6), 0.0, 50.0, 0.0),
    }


def test_the_best_for_spam_first_and_for_ham_last() -> None:
    assert [one.name for one in by_worth(statistics(MAIL).values())] == ["PILLS", "ALL", "REPLY"]


def test_no_mail_is_no_rules() -> None:
    assert statistics([]) == {}


@given(st.lists(st.tuples(st.booleans(), st.frozensets(st.sampled_from("ABC")))))
def test_hits_are_counted_once_a_message(mail: list[tuple[bool, frozenset[str]]]) -> None:
    found = statistics(Observation("", spam, hits) for spam, hits in mail)
    for name in "ABC":
        hits = sum(name in hits for _, hits in mail)
        assert (found[name].spam + found[name].ham if name in found else 0) == hits
    assert all(0.0 <= one.s_o <= 1.0 for one in found.values())
