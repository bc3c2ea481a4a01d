"""Filters of a site's own: as the documentation says, in the older form, and what is neither."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "filters" / "writing.md"

BOTH = """
from dataclasses import dataclass, field
from filterd.chain.verdict import Symbol, Verdict

@dataclass{options}
class Both:
    "Counts what it has seen."
    name = "both"
    points: float = 1.0
    seen: int = field(init=False, default=0)

    def examine(self, message):
        {count}
        return Verdict(symbols=(Symbol("BOTH_" + str(self.seen), self.points),))
"""


def installed(folder: Path, name: str, entry_point: str, code: str) -> None:
    """A package with one filter, as pip leaves it."""
    info = folder / f"{name}_filter-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-filter\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[filterd.filters]\n{name} = {entry_point}\n")
    (folder / f"{entry_point.partition(':')[0]}.py").write_text(code)


def filterd(folder: Path, settings: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "filterd.toml").write_text(settings)
    return subprocess.run(
        [sys.executable, "-P", "-m", "filterd", *arguments, "--config", folder / "filterd.toml"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def message(folder: Path) -> str:
    path = folder / "message.eml"
    path.write_bytes(b"Subject: HELLO\n\nText.\n")
    return str(path)


def test_the_filter_of_the_guide(tmp_path: Path) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    code = re.findall(r"```python\n(\"\"\".*?)```", guide, re.DOTALL)[0]
    (entry_point,) = re.findall(r'^shouting = "(.*)"$', guide, re.MULTILINE)
    installed(tmp_path, "shouting", entry_point, code)
    settings = '[chain]\nfilters = ["shouting"]\n[filters.shouting]\nscore = 2.5\n'
    done = filterd(tmp_path, settings, "scan", message(tmp_path))
    assert "SUBJ_ALL_CAPS 2.5" in done.stdout, done.stderr
    told = filterd(tmp_path, settings, "explain", message(tmp_path)).stdout
    assert "  SUBJ_ALL_CAPS 2.5: The Subject is all capitals.\n      HELLO\n" in told
    assert "score = 2.5  # default: 1.5" in filterd(tmp_path, settings, "check", "--show").stdout
    wrong = filterd(tmp_path, settings.replace("2.5", "-1") + "skore = 3\n", "check")
    assert wrong.returncode == 78
    assert ":4: filters.shouting.score: Input should be greater than or equal to 0" in wrong.stderr
    assert ":5: filters.shouting.skore: unknown key; did you mean 'score'?" in wrong.stderr


def test_the_filter_of_stages_in_the_guide_and_its_test(tmp_path: Path) -> None:
    guide = GUIDE.read_text(encoding="utf-8").partition("## While the SMTP session goes on")[2]
    code, test = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    assert len(code[code.index("@dataclass") :].splitlines()) <= 20
    installed(tmp_path, "ournames", "filterd_ournames:OurNames", code)
    (tmp_path / "test_ournames.py").write_text(test)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_ournames.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout
    settings = '[chain]\nfilters = ["ournames"]\n[filters.ournames]\nnames = ["mx.example"]\n'
    mail = message(tmp_path)
    as_client = ("--client", "192.0.2.1", "--helo", "mx.example", "--to", "joe@mx.example")
    refused = filterd(tmp_path, settings, "scan", "--json", *as_client, mail)
    report = json.loads(refused.stdout)
    assert (report["action"], report["stage"]) == ("reject", "recipient")
    assert report["reply"]["text"].startswith("That is our name")
    people = (*as_client, "--to", "postmaster@mx.example")
    both = json.loads(filterd(tmp_path, settings, "scan", "--json", *people, mail).stdout)
    outcomes = {one["recipient"]: (one["action"], one["rule"]) for one in both["outcomes"]}
    assert outcomes["joe@mx.example"] == ("reject", "ournames")
    assert outcomes["postmaster@mx.example"] == ("accept", "default")
    told = filterd(tmp_path, settings, "explain", *as_client, mail)
    assert "reject at RCPT, before the message came" in told.stdout, told.stderr
    points = filterd(tmp_path, settings, "scan", "--helo", "me", "--to", "joe@mx.example", mail)
    assert "HELO_NO_DOMAIN 1.0" in points.stdout


@pytest.mark.parametrize(
    ("options", "count"), [("", "self.seen += 1"), ("(frozen=True)", ""), ("(slots=True)", "")]
)
def test_a_class_that_is_settings_and_filter(tmp_path: Path, options: str, count: str) -> None:
    installed(tmp_path, "both", "both_filter:Both", BOTH.format(options=options, count=count))
    settings = '[chain]\nfilters = ["both"]\n[filters.both]\npoints = 3\n'
    twice = [message(tmp_path)] * 2
    done = filterd(tmp_path, settings, "scan", *twice)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"BOTH_\d", done.stdout) == (
        ["BOTH_1", "BOTH_2"] if count else ["BOTH_0"] * 2
    )
    shown = filterd(tmp_path, settings, "check", "--show").stdout
    assert "points = 3.0  # default: 1.0" in shown
    assert "seen" not in shown


@pytest.mark.parametrize(
    ("entry_point", "code", "says"),
    [
        ("bad:Bad", "class Bad: pass", "is not a dataclass with `build` (or `examine`)"),
        ("bad:Bad", "def Bad(): pass", "is not a dataclass with `build` (or `examine`)"),
        ("bad:Gone", "", "cannot be imported"),
        (
            "bad:Bad",
            "import no_such_module",
            "cannot be imported: No module named 'no_such_module'",
        ),
    ],
)
def test_what_is_no_filter_is_named(tmp_path: Path, entry_point: str, code: str, says: str) -> None:
    installed(tmp_path, "bad", entry_point, code)
    done = filterd(tmp_path, '[chain]\nfilters = ["bad"]\n', "check")
    assert done.returncode == 78
    assert says in done.stderr
    assert "Traceback" not in done.stderr
