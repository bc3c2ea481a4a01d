"""The tool that changes code to see whether tests notice it (`bench.mutations`)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.mutations.changes import changes
from filterd.system.child import python_command

CODE = '''\
"""An example."""

LIMIT = 500
STEP = -1


def grade(points: int, strict: bool = False) -> str:
    if points < 0:
        raise ValueError("below nothing")
    while points >= 10:
        points += STEP
    if strict and points == 5:
        return "good"
    return "fair"
'''

TESTS = """\
import pytest
from example import grade


def test_grades() -> None:
    assert grade(12) == grade(5) == "fair"
    assert grade(5, True) == "good"
    assert grade(4, True) == "fair"


def test_nothing_is_below_nothing() -> None:
    with pytest.raises(ValueError):
        grade(-1)
"""


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / "example.py"
    path.write_text(CODE)
    return path


def test_what_is_changed(example: Path) -> None:
    """Everything but types, named limits, and the words of errors."""
    found = sorted((one.line, one.text) for one in changes(example))
    assert [f"{line} {text}" for line, text in found] == [
        "4 `1` → `2`",
        "7 `False` → `True`",
        "8 `0` → `1`",
        "8 `points < 0` → `points <= 0`",
        "9 `raise ValueError('below nothing')` → `nothing`",
        "10 `10` → `11`",
        "10 `points >= 10` → `points > 10`",
        "11 `points += STEP` → `nothing`",
        "12 `5` → `6`",
        "12 `points == 5` → `points != 5`",
        "12 `strict and points == 5` → `points == 5`",
        "12 `strict and points == 5` → `strict or points == 5`",
        "12 `strict and points == 5` → `strict`",
        "13 `'good'` → `''`",
        "14 `'fair'` → `''`",
    ]
    # What runs as the module is imported, and cannot be changed in a function afterwards.
    assert {one.line for one in changes(example) if not one.swaps} == {4, 7}


def _mutations(module: Path, tests: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        python_command("bench.mutations", "--modules", str(module), "--tests", str(tests)),
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.minutes
def test_changes_that_tests_do_not_notice(example: Path) -> None:
    tests = example.with_name("test_example.py")
    tests.write_text(TESTS)
    done = _mutations(example, tests)
    assert done.stderr == ""
    *lines, last = done.stdout.splitlines()
    assert lines == [
        "changes: 15 changes",
        "example.py:4: `1` → `2`",
        "example.py:8: `points < 0` → `points <= 0`",
        "example.py:8: `0` → `1`",
        "example.py:10: `points >= 10` → `points > 10`",
        "example.py:10: `10` → `11`",
    ]
    # Without the step the loop has no end.
    assert last.startswith("changes: 15 tried, 5 not noticed, 1 ended by a limit, ")


@pytest.mark.slow
def test_tests_that_fail_without_a_change_say_nothing(example: Path) -> None:
    tests = example.with_name("test_example.py")
    tests.write_text(TESTS.replace("fair", "poor"))
    done = _mutations(example, tests)
    assert (done.stdout, done.returncode) == ("changes: 15 changes\n", 1)
    assert done.stderr == f"changes: the tests fail without a change: {tests}\n"
