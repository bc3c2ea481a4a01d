"""A worker's limits where the system forbids some of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[3] / "packaging" / "filterd.service"

FORBIDDEN = """
import os, resource
def nice(_): raise PermissionError(1, "Operation not permitted")
os.nice = nice
from filterd.workers.worker import confine
confine(64)
assert resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
"""


@pytest.mark.slow
def test_a_worker_that_may_not_step_back_is_limited_all_the_same() -> None:
    subprocess.run([sys.executable, "-c", FORBIDDEN], check=True, timeout=30)


def test_the_unit_allows_what_workers_ask_for() -> None:
    """`@resources`, which the unit takes away, has setpriority(2); nice(2) needs it."""
    lines = re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.MULTILINE)
    forbidden = next(i for i, line in enumerate(lines) if "@resources" in line)
    allowed = " ".join(lines[forbidden + 1 :]).split()
    assert {"prlimit64", "setrlimit", "setpriority"} <= set(allowed)
