"""Work done again and again: one run at a time, whatever it raises, until the end."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from filterd.system.periodic import Periodic

LIMIT = 30.0
"""Seconds within which a thread does what it is waited for."""


def runs(number: int) -> Callable[[float], bool]:
    """Waits for nothing, and ends after so many runs."""
    left = [number]

    def wait(_seconds: float) -> bool:
        left[0] -= 1
        return left[0] < 0

    return wait


def test_it_runs_in_a_thread_of_that_name_until_it_is_ended() -> None:
    names = list[str]()
    third = threading.Event()

    def work() -> None:
        names.append(threading.current_thread().name)
        if len(names) == 3:
            third.set()

    periodic = Periodic("upkeep", work, 0.001)
    assert not periodic.is_alive
    periodic.start()
    assert third.wait(LIMIT)
    periodic.end(LIMIT)
    assert not periodic.is_alive
    assert set(names) == {"upkeep"}


def test_it_may_run_at_its_beginning_too() -> None:
    done = list[int]()
    periodic = Periodic("x", lambda: done.append(1), 60.0, at_start=True, wait=runs(0))
    periodic.start()
    periodic.end(LIMIT)
    assert done == [1]


@pytest.mark.parametrize(("at_end", "count"), [(False, 3), (True, 4)])
def test_the_work_comes_after_each_interval_and_at_the_end_if_asked_for(
    at_end: bool, count: int
) -> None:
    done = list[int]()
    periodic = Periodic("x", lambda: done.append(1), 60.0, at_end=at_end, wait=runs(3))
    periodic.start()
    periodic.end(LIMIT)
    assert len(done) == count


def test_the_interval_is_what_is_waited_for() -> None:
    waited = list[float]()

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return True

    periodic = Periodic("x", lambda: None, 17.0, wait=wait)
    periodic.start()
    periodic.end(LIMIT)
    assert waited == [17.0]


def test_it_is_not_started_twice() -> None:
    periodic = Periodic("x", lambda: None, 60.0)
    periodic.start()
    with pytest.raises(RuntimeError):
        periodic.start()
    periodic.end(LIMIT)
    assert not periodic.is_alive


def test_a_run_that_takes_long_is_not_overtaken_and_end_does_not_wait_for_ever() -> None:
    began, go_on = threading.Event(), threading.Event()
    at_work, most = 0, 0

    def work() -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        began.set()
        go_on.wait(LIMIT)
        at_work -= 1

    periodic = Periodic("x", work, 0.0)
    periodic.start()
    assert began.wait(LIMIT)
    periodic.end(0.01)
    assert periodic.is_alive
    go_on.set()
    periodic.end(LIMIT)
    assert not periodic.is_alive
    assert most == 1


def test_an_exception_is_logged_once_for_its_kind_and_the_next_run_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    raised = iter([KeyError("a"), KeyError("b"), ValueError("c"), None, None, ValueError("d")])
    done = 0

    def work() -> None:
        nonlocal done
        done += 1
        if (error := next(raised)) is not None:
            raise error

    periodic = Periodic("digest", work, 60.0, wait=runs(6))
    periodic.start()
    periodic.end(LIMIT)
    assert done == 6
    assert [record.getMessage() for record in caplog.records] == [
        "digest: 'a'; the next run is in 60 s",
        "digest: c; the next run is in 60 s",
        "digest: works again",
        "digest: d; the next run is in 60 s",
    ]
    assert [record.exc_info is not None for record in caplog.records] == [True, True, False, True]


def test_nothing_else_waits_in_a_loop_of_its_own() -> None:
    package = Path(__file__).resolve().parents[3] / "filterd"
    loops = re.compile(r"while not [\w.]+\.wait\(|while True:\n\s+time\.sleep\(")
    found = {path.name for path in package.rglob("*.py") if loops.search(path.read_text())}
    assert found == set()
