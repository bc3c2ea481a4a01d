"""Postfix as unpacked by scripts/setup-system.sh, every queue and file in the test's folder.

It needs root: its master process gives every daemon its own user. `mail` and `daemon` stand in for
the users postfix and postdrop, so that nothing is added to the machine's passwd.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

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
OWNER, GROUP = "mail", "daemon"
USERS = ("joe", "sue", "max", "refused", "refuse", "later", "who", "hang", "wait", "hold")

MAIN = """\
compatibility_level = 3.6
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = {root}/usr/lib/postfix
sendmail_path = {root}/usr/sbin/sendmail
meta_directory = {folder}/etc
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = {owner}
setgid_group = {group}
default_privs = nobody
import_environment = MAIL_CONFIG TZ LANG=C LD_LIBRARY_PATH
export_environment = MAIL_CONFIG TZ LANG LD_LIBRARY_PATH
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = {host}
mydestination =
virtual_mailbox_domains = {host}
virtual_mailbox_base = {folder}/mailboxes
virtual_mailbox_maps = texthash:{folder}/etc/mailboxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
virtual_alias_maps =
alias_maps =
alias_database =
mynetworks = 127.0.0.1/32
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_host_lookup = native
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
biff = no
"""

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

QUEUES = (
    "active",
    "bounce",
    "corrupt",
    "defer",
    "deferred",
    "flush",
    "hold",
    "incoming",
    "private",
    "saved",
    "trace",
)


class Postfix:
    """Postfix on 127.0.0.1:`port`, local for USERS at HOST. filters: lines of main.cf.

    variants: options of further SMTP servers, such as `-o milter_default_action=reject`; their
    ports are in `ports`.
    """

    def __init__(self, folder: Path, filters: str, variants: Sequence[str] = ()) -> None:
        root = unpacked("postfix")
        master = require(root / "usr/lib/postfix/sbin/master", "postfix")
        if os.getuid() != 0:
            pytest.skip("Postfix needs root: its master gives every daemon a user of its own")
        self.folder = folder
        self.port = free_port()
        self.ports = {variant: free_port() for variant in variants}
        self.host = HOST
        self._root = root
        self._mailboxes = folder / "mailboxes"
        self._environment = {
            "LD_LIBRARY_PATH": str(root / "usr/lib/postfix"),
            "MAIL_CONFIG": str(folder / "etc"),
        }
        self._prepare(filters)
        self.process = Program(
            [master, "-d", "-c", folder / "etc"], folder, self._environment, patience=2
        )

    def _prepare(self, filters: str) -> None:
        folder, owner = self.folder, pwd.getpwnam(OWNER)
        for name in ("etc", "queue", "data", "mailboxes"):
            (folder / name).mkdir()
        for name in QUEUES:
            queue = folder / "queue" / name
            queue.mkdir(mode=0o700)
            shutil.chown(queue, OWNER)
        for name, mode in (("maildrop", 0o1730), ("public", 0o2710), ("pid", 0o755)):
            queue = folder / "queue" / name
            queue.mkdir()
            if name != "pid":
                shutil.chown(queue, OWNER, GROUP)
            queue.chmod(mode)
        shutil.chown(folder / "data", OWNER)
        shutil.chown(folder / "mailboxes", OWNER, OWNER)
        etc = folder / "etc"
        shutil.copy(self._root / "etc/postfix/postfix-files", etc)
        (etc / "main.cf").write_text(
            MAIN.format(
                root=self._root,
                folder=folder,
                owner=OWNER,
                group=GROUP,
                host=HOST,
                uid=owner.pw_uid,
                gid=owner.pw_gid,
            )
            + filters
            + "\n"
        )
        (etc / "mailboxes").write_text("".join(f"{user}@{HOST} {user}/\n" for user in USERS))
        (etc / "master.cf").write_text(
            MASTER.format(port=self.port)
            + "".join(
                f"127.0.0.1:{port} inet n - n - - smtpd {variant}\n"
                for variant, port in self.ports.items()
            )
        )

    def start(self) -> None:
        self.process.start(lambda: answers(self.port))

    def stop(self) -> None:
        self.process.stop()

    def run(self, program: str, *arguments: str, input: bytes = b"") -> str:
        """Run one of Postfix's commands, e.g. `postqueue -p`; what it printed."""
        done = subprocess.run(
            [self._root / "usr/sbin" / program, *arguments],
            env={**os.environ, **self._environment},
            input=input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=True,
            timeout=60,
        )
        return done.stdout.decode("utf-8", "replace")

    @property
    def version(self) -> str:
        """Its release, as 3.7.11."""
        lines = self.run("postconf", "-h", "mail_version").splitlines()
        return next(line for line in lines if line[:1].isdigit())  # among warnings

    @property
    def log(self) -> str:
        """Its mail log."""
        file = self.folder / "log"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def mail(self, count: int = 1, user: str = "joe") -> list[Delivered]:
        """Wait until `count` messages have come to a user's mailbox, take them out of it."""
        new = self._mailboxes / user / "new"

        def complete() -> list[Path]:
            files = list(new.iterdir()) if new.exists() else []
            return files if len(files) >= count else []

        files = wait_for(f"{count} messages for {user}", complete)
        return [delivered(f) for f in sorted(files, key=lambda f: f.stat().st_mtime_ns)]

    def settled(self) -> None:
        """Wait until nothing is on its way."""
        queues = [self.folder / "queue" / name for name in ("maildrop", "incoming", "active")]
        wait_for("Postfix at rest", lambda: not any(any(q.iterdir()) for q in queues))

    @property
    def mailboxes(self) -> dict[str, int]:
        """How many messages each user has."""
        users = sorted(self._mailboxes.iterdir())
        counts = ((user.name, len(list((user / "new").glob("*")))) for user in users)
        return {name: count for name, count in counts if count}

    def held(self) -> str:
        """The queue's list; `!` marks what is on hold."""
        return self.run("postqueue", "-p")
