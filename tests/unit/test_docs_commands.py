"""What the pages tell people to type is there: every command, with its options."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from filterd.cli import app
from tests.helpers.commands import commands
from tests.helpers.pages import PAGES, ROOT

pytestmark = pytest.mark.slow

_SHELL = re.compile(r"&&|\|\||[|;]")
_PROMPT = re.compile(r"^\s*(?:[$#] )?(?:sudo )?(?:-u \w+ )?")


@cache
def known() -> tuple[dict[tuple[str, ...], Any], set[tuple[str, ...]]]:
    """The commands by their words, and the groups of commands."""
    found = dict(commands())
    return found, {words[:length] for words in found for length in range(1, len(words))}


def typed(text: str) -> Iterator[list[str]]:
    """The words of every command line of filterd in the fenced blocks of a page."""
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            for part in _SHELL.split(_PROMPT.sub("", line)):
                # A word that ends in a colon is in what a program says.
                if part.strip().startswith("filterd ") and not re.search(r":(?: |$)", part):
                    try:
                        yield shlex.split(part, comments=True)[1:]
                    except ValueError:
                        continue  # output that looks like a command


def mistake(words: list[str]) -> str:
    """What is wrong with a command line, empty if nothing is."""
    by_words, groups = known()
    path: tuple[str, ...] = ()
    rest = list(words)
    while rest and ((*path, rest[0]) in by_words or (*path, rest[0]) in groups):
        path += (rest.pop(0),)
    if not path:
        others = {"--help", "--version", "COMMAND", "COMMAND..."}
        return "" if rest[0] in others else f"no command {rest[0]}"
    if path in groups and path not in by_words:
        return "" if not rest or not rest[0][:1].islower() else f"{path} has no {rest[0]}"
    options = {name for one in by_words[path].params for name in one.opts + one.secondary_opts}
    given = (word.partition("=")[0] for word in rest if re.match(r"--[a-z]", word))
    unknown = [one for one in given if one not in options | {"--help"}]
    return f"{' '.join(path)} has no {unknown[0]}" if unknown else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_a_page_is_there(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return
    lines = list(typed(page.read_text("utf-8")))
    assert [
        f"filterd {' '.join(line)}: {wrong}" for line in lines if (wrong := mistake(line))
    ] == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("quarantine release --learn X", ""),
        ("quarantine relase X", "('quarantine',) has no relase"),
        ("quarantine release --teach X", "quarantine release has no --teach"),
        ("bakcup x", "no command bakcup"),
        ("clamd reload --json", ""),
    ],
)
def test_what_is_not_there_is_noticed(line: str, wrong: str) -> None:
    assert mistake(line.split()) == wrong


def test_the_page_of_commands_is_of_today() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "scripts/manuals.py"], capture_output=True, text=True, check=True
    )
    page = (ROOT / "docs/commands.md").read_text("utf-8")
    assert made.stdout == page, "run: scripts/manuals.py > docs/commands.md"
    assert all(f"## filterd {name}" in page for name in app.COMMANDS)


def test_the_table_of_contents_has_every_page() -> None:
    index = ROOT / "docs/index.md"
    named = set(re.findall(r"^[\w./-]+$", index.read_text("utf-8"), re.M))
    there = {
        str(page.relative_to(ROOT / "docs").with_suffix(""))
        for page in (ROOT / "docs").rglob("*.md")
        if page != index and page.parent.name != "adr"
    }
    beside = {"../README", "../packaging/README", "../models/README", "../CHANGELOG"}
    assert named == there | beside
