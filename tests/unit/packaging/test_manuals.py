"""Manual pages and completions are what the command line says of itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from filterd.cli import app
from tests.helpers.commands import commands

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manuals")
    subprocess.run([sys.executable, ROOT / "scripts/manuals.py", folder], cwd=ROOT, check=True)
    return folder


def test_every_command_has_a_page_with_its_options(made: Path) -> None:
    for words, command in commands():
        page = (made / "man" / f"{'-'.join(('filterd', *words))}.1").read_text("utf-8")
        for option in command.params:
            for name in (one for one in option.opts if one.startswith("--")):
                assert name.replace("-", "\\-") in page, (words, name)
    overview = (made / "man/filterd.1").read_text("utf-8")
    for name in app.COMMANDS:
        assert f".BR filterd\\-{name} (1)" in overview


def test_no_line_of_a_text_is_a_request_of_roff(made: Path) -> None:
    known = {".TH", ".SH", ".PP", ".TP", ".B", ".BR", ".I"}
    for path in (made / "man").iterdir():
        lines = path.read_text("utf-8").splitlines()
        requests = {line.split(" ")[0] for line in lines if line[:1] in (".", "'")}
        assert requests <= known, (path.name, requests - known)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("filterd quar", "quarantine"),
        ("filterd quarantine re", "release retry rescan"),
        ("filterd setup postfix --ap", "--apply"),
        ("filterd --vers", "--version"),
        ("filterd backup archive.tar.gz --js", "--json"),
    ],
)
def test_bash_completes(made: Path, typed: str, offered: str) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    words = typed.split(" ")
    script = (
        f"source {made}/bash/filterd; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; "
        '_filterd; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run([bash, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == (offered, "")
