"""docs/mta-rules.md shows what the commands print: its files are written, its commands run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.namespace import Namespace, passwd
from tests.helpers.process import Program, folder, require, unpacked, wait_for
from tests.helpers.servers.dovecot import is_2_4

pytestmark = pytest.mark.minutes

PAGE = Path(__file__).parents[2] / "docs/mta-rules.md"
FIRST, WHOLE = PAGE.read_text(encoding="utf-8").split("\n## A whole configuration\n")
"""The part for everybody, and the one that delivers mail."""

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


def blocks(text: str) -> list[tuple[str, str]]:
    """The commands of a part of the page, and what they print."""
    return re.findall(r"(?s)```\n\$ (.*?)\n(.*?)```", text)


def stable(printed: str) -> str:
    """Without what another version of sendmail's m4 files changes: the lines of a file; and without
    the ids of messages."""
    printed = re.sub(r"\d+ lines", "N lines", printed)
    return re.sub(r"\b6[0-9A-Za-z]{13}\b", "ID", printed).rstrip("\n")


def test_every_command_of_the_page(tmp_path: Path) -> None:
    require("m4", "m4")
    require(unpacked("sendmail") / "usr/libexec/sendmail/sendmail", "sendmail-cf")
    commands = 0
    for command, shown in blocks(FIRST):
        if command.startswith("cat "):
            (tmp_path / command.removeprefix("cat ")).write_text(shown)
            continue
        commands += 1
        typed = re.findall(r"(?m)^> (.*)$", shown)
        assert stable(said(tmp_path, command, typed)) == stable(shown), command
    assert commands == 5


# Mail

HERE = "/srv/mail"

MOUNTS = """\
mount -t tmpfs -o mode=755 tmpfs /srv
mkdir {here}
mount -t tmpfs -o mode=1777 tmpfs /var/mail
mount -t overlay overlay -o lowerdir={folder}/sbin:/usr/sbin /usr/sbin
mount -t overlay overlay -o lowerdir={folder}/dovecot:/etc/dovecot /etc/dovecot
"""

SENDMAIL = """\
#!/bin/sh
exec msmtp --host=127.0.0.1 --port=2525 --domain=mx.zoo.test "$@"
"""
"""What vacation calls, where the machine has no MTA of its own."""

DOVECOT_2_3 = """\
mail_location = maildir:~/Maildir
passdb {
  driver = static
  args = nopassword=yes
}
userdb {
  driver = passwd
}
"""
DOVECOT_2_4 = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
mail_driver = maildir
mail_path = ~/Maildir
passdb static {
  fields {
    nopassword = yes
  }
}
userdb passwd {
}
"""
DOVECOT = """\
base_dir = {folder}/dovecot/run
state_dir = {folder}/dovecot/state
log_path = {folder}/dovecot/log
protocols =
ssl = no
service auth {{
  unix_listener auth-userdb {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""

LOGS = "run.log world.log /home/*/procmail.log {folder}/dovecot/log"

FILTERD = """\
#!/bin/sh
case " $* " in *" build "*) set -- "$@" --macros {macros} ;; esac
exec {python} -P -m filterd "$@"
"""


class Host:
    """A machine on which joe and sue have accounts, Dovecot runs and the page is followed."""

    def __init__(self, folder: Path) -> None:
        require("m4", "m4")
        require(unpacked("sendmail") / "usr/libexec/sendmail/sendmail", "sendmail-cf")
        for program in ("procmail", "vacation", "msmtp", "doveadm"):
            require(program, program if program != "doveadm" else "dovecot-imapd")
        dovecot = require("dovecot", "dovecot-imapd")
        self.folder = folder
        for name in ("sbin", "bin", "dovecot/run", "dovecot/state"):
            (folder / name).mkdir(parents=True)
        self._script("sbin/sendmail", SENDMAIL)
        self._script("bin/filterd", FILTERD.format(macros=MACROS, python=sys.executable))
        # Users write into it: what they run is Dovecot's program for deliveries.
        (folder / "dovecot/log").touch()
        (folder / "dovecot/log").chmod(0o666)
        own = DOVECOT_2_4 if is_2_4(dovecot) else DOVECOT_2_3
        (folder / "dovecot/dovecot.conf").write_text(own + DOVECOT.format(folder=folder))
        mounts = MOUNTS.format(here=HERE, folder=folder) + passwd(folder, ("joe", "sue"))
        self.inside = Namespace(folder, mounts)
        self.inside.start()
        self._environment = {"PATH": f"{folder}/bin:{os.environ['PATH']}:/usr/sbin:/sbin"}
        self._programs: list[Program] = []
        self._background("exec dovecot -F", lambda _: (folder / "dovecot/run/master.pid").exists())

    def _script(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def stop(self) -> None:
        for one in reversed(self._programs):
            one.stop()
        self.inside.stop()

    def _background(self, line: str, ready: Callable[[str], bool]) -> None:
        own = self.folder / f"program-{len(self._programs)}"
        own.mkdir()
        words = self.inside.command("sh", "-c", f"cd {HERE} && {line}")
        program = Program(words, own, self._environment, patience=20)
        self._programs.append(program)
        program.start(lambda: ready(program.output))

    def write(self, name: str, text: str) -> None:
        path = name if name.startswith("/") else f"{HERE}/{name}"
        owner = name.split("/")[2] if name.startswith("/home/") else "root"
        self.inside.write(path, text, owner)

    def follow(self, command: str, shown: str) -> None:
        """Run a command of the page; what it prints is what the page shows, perhaps in a while."""
        if command.endswith(" &"):
            self._background(
                f"exec {command.removesuffix(' &')}", lambda said: stable(said) == stable(shown)
            )
            return
        said = ""

        def looked() -> bool:
            nonlocal said
            said = self.inside.run(command, HERE, self._environment)
            return stable(said) == stable(shown)

        if command.startswith("filterd "):
            assert looked(), (command, said)
            return
        try:
            wait_for(command, looked)
        except AssertionError as error:
            logs = self.inside.run(f"cat {LOGS.format(folder=self.folder)}", HERE)
            raise AssertionError(f"{error}\n{said}\n{logs}") from None


@pytest.fixture
def host() -> Iterator[Host]:
    with folder("rules-page") as path:
        host = Host(path)
        yield host
        host.stop()


def test_every_command_of_the_part_with_mail(host: Host) -> None:
    commands = 0
    for command, shown in blocks(WHOLE):
        if command.startswith("cat "):
            host.write(command.removeprefix("cat "), shown)
        else:
            commands += 1
            host.follow(command, shown)
    assert commands == 16
