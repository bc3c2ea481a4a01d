"""What one client may have under way."""

from __future__ import annotations

import threading
import time

import pytest

from filterd.workers.shares import Shares


def soon() -> float:
    return time.monotonic() + 30


def test_a_client_has_so_many_places_and_others_have_theirs() -> None:
    shares = Shares(2)
    with shares.place("a", soon()), shares.place("a", soon()):
        with pytest.raises(TimeoutError), shares.place("a", time.monotonic()):
            pass
        with shares.place("b", soon()):
            assert shares.clients == 2
    with shares.place("a", soon()):
        assert shares.clients == 1
    assert shares.clients == 0


def test_all_addresses_of_a_host_have_the_same_places() -> None:
    shares = Shares(1)
    with shares.place("2001:db8::1", soon()):
        with pytest.raises(TimeoutError), shares.place("2001:db8::2", time.monotonic()):
            pass
        with shares.place("2001:db8:0:1::1", soon()), shares.place("", soon()):
            assert shares.clients == 3
    with shares.place("192.0.2.7", soon()), shares.place("192.0.2.8", soon()):
        assert shares.clients == 2


def test_who_waits_gets_a_place_that_is_given_back() -> None:
    shares, has_one = Shares(1), threading.Event()

    def wait() -> None:
        with shares.place("a", soon()):
            has_one.set()

    with shares.place("a", soon()):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not has_one.is_set()
    assert has_one.wait(30)
    waiting.join()
    assert shares.clients == 0


def test_an_error_gives_the_place_back() -> None:
    shares = Shares(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="as told"), shares.place("a", soon()):
            raise ValueError("as told")
    assert shares.clients == 0
