"""Keys and sliding windows, without a store."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from filterd.state.facts import NAME_LIMIT, Window, state_key

NOW = 1_700_000_000.0
HOUR = 3600
START = NOW - NOW % HOUR
"""Beginning of a slot of an hour."""


@given(st.lists(st.text(max_size=400), max_size=4))
def test_a_key_is_bounded_and_can_be_stored(words: list[str]) -> None:
    name = state_key("kind", *words).name
    assert len(name.replace("\\u", "")) <= 6 * NAME_LIMIT
    assert "\0" not in name and "\n" not in name
    name.encode("utf-8")


def test_long_names_that_differ_at_their_ends_are_two() -> None:
    one, other = (state_key("kind", "a" * 1000 + end) for end in "xy")
    assert len(one.name) == len(other.name) == NAME_LIMIT
    assert one != other


def test_a_word_cannot_pass_for_two() -> None:
    assert state_key("kind", "a\tb") != state_key("kind", "a", "b")


def test_the_former_slot_fades() -> None:
    window = Window(HOUR).plus(10, START)
    assert [window.at(START + share * HOUR) for share in (0, 0.5, 1, 1.25, 1.5, 2, 3)] == [
        10,
        10,
        10,
        7.5,
        5,
        0,
        0,
    ]


def test_counting_goes_on_in_the_next_slot() -> None:
    window = Window(HOUR).plus(10, START).plus(4, START + 1.5 * HOUR)
    assert window.at(START + 1.5 * HOUR) == 9
    assert window.at(START + 2.5 * HOUR) == 2


def test_a_clock_that_is_a_little_behind_counts_on() -> None:
    window = Window(HOUR).plus(10, START).plus(1, START - 1)
    assert window.at(START) == 11


def test_a_clock_that_was_far_ahead_is_forgotten() -> None:
    window = Window(HOUR).plus(10, START + 1000 * HOUR)
    assert window.at(START) == 0
    assert window.plus(1, START).at(START) == 1


def test_what_is_above_the_limit_never_has_room() -> None:
    assert Window(HOUR).room_in(11, 10, START) == math.inf


@given(
    st.lists(st.tuples(st.floats(0, 3 * HOUR), st.integers(1, 20)), max_size=10),
    st.integers(1, 10),
    st.floats(0, 4 * HOUR),
)
def test_there_is_room_when_it_says_so_and_not_much_earlier(
    counted: list[tuple[float, int]], amount: int, later: float
) -> None:
    window = Window(HOUR)
    for passed, count in sorted(counted):
        window = window.plus(count, START + passed)
    now = START + max([later, *(passed for passed, _ in counted)])
    wait = window.room_in(amount, 10, now)
    assert window.at(now + wait) + amount <= 10 + 1e-3
    if wait > 1:
        assert window.at(now + wait - 1) + amount > 10
