"""Connections are counted in a window, and wait where there are too many in a second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mta import rates
from filterd.mta.rates import TICKS, ConnectionRates, Throttle


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_client_is_counted_until_its_window_is_over() -> None:
    clock = Clock()
    counted = ConnectionRates(60.0, clock)
    assert [counted.note("192.0.2.1") for _ in range(3)] == [(1, 1), (2, 2), (3, 3)]
    assert counted.note("192.0.2.2") == (1, 4)
    clock.now += 45
    assert counted.note("192.0.2.1") == (4, 5)
    clock.now += 20
    # The first three are out of the window, the fourth is in it.
    assert counted.note("192.0.2.1") == (2, 2)


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from("abc")), max_size=60))
def test_counts_are_those_of_the_last_six_ticks(steps: list[tuple[float, str]]) -> None:
    clock = Clock()
    counted = ConnectionRates(60.0, clock)
    seen: list[tuple[int, str]] = []
    for wait, client in steps:
        clock.now += wait
        tick = int(clock.now / 10)
        seen.append((tick, client))
        recent = [one for then, one in seen if then > tick - TICKS]
        assert counted.note(client) == (recent.count(client), len(recent))


@pytest.mark.slow
def test_as_many_clients_as_you_like_take_so_much_memory() -> None:
    counted = ConnectionRates()
    for number in range(rates.CLIENT_LIMIT + 100):
        counted.note(str(number))
    assert len(counted._clients) == rates.CLIENT_LIMIT
    assert counted.note("0")[0] == 1
    assert counted.note(str(rates.CLIENT_LIMIT + 99))[0] == 2


def test_more_connections_than_the_throttle_lets_through_wait_for_later_seconds() -> None:
    clock = Clock()
    clock.now = 1000.25
    throttle = Throttle(2, clock)
    assert [throttle.wait() for _ in range(5)] == [0.0, 0.0, 0.75, 0.75, 1.75]
    clock.now = 1003.0
    assert throttle.wait() == 0.0
    assert [Throttle(0, clock).wait() for _ in range(3)] == [0.0, 0.0, 0.0]
