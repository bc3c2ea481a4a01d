"""The small inputs that showed faults once, judged by their own judge through `filterd scan`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.servers.clamd import Clamd
from tests.hostile.corpus import CORPORA

pytestmark = pytest.mark.integration

CASES = CORPORA.parent / "cases"
"""Beside the project: messages and files, `expect.tsv` with what must hold of each, `judge.py`."""


def test_each_small_case_has_the_verdict_that_it_must_have(clamd: Clamd, tmp_path: Path) -> None:
    judge, expected = CASES / "judge.py", CASES / "expect.tsv"
    if not judge.is_file():
        pytest.skip(f"no {judge} (set FILTERD_SHARED)")
    settings = tmp_path / "filterd.toml"
    settings.write_text(
        '[chain]\nfilters = ["senders", "gtube", "parts", "clamav", "bayes"]\n'
        f'[filters.clamav]\nserver = "unix:{clamd.socket}"\n'
    )
    filterd = Path(sys.executable).with_name("filterd")
    command = [sys.executable, judge, filterd, settings, CASES, expected]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    count = sum(bool(row) and row[0] != "#" for row in expected.read_text().splitlines())
    assert count > 0
    assert told[-1] == f"{count} of {count}", "\n".join(told)
