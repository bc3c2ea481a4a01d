"""Manual pages and completions are what the command line says of itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from filterd.cli import app
from tests.helpers.commands import commands
from tests.helpers.process import require

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
        ("filterd quarantine re", "release retry rescan release-service"),
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


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("quar", {"quarantine"}),
        ("quarantine re", {"release", "retry", "rescan", "release-service"}),
        ("setup postfix --ap", {"--apply"}),
        ("--vers", {"--version"}),
        ("backup archive.tar.gz --js", {"--json"}),
        ("mta bt --nothing-like-it", set()),
    ],
)
def test_zsh_and_fish_complete_the_same_and_say_what_it_is(
    made: Path, typed: str, offered: set[str]
) -> None:
    *before, begun = typed.split(" ")
    fish = subprocess.run(
        [
            require("fish", "fish"),
            *("-N", "-c", f"source {made}/fish/filterd.fish; complete -C 'filterd {typed}'"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    # Only what a line editor adds is not there: what zsh was told to offer, and where.
    script = (
        f"_describe() {{ print -l -- ${{(P)3}} }}; _files() {{ }}; words=(filterd {typed}); "
        f"CURRENT={len(before) + 2}; source {made}/zsh/_filterd"
    )
    zsh = subprocess.run(
        [require("zsh", "zsh"), "-f", "-c", script], capture_output=True, text=True, check=True
    )
    assert (fish.stderr, zsh.stderr) == ("", "")
    by_fish = dict(line.partition("\t")[::2] for line in fish.stdout.splitlines())
    by_zsh = dict(line.partition(":")[::2] for line in zsh.stdout.splitlines())
    assert {name for name in by_zsh if name.startswith(begun)} == offered == set(by_fish)
    assert all(by_zsh[name] == by_fish[name] for name in offered)
    assert all(by_fish.values())
