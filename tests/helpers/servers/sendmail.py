"""sendmail 8.17 as unpacked by scripts/setup-system.sh, configured by m4.

The configuration is a small .mc into which the project's own sendmail.mc.snippet goes word for
word, only with the test's socket in it: what an admin is told to write is what is tested.
"""

from __future__ import annotations

import grp
import itertools
import os
import pwd
import re
import subprocess
from pathlib import Path

from tests.helpers.process import (
    Program,
    answers,
    free_port,
    require,
    unpacked,
    wait_for,
)
from tests.helpers.servers.mailbox import Delivered, delivered

HOST = "mx.example.test"
LOAD = 1_000_000
"""Load average from which on sendmail queues only, or refuses connections: never."""

SNIPPET = Path(__file__).parents[3] / "sendmail.mc.snippet"
SHIM_SOURCE = Path(__file__).with_name("syslog_shim.c")

CONFIGURATION = """\
divert(-1)
define(`MAIL_SETTINGS_DIR', `{folder}/mail/')
divert(0)dnl
VERSIONID(`filterd integration tests')
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `{host}')dnl
define(`confCW_FILE', `{folder}/mail/local-host-names')dnl
define(`ALIAS_FILE', `{folder}/mail/aliases')dnl
define(`HELP_FILE', `{folder}/mail/helpfile')dnl
define(`STATUS_FILE', `{folder}/statistics')dnl
define(`QUEUE_DIR', `{folder}/queue')dnl
define(`confPID_FILE', `{folder}/pid')dnl
define(`confSERVICE_SWITCH_FILE', `{folder}/mail/service.switch')dnl
define(`confHOSTS_FILE', `/etc/hosts')dnl
define(`confTO_IDENT', `0s')dnl
define(`confDELIVERY_MODE', `background')dnl
define(`confLOG_LEVEL', `9')dnl
define(`confMILTER_LOG_LEVEL', `22')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
dnl a busy machine is no reason to refuse connections or to put mail off
define(`confQUEUE_LA', `{load}')dnl
define(`confREFUSE_LA', `{load}')dnl
define(`confDONT_BLAME_SENDMAIL', `groupwritabledirpathsafe,nonrootsafeaddr,truststickybit')dnl
define(`confDEF_USER_ID', ``{user}'')dnl
define(`confTRUSTED_USERS', `{name}')dnl
{run_as}define(`LOCAL_MAILER_PATH', `{folder}/deliver')dnl
define(`LOCAL_MAILER_ARGS', `deliver $u')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr=127.0.0.1, Port={port}')dnl
dnl no passwd entry for local users, no "From " line before the message
MODIFY_MAILER_FLAGS(`LOCAL', `-w+n')dnl
{filters}
MAILER(`local')dnl
MAILER(`smtp')dnl
"""

DELIVER = """\
#!/bin/sh
# called with sendmail's own options before the user's name
shift $(($# - 1))
mkdir -p "{folder}/mailboxes/$1"
file="{folder}/mailboxes/$1/$$"
cat >"$file.part" && mv "$file.part" "$file"
"""


def snippet(socket: str, flags: str | None = None, timeouts: str | None = None) -> str:
    """The project's sendmail.mc.snippet with another socket and, if wanted, other F= and T=."""
    text = SNIPPET.read_text("utf-8")
    text, found = re.subn(r"S=unix:[^,']+", lambda _: f"S={socket}", text)
    assert found == 1, f"{SNIPPET}: {found} sockets"
    if flags is not None:
        text, found = re.subn(r" F=T,", f" F={flags}," if flags else "", text)
        assert found == 1, f"{SNIPPET}: {found} times F="
    if timeouts is not None:
        text, found = re.subn(r"T=C:[^']+", lambda _: f"T={timeouts}", text)
        assert found == 1, f"{SNIPPET}: {found} times T="
    return text


def input_mail_filter(name: str, socket: str) -> str:
    """The line for a filter that is not ours."""
    return f"INPUT_MAIL_FILTER(`{name}', `S={socket}, F=T')dnl\n"


