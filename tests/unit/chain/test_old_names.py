"""A plugin that was written before the rooms: it works, and `check` says what to change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OLD_PLUGIN = """
from dataclasses import dataclass
from typing import ClassVar

from filterd.budget import BudgetExceeded
from filterd.message import Message
from filterd.verdict import NO_OPINION, Symbol, Verdict


@dataclass(frozen=True)
class Old:
    name: ClassVar[str] = "old"
    points: float = 1.0

    def examine(self, message: Message) -> Verdict:
        try:
            return Verdict(symbols=(Symbol("OLD_FILTER", self.points),))
        except BudgetExceeded:
            return NO_OPINION
"""


def filterd(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with the plugin installed in `folder`."""
    info = folder / "old_filter-1.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: old-filter\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[filterd.filters]\nold = old_filter:Old\n")
    (folder / "old_filter.py").write_text(OLD_PLUGIN)
    (folder / "filterd.toml").write_text('[chain]\nfilters = ["old"]\n')
    return subprocess.run(
        [sys.executable, "-P", "-m", "filterd", *arguments, "--config", folder / "filterd.toml"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_check_names_the_new_modules(tmp_path: Path) -> None:
    done = filterd(tmp_path, "check")
    assert done.returncode == 0, done.stderr
    assert "a plugin imports filterd.budget, which is now filterd.chain.budget" in done.stderr
    assert "a plugin imports filterd.verdict, which is now filterd.chain.verdict" in done.stderr


@pytest.mark.slow
def test_its_verdict_counts(tmp_path: Path) -> None:
    message = tmp_path / "message.eml"
    message.write_bytes(b"Subject: x\n\nText.\n")
    done = filterd(tmp_path, "scan", str(message))
    assert "OLD_FILTER" in done.stdout, done.stderr


def test_it_is_the_same_module_and_other_names_are_not_found() -> None:
    script = (
        "import sys\n"
        "import filterd.chain.filter as f\n"
        "f.old_names.install()\n"
        "import filterd.verdict, filterd.chain.verdict\n"
        "assert sys.modules['filterd.verdict'] is sys.modules['filterd.chain.verdict']\n"
        "import filterd.policy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "No module named 'filterd.policy'" in done.stderr
