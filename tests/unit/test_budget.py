"""Time limits: in a process that owns the alarm, as a worker does, and in one that does not."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from filterd.chain.budget import BudgetExceeded, within

OWNED = """
import signal, time
from filterd.chain.budget import BudgetExceeded, interrupted, own_alarm, within
own_alarm()
def turn(until):
    while time.monotonic() < until:
        pass
def work_on(until, swallow):
    while time.monotonic() < until:
        try:
            turn(until)
        except BudgetExceeded:
            if not swallow:
                raise
            swallow -= 1
def seconds(budget, work, swallow=0):
    started = time.monotonic()
    try:
        within(budget, work_on, started + work, swallow)
    except BudgetExceeded:
        return time.monotonic() - started
    return None
{code}
"""


def owned(code: str) -> None:
    """Run code in a process that owns its alarm; its assertions are ours."""
    done = subprocess.run([sys.executable, "-c", OWNED.format(code=code)], check=False, timeout=30)
    assert done.returncode == 0


def loop() -> None:
    while True:
        pass


def test_code_that_takes_too_long_is_interrupted() -> None:
    started = time.monotonic()
    with pytest.raises(BudgetExceeded):
        within(0.05, loop)
    assert 0.05 <= time.monotonic() - started < 5


def test_code_in_time_is_not() -> None:
    assert within(0.05, max, 1, 2) == 2
    time.sleep(0.1)


def test_other_threads_run_unlimited() -> None:
    done = []

    def work() -> None:
        within(0.01, time.sleep, 0.05)
        done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


@pytest.mark.parametrize("budget", [0.05, 0.4])
def test_block_after_block(budget: float) -> None:
    owned(
        "for _ in range(2):\n"
        f"    taken = seconds({budget}, 10)\n"
        f"    assert {budget} <= taken < {budget} + 5, taken\n"
        f"    assert seconds({budget}, 0.0) is None"
    )


def test_a_short_limit_after_a_long_one() -> None:
    owned("assert seconds(5, 0.3) is None\nassert seconds(0.02, 10) < 5")


def test_a_long_limit_after_a_short_one() -> None:
    owned("assert seconds(0.02, 0.0) is None\nassert seconds(5, 0.5) is None")


def test_the_clock_stops_when_nothing_is_watched() -> None:
    owned(
        "assert seconds(5, 0.0) is None\n"
        "time.sleep(0.6)\n"
        "assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)\n"
        "assert seconds(0.3, 10) < 5"
    )


def test_who_swallows_the_first_gets_another() -> None:
    owned("assert 0.05 + 0.25 <= seconds(0.05, 10, swallow=1) < 5")


def test_the_clock_is_stopped_before_the_process_takes_its_time_to_end() -> None:
    owned(
        "class Slow:\n"
        "    def __del__(self, sleep=time.sleep):\n"
        "        sleep(0.6)\n"
        "slow = Slow()\n"
        "assert seconds(5, 0.0) is None"
    )


def test_a_c_function_is_interrupted_too() -> None:
    with pytest.raises(BudgetExceeded):
        within(0.05, time.sleep, 10)


LOOPS = """
def nested():
    while True:
        try:
            while True:
                try:
                    while True:
                        pass
                except BudgetExceeded:
                    raise
        except ValueError:
            pass

def held():
    with Held():
        while True:
            pass

class Held:
    def __enter__(self): return self
    def __exit__(self, *_): pass
"""


@pytest.mark.parametrize("function", ["nested", "held"])
def test_no_interruption_passes_by_the_caller(function: str) -> None:
    """Python 3.13: of sixty that a signal raises in such loops, twenty pass by the frame's own
    `except`. None may pass by `within` and who called it, or leave the process under a limit."""
    owned(
        f"{LOOPS}\n"
        "for _ in range(40):\n"
        "    try:\n"
        f"        within(0.01, {function})\n"
        "    except BudgetExceeded:\n"
        "        pass\n"
        "    else:\n"
        "        raise AssertionError\n"
        "assert interrupted()\n"
        "turn(time.monotonic() + 0.6)\n"
        "assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)"
    )


def test_an_alarm_raises_only_in_what_was_called() -> None:
    """The handler finds itself in the frames around the call, as it may at any instruction."""
    owned(
        "import sys\n"
        "from filterd.chain import budget\n"
        "budget._Alarm.running, budget._Alarm.deadline = True, 0.0\n"
        "budget._raise(0, sys._getframe())\n"
        "assert not interrupted()\n"
        "try:\n"
        "    budget._call(lambda: budget._raise(0, sys._getframe()))\n"
        "except BudgetExceeded:\n"
        "    budget._Alarm.running = False\n"
        "assert interrupted()"
    )