class Sendmail:
    """sendmail on 127.0.0.1:`port`, local for every user at HOST. filters: lines of m4."""

    def __init__(self, folder: Path, filters: str) -> None:
        root = unpacked("sendmail")
        self._program = require(root / "usr/libexec/sendmail/sendmail", "sendmail-bin")
        m4 = require("m4", "m4")
        self.folder = folder
        self.port = free_port()
        self.host = HOST
        self._mailboxes = folder / "mailboxes"
        self._log = folder / "log"
        self._prepare(filters)
        self._configuration = folder / "sendmail.cf"
        cf = root / "usr/share/sendmail/cf"
        made = subprocess.run(
            [m4, f"-D_CF_DIR_={cf}/", cf / "m4/cf.m4", folder / "sendmail.mc"],
            cwd=cf / "cf",
            capture_output=True,
            check=True,
        )
        assert not made.stderr, made.stderr.decode()
        self._configuration.write_bytes(made.stdout)
        self._environment = {
            "LD_PRELOAD": str(_shim(folder)),
            "SHIM_LOG": str(self._log),
            "SHIM_HOST": HOST,
            # No name of a test is worth waiting for a resolver.
            "RES_OPTIONS": "attempts:1 timeout:1",
        }
        self.run("-bi")
        self.process = Program(
            [self._program, "-bD", "-C", self._configuration], folder, self._environment, 2
        )

    def _prepare(self, filters: str) -> None:
        folder = self.folder
        for name in ("queue", "mail", "mailboxes"):
            (folder / name).mkdir()
        (folder / "queue").chmod(0o700)
        (folder / "mail/aliases").write_text("postmaster: root\n")
        (folder / "mail/local-host-names").touch()
        (folder / "mail/service.switch").write_text("hosts\tfiles\naliases\tfiles\n")
        deliver = folder / "deliver"
        deliver.write_text(DELIVER.format(folder=folder))
        deliver.chmod(0o755)
        name = pwd.getpwuid(os.getuid()).pw_name
        user = f"{name}:{grp.getgrgid(os.getgid()).gr_name}"
        run_as = ""
        if os.getuid() != 0:
            # Only root and this user may start a daemon. With authwarnings each message of a daemon
            # that a user started says so in a field of its own.
            run_as = (
                f"define(`confRUN_AS_USER', `{user}')dnl\ndefine(`confTRUSTED_USER', `{name}')dnl\n"
                "define(`confPRIVACY_FLAGS', `public')dnl\n"
            )
        (folder / "sendmail.mc").write_text(
            CONFIGURATION.format(
                folder=folder,
                host=HOST,
                load=LOAD,
                port=self.port,
                user=user,
                name=name,
                run_as=run_as,
                filters=filters,
            )
        )

    def start(self) -> None:
        self.process.start(lambda: answers(self.port))

    def stop(self) -> None:
        self.process.stop()

    def run(self, *arguments: str, input: bytes = b"") -> str:
        """Run sendmail with this configuration, e.g. `-bp`; what it printed."""
        done = subprocess.run(
            [self._program, "-C", self._configuration, *arguments],
            env={**os.environ, **self._environment},
            input=input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=True,
            timeout=60,
        )
        return done.stdout.decode("utf-8", "replace")

    def piped(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start sendmail with this configuration and pipes to it, e.g. for `-bs`."""
        return subprocess.Popen(
            [self._program, "-C", self._configuration, *arguments],
            env={**os.environ, **self._environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    @property
    def version(self) -> str:
        """Its release, as 8.17.1.9."""
        said = re.search(r"^Version (\S+)", self.run("-d0.1", "-bv", "postmaster"), re.M)
        assert said is not None
        return said[1]

    @property
    def log(self) -> str:
        """What it told syslog."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def mail(self, count: int = 1, user: str = "joe") -> list[Delivered]:
        """Wait until `count` messages have come to a user's mailbox, take them out of it."""
        files = wait_for(
            f"{count} messages for {user}", lambda: self._complete(self._mailboxes / user, count)
        )
        return [delivered(file) for file in files]

    def _complete(self, folder: Path, count: int) -> list[Path]:
        files = [f for f in folder.glob("*") if f.suffix != ".part"] if folder.exists() else []
        return sorted(files, key=lambda f: f.stat().st_mtime_ns) if len(files) >= count else []

    def settled(self) -> None:
        """Wait until nothing is on its way: no session, no job of the queue being delivered."""
        wait_for("sendmail at rest", lambda: not list((self.folder / "queue").glob("?f*")))

    @property
    def mailboxes(self) -> dict[str, int]:
        """How many messages each user has."""
        users = sorted(self._mailboxes.iterdir())
        counts = ((u.name, sum(f.suffix != ".part" for f in u.iterdir())) for u in users)
        return {name: count for name, count in counts if count}

    def held(self) -> str:
        """The list of quarantined jobs."""
        return self.run("-bp", "-qQ")


_built = itertools.count()


def _shim(folder: Path) -> Path:
    compiler = require("gcc", "gcc")
    library = folder / f"syslog-shim-{next(_built)}.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SHIM_SOURCE], check=True)
    return library
