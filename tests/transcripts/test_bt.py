"""Dialogues with real sendmail's test mode, played again.

They lie beside the project, as those of `test_observed.py`. Some need sendmail's m4 files and its
makemap; some need a name server that knows the names in them, and are left to the judge there.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from filterd.mta.cf.host import Host
from filterd.mta.sendmail.macros import VERSION
from tests.helpers.bt import session
from tests.helpers.process import require, unpacked
from tests.transcripts import FOLDER

SHARED = FOLDER.parent
RECIPES = SHARED / "recipes"

NEEDS_DNS = re.compile(r"3\d\d-|119-|140-|158-|143-")
"""Files whose answers come from a name server or an LDAP server."""

MACHINE = Host(
    (
        ("v", VERSION),
        ("w", "mx.example.test"),
        ("j", "mx.example.test"),
        ("m", "example.test"),
        ("k", "vm"),
        ("_", "root@localhost"),
        ("opMode", "t"),
    ),
    ("mx.example.test",),
    "vm",
    qualified=True,
)
"""Where the dialogues were recorded."""

TIME = "$b"
"""A macro that is the time."""


@dataclass
class Dialogue:
    """files: below `mail`; maps: arguments of makemap; talk: what was typed, and the answers."""

    mc: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    raw: list[str] | None = None
    files: dict[str, list[str]] = field(default_factory=dict)
    maps: list[list[str]] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    start: list[str] = field(default_factory=list)
    talk: list[tuple[str, list[str]]] = field(default_factory=list)


def read(path: Path) -> Dialogue:
    found = Dialogue()
    block: list[str] | None = None
    talking = False
    for line in path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")[:-1]:
        if talking:
            ends = ("== exit status", "== stderr", "# (ended", "> (end of input)")
            if line.startswith(ends):
                break
            if line.startswith("> "):
                block = []
                found.talk.append((line[2:], block))
            elif block is not None:
                block.append(line)
        elif line == "== dialogue":
            talking = True
        elif line.startswith("#   ") and block is not None:
            block.append(line[4:])
        else:
            block = header_line(found, line)
    return found


def header_line(found: Dialogue, line: str) -> list[str] | None:
    """Take a line of the description. Returns where the lines of its block go."""
    file = re.match(r"# file mail/(.+):$", line)
    if file:
        return found.files.setdefault(file[1], [])
    if line == "# sendmail.cf:":
        found.raw = []
        return found.raw
    for start, into in (("# .mc: ", found.mc), ("# .mc (after MAILERs): ", found.tail)):
        if line.startswith(start):
            into.append(line[len(start) :])
    if line.startswith("# makemap "):
        found.maps.append(line[10:].split())
    elif line.startswith("# arguments: "):
        found.arguments = line[13:].split()
    elif line.startswith("# environment: "):
        found.environment = dict(one.split("=", 1) for one in line[15:].split(" "))
    elif not line.startswith("#") and line != "== start":
        found.start.append(line)
    return None


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """What the recipes want in one folder, made when the first one asks: sendmail, and the library
    that gives it a host name."""

    @cache
    def made() -> Path:
        sendmail = unpacked("sendmail")
        require(sendmail / "usr/libexec/sendmail/makemap", "sendmail-bin, which it unpacks")
        folder = tmp_path_factory.mktemp("prefix")
        (folder / "sendmail").symlink_to(sendmail)
        shim = ["-o", folder / "syslogshim.so", RECIPES / "syslogshim.c"]
        subprocess.run([require("gcc", "gcc"), "-shared", "-fPIC", *shim], check=True)
        return folder

    return made


def prepared(found: Dialogue, folder: Path, prefix: Callable[[], Path]) -> Path:
    """The configuration with its maps, in a folder."""

    def here(lines: list[str]) -> str:
        return "\n".join(lines).replace("DIR", str(folder)) + "\n"

    (folder / "mail").mkdir()
    for name, lines in found.files.items():
        (folder / "mail" / name).write_text(here(lines), errors="surrogateescape")
    for *flags, name in found.maps:
        makemap = prefix() / "sendmail/usr/libexec/sendmail/makemap"
        source = folder / "mail" / name
        with source.open("rb") as file:
            command = [makemap, "-C", "/dev/null", *flags, source]
            subprocess.run(command, stdin=file, capture_output=True, check=False)
    path = folder / "sendmail.cf"
    if found.raw is not None:
        path.write_text(here(found.raw))
        return path
    (folder / "x").write_text(here(found.mc))
    (folder / "y").write_text(here(found.tail))
    subprocess.run(
        [RECIPES / "sendmail.sh", "conf", folder, "20990", folder / "x", folder / "y"],
        capture_output=True,
        check=False,  # it ends with 70 where the case is about a mistake
        env={**os.environ, "PFX": str(prefix()), **found.environment},
    )
    if "service.switch" in found.files:
        (folder / "mail/service.switch").write_text(here(found.files["service.switch"]))
    return path


OF_ITS_VERSION = re.compile(r"(?<=sendmail\.cf: line )[0-9]+|8\.1[78](\.[0-9]+)+")
"""The line of a file that other m4 files make longer, and the version that they note in it."""


def comparable(typed: str, text: str) -> list[str]:
    """An answer. The order of a class does not count, nor do empty lines, which some lack, nor what
    is of the m4 files' version."""
    text = OF_ITS_VERSION.sub("N", text)
    lines = [line for line in text.split("\n") if line and line != "\\no newline"]
    return sorted(lines) if typed.startswith("$=") else lines


def unescaped(text: str) -> str:
    return re.sub(r"\\x([01][0-9a-f]|7f)", lambda octet: chr(int(octet[1], 16)), text)


def dialogues() -> list[Path]:
    found = [*(SHARED / "sendmail-cf/bt").glob("*.txt"), *(FOLDER / "bt").glob("*.txt")]
    return sorted(path for path in found if not NEEDS_DNS.match(path.name))


@pytest.mark.skipif(
    not dialogues(), reason=f"no dialogues with sendmail -bt in {SHARED} (set FILTERD_SHARED)"
)
@pytest.mark.parametrize("path", dialogues(), ids=lambda path: path.stem)
@pytest.mark.slow
def test_an_observed_dialogue(path: Path, prefix: Callable[[], Path]) -> None:
    found = read(path)
    # sendmail shows 83 octets of the file's name, so the folder's must be short.
    with tempfile.TemporaryDirectory(prefix="bt", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cf = prepared(found, folder, prefix)
        debug = [one[2:] for one in found.arguments if one.startswith("-d")]
        preset = [
            f"{'D' if one[1] == 'M' else 'O'}{one[2:]}"
            for one in found.arguments
            if one[:2] in ("-M", "-o")
        ]
        typed = [unescaped(line).replace("DIR", name) for line, _answer in found.talk]
        answers = session(cf, typed, debug=debug, preset=preset, machine=MACHINE)
    wanted = [("", found.start), *found.talk]
    for (line, want), answer in zip(wanted, answers, strict=True):
        if line != TIME and "\ufffd" not in "".join(want):
            shown = answer.replace(name, "DIR")
            text = re.sub(r"> $", "", "\n".join(want))
            assert comparable(line, shown) == comparable(line, text), line
