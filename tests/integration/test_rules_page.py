"""docs/mta-rules.md shows what the commands print: its files are written, its commands run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.helpers.process import require, unpacked

PAGE = Path(__file__).parents[2] / "docs/mta-rules.md"
MACROS = unpacked("sendmail") / "usr/share/sendmail/cf"


def said(folder: Path, command: str, typed: list[str]) -> str:
    """What a command of the page prints, with what was typed behind each prompt."""
    words = command.split()[1:]
    if words[1] == "build" or "--mc" in words:
        words += ["--macros", str(MACROS)]
    done = subprocess.run(
        [sys.executable, "-m", "filterd", *words],
        cwd=folder,
        input="".join(f"{line}\n" for line in typed),
        capture_output=True,
        text=True,
        check=False,
    )
    # Where the machine's own name has no domain, test mode says so first.
    printed = re.sub(r"(?m)^WARNING: local host name.*\n", "", done.stderr + done.stdout)
    first, *answers = re.split(r"(?m)^> ", printed)
    return first + "".join(
        f"> {line}\n{answer}" for line, answer in zip([*typed, ""], answers, strict=False) if line
    )


def stable(printed: str) -> str:
    """Without what another version of sendmail's m4 files changes: the lines of a file."""
    return re.sub(r"\d+ lines", "N lines", printed).rstrip("\n")


def test_every_command_of_the_page(tmp_path: Path) -> None:
    require("m4", "m4")
    require(unpacked("sendmail") / "usr/libexec/sendmail/sendmail", "sendmail-cf")
    blocks = re.findall(r"(?s)```\n\$ (.*?)\n(.*?)```", PAGE.read_text(encoding="utf-8"))
    commands = 0
    for command, shown in blocks:
        if command.startswith("cat "):
            (tmp_path / command.removeprefix("cat ")).write_text(shown)
            continue
        commands += 1
        typed = re.findall(r"(?m)^> (.*)$", shown)
        assert stable(said(tmp_path, command, typed)) == stable(shown), command
    assert commands == 5
