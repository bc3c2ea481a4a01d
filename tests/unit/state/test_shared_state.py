"""Every store does the same."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from filterd.state.facts import Addition, SharedState, StateEntry, StateKey, Window, state_key
from filterd.state.once import Counting
from filterd.state.opening import open_trial
from filterd.state.settings import StateSettings
from filterd.state.trial import TrialState
from tests.helpers.servers.redis_server import HAS_VALKEY

NOW = 1_700_000_000.0
KEY = StateKey("greylist", "192.0.2.0/24\tann@a.example\tjoe@mx.example")
USER = StateKey("rates", "user joe")
SHARED = ["sqlite", "redis", "postgresql", *(["valkey"] if HAS_VALKEY else [])]


def test_what_is_not_there(state: SharedState) -> None:
    assert state.get([], NOW) == []
    assert state.get([KEY, USER], NOW) == [None, None]
    assert not state.delete(KEY)
    assert state.entries("greylist", NOW, 10) == []
    assert state.windows([(USER, 60)]) == [Window(60)]
    assert not state.clear(USER)


def test_an_entry_is_made_and_touched(state: SharedState) -> None:
    made = state.touch(KEY, NOW, 100, "waits")
    assert (made.first, made.last, made.count, made.expires) == (NOW, NOW, 1, NOW + 100)
    again = state.touch(KEY, NOW + 60, 100, "something else")
    assert (again.first, again.last, again.count) == (NOW, NOW + 60, 2)
    assert (again.expires, again.value) == (NOW + 100, "waits")
    assert state.get([USER, KEY], NOW + 60) == [None, again]


def test_an_entry_that_has_expired_is_as_if_it_had_never_been(state: SharedState) -> None:
    state.touch(KEY, NOW, 100, "old")
    assert state.get([KEY], NOW + 100) == [None]
    assert state.entries("greylist", NOW + 100, 10) == []
    new = state.touch(KEY, NOW + 100, 50, "new")
    assert (new.first, new.count, new.expires, new.value) == (NOW + 100, 1, NOW + 150, "new")


def test_a_value_is_put(state: SharedState) -> None:
    state.touch(KEY, NOW, 100, "waits")
    put = state.put(KEY, NOW + 10, 1000, "has passed")
    assert (put.first, put.last, put.count) == (NOW, NOW + 10, 2)
    assert (put.expires, put.value) == (NOW + 1010, "has passed")
    assert state.get([KEY], NOW + 500) == [put]


def test_an_entry_of_the_future_was_made_now(state: SharedState) -> None:
    state.touch(KEY, NOW + 5000, 100)
    entry = state.touch(KEY, NOW, 100)
    assert (entry.first, entry.expires) == (NOW, NOW + 100)


def test_values_and_names_may_be_any_text(state: SharedState) -> None:
    key = state_key("greylist", 'a "b\\[*]? c', "jürgen@müller.example", "", "x" * 900)
    state.put(key, NOW, 100, " two  words\nand a line ")
    (found,) = state.entries("greylist", NOW, 10)
    assert (found.key, found.value) == (key, " two  words\nand a line ")
    assert state.delete(key)
    assert state.get([key], NOW) == [None]


def test_entries_are_listed_newest_first(state: SharedState) -> None:
    for number in range(30):
        value = "even" if number % 2 == 0 else "odd"
        state.put(StateKey("greylist", str(number)), NOW + number, 1000, value)
    state.put(StateKey("greylist2", "other"), NOW + 99, 1000, "even")
    names = [entry.key.name for entry in state.entries("greylist", NOW + 50, 3)]
    assert names == ["29", "28", "27"]
    names = [entry.key.name for entry in state.entries("greylist", NOW + 50, 3, "even")]
    assert names == ["28", "26", "24"]

    def is_small(entry: StateEntry) -> bool:
        return int(entry.key.name) < 10

    names = [one.key.name for one in state.entries("greylist", NOW + 50, 2, "odd", is_small)]
    assert names == ["9", "7"]


def test_counting_with_a_limit(state: SharedState) -> None:
    one = Addition(USER, 60, 1, limit=3)
    for number in (1, 2, 3):
        counted = state.add([one], NOW)
        assert not counted.exceeded
        assert counted.windows[0].at(NOW) == number
    counted = state.add([one], NOW)
    assert counted.exceeded == (0,)
    assert counted.windows[0].at(NOW) == 3
    later = NOW + counted.windows[0].room_in(1, 3, NOW)
    assert not state.add([one], later + 0.01).exceeded


def test_all_or_nothing(state: SharedState) -> None:
    other = StateKey("rates", "client 192.0.2.1")
    state.add([Addition(other, 60, 5)], NOW)
    both = [Addition(USER, 60), Addition(other, 60, 1, limit=5), Addition(USER, 3600)]
    counted = state.add(both, NOW)
    assert counted.exceeded == (1,)
    assert [one.at(NOW) for one in counted.windows] == [0, 5, 0]
    wanted = [(USER, 60), (other, 60), (USER, 3600)]
    assert [one.at(NOW) for one in state.windows(wanted)] == [0, 5, 0]


def test_one_key_several_times_in_one_step(state: SharedState) -> None:
    twice = [Addition(USER, 60, 2, limit=10), Addition(USER, 60, 3, limit=4)]
    counted = state.add(twice, NOW)
    assert counted.exceeded == (1,)
    assert state.windows([(USER, 60)])[0].at(NOW) == 0
    assert state.add([Addition(USER, 60, 2), Addition(USER, 60, 3)], NOW).windows[0].at(NOW) == 5
    assert state.add([], NOW).windows == ()


def test_counts_are_those_of_the_window(state: SharedState) -> None:
    chance = random.Random(7)
    model, now = Window(60), NOW
    for _ in range(60):
        now += chance.choice([-2, 0, 1, 10, 45, 61, 130])
        amount = chance.randint(1, 1_000_000)
        model = model.plus(amount, now)
        assert state.add([Addition(USER, 60, amount)], now).windows == (model,)
        assert state.windows([(USER, 60)])[0].at(now) == model.at(now)


def test_counts_are_cleared(state: SharedState) -> None:
    odd = state_key("rates", "user [*]\\")
    for key in (USER, odd):
        state.add([Addition(key, 60), Addition(key, 3600)], NOW)
    assert state.clear(odd)
    assert not state.clear(odd)
    assert [one.at(NOW) for one in state.windows([(odd, 60), (USER, 60)])] == [0, 1]


@pytest.mark.slow
def test_what_has_expired_is_deleted(state: SharedState) -> None:
    for number in range(2500):
        state.put(StateKey("greylist", str(number)), NOW, 10 if number else 1000)
    state.add([Addition(USER, 60)], NOW)
    state.expire(NOW + 500)
    assert [one.key.name for one in state.entries("greylist", NOW + 500, 10)] == ["0"]
    assert state.expire(NOW + 500) == 0


def test_many_at_once_never_exceed_a_limit(state: SharedState) -> None:
    additions = [Addition(USER, 60, 1, limit=20), Addition(StateKey("rates", "all"), 60)]
    with ThreadPoolExecutor(8) as pool:
        counted = list(pool.map(lambda _: state.add(additions, NOW), range(60)))
    assert sum(not one.exceeded for one in counted) == 20
    assert state.windows([(StateKey("rates", "all"), 60)])[0].at(NOW) == 20
    with ThreadPoolExecutor(8) as pool:
        touched = list(pool.map(lambda _: state.touch(KEY, NOW, 10), range(30)))
    assert sorted(one.count for one in touched) == list(range(1, 31))


@pytest.mark.parametrize("state", ["sqlite", "redis"], indirect=True)
def test_a_trial_knows_what_is_known_and_writes_nothing(state: SharedState) -> None:
    state.put(KEY, NOW, 1000, "waits")
    state.add([Addition(USER, 60, 5)], NOW)
    trial = TrialState(state)
    other = StateKey("greylist", "other")
    trial.touch(KEY, NOW + 1, 1000)
    trial.put(other, NOW + 1, 1000)
    trial.add([Addition(USER, 60, 2)], NOW)
    assert [one and one.count for one in trial.get([KEY, other], NOW + 1)] == [2, 1]
    assert [one.key for one in trial.entries("greylist", NOW + 1, 10)] == [other, KEY]
    assert trial.windows([(USER, 60)])[0].at(NOW) == 7
    assert trial.clear(USER)
    assert trial.delete(KEY)
    assert trial.get([KEY], NOW + 1) == [None]
    assert trial.windows([(USER, 60)])[0].at(NOW) == 0
    assert [one and one.count for one in state.get([KEY, other], NOW + 1)] == [1, None]
    assert state.windows([(USER, 60)])[0].at(NOW) == 5


def test_a_trial_makes_no_file(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "state.sqlite3"
    assert open_trial(StateSettings(), file).touch(KEY, NOW, 10).count == 1
    assert not file.parent.exists()


def counted(state: SharedState, key: StateKey) -> float:
    """What was counted there in a minute."""
    return state.windows([(key, 60)])[0].at(NOW)


@pytest.mark.parametrize("state", SHARED, indirect=True)
def test_what_is_counted_for_a_question_counts_once_however_often_it_is_put(
    state: SharedState,
) -> None:
    one, other = state_key("rate", "one"), state_key("rate", "other")
    first = Counting("place", 7)
    first.begin("rates")
    state.add([Addition(one, 60)], NOW, first.next())

    # The process ends; another one is asked the same, and comes further.
    again = Counting("place", 7, repeated=True)
    again.begin("rates")
    found = state.add([Addition(one, 60, 1.0, 1.0)], NOW + 1, again.next())
    assert (found.exceeded, found.windows[0].at(NOW)) == ((), 1.0)
    state.add([Addition(other, 60)], NOW + 1, again.next())

    # So does that one, and a third.
    third = Counting("place", 7, repeated=True)
    third.begin("rates")
    for key in (one, other):
        state.add([Addition(key, 60)], NOW + 2, third.next())
    third.begin("recipients")
    state.add([Addition(other, 60)], NOW + 2, third.next())

    assert [counted(state, one), counted(state, other)] == [1.0, 2.0]


@pytest.mark.parametrize("state", SHARED, indirect=True)
def test_the_next_question_in_its_place_is_another(state: SharedState) -> None:
    key = state_key("rate", "one")
    for number, place in ((7, "here"), (8, "here"), (8, "there"), (77, "here")):
        counting = Counting(place, number, repeated=True)
        counting.begin("rates")
        state.add([Addition(key, 60)], NOW, counting.next())

    assert counted(state, key) == 4.0


@pytest.mark.parametrize("state", SHARED, indirect=True)
def test_what_had_no_room_was_not_counted_and_is_not_taken_for_it(state: SharedState) -> None:
    full, key = state_key("rate", "full"), state_key("rate", "one")
    for repeated in (False, True):
        counting = Counting("place", 7, repeated=repeated)
        counting.begin("rates")
        found = state.add([Addition(full, 60, 1.0, 0.5)], NOW, counting.next())
        assert found.exceeded == (0,)
        counting.begin("recipients")
        state.add([Addition(key, 60)], NOW, counting.next())

    assert [counted(state, full), counted(state, key)] == [0.0, 1.0]


def test_without_a_place_nothing_is_marked() -> None:
    assert Counting().next() is None
