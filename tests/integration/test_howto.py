"""Every command of the page with the ten commonest jobs, one after the other, as it stands there:
in the packaged layout, beside a real clamd and an MTA that takes what is released."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.machine import Machine
from tests.helpers.messages import GTUBE, message
from tests.helpers.process import Program, folder, require
from tests.helpers.servers.clamd import Clamd

pytestmark = pytest.mark.minutes

ROOT = Path(__file__).parents[2]

ID = "8jwq2f0kd3mz5h1c"
"""The message of the page's examples."""

NOT_HERE = re.compile(r"journalctl ")
"""No systemd runs here; its other commands stand for the daemon itself."""


class Site(Machine):
    """A machine with daemon, MTA and mail. home: of the person who types."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, more="rm -f /etc/clamav/clamd.conf")
        self.home = path / "home"
        self.program: Program | None = None

    def service(self, verb: str) -> None:
        """What systemd would do."""
        if verb == "stop":
            assert self.program is not None
            assert self.program.stop() == 0
            return
        self.program = daemon = self.daemon()
        daemon.start(lambda: " listens on unix:/run/filterd/filterd.sock" in daemon.output)

    def type(self, line: str) -> tuple[int, str]:
        """A line of shell, typed by root in their home."""
        environment = {**os.environ, "HOME": str(self.home)}
        environment["PATH"] = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(
            self.command("bash", "-o", "pipefail", "-c", f"cd {self.home} && {line}"),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env=environment,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def site() -> Iterator[Site]:
    require("swaks", "swaks")
    with folder("howto") as path:
        site = Site(path)
        site.start()
        status, said = site.filterd("init", "--system")
        assert status == 0, said
        clamd = Clamd(path)
        clamd.start()
        clamd.socket.chmod(0o777)
        chain = 's/^filters = .*/filters = ["senders", "gtube", "parts", "clamav", "bayes"]/'
        server = f'/^\\[filters.clamav\\]/a server = "unix:{clamd.socket}"'
        site.run(f"sed -i -e '{chain}' -e '{server}' /etc/filterd/filterd.toml")
        site.service("start")
        for name in ("Maildir/.Junk/cur", "Maildir/cur", "Maildir/new", "Maildir/tmp"):
            (site.home / name).mkdir(parents=True, exist_ok=True)
        (site.home / "Maildir/.Junk/cur/1").write_bytes(message(b"cheap pills\r\n"))
        (site.home / "Maildir/cur/1:2,S").write_bytes(message(b"minutes of the meeting\r\n"))
        site.run(f"cp /etc/filterd/filterd.toml {site.home}/new.toml && mkdir -p /var/backups")
        site.run(f"chmod 644 {site.home}/new.toml")
        # Its own, empty settings: those of the service say where the service may write.
        (path / "mta.toml").touch()
        mta = ["mta", "run", f"--config={path}/mta.toml", "--port=25"]
        mta += [f"--spool={path}/queue", f"--mail={path}/mail"]
        mta += ["--filter=filterd, S=unix:/run/filterd/filterd.sock, F=T"]
        command = site.command(sys.executable, "-P", "-m", "filterd", *mta)
        server_of_mail = Program(command, path, patience=5)
        hello = "swaks --server 127.0.0.1 --quit-after BANNER"
        server_of_mail.start(lambda: "220 " in site.run(hello))
        yield site
        server_of_mail.stop()
        if site.program is not None:
            site.program.stop()
        clamd.process.stop()


def refused(site: Site) -> str:
    """The id of a message that was refused, and kept."""
    addresses = "--from order@shop.example --to ann@mx.example"
    said = site.run(f"swaks --server 127.0.0.1 {addresses} --body '{GTUBE.decode()}'")
    found = re.search(r"id=(\w+)", said)
    assert found, said
    return found[1]


def test_every_command_of_the_page_works(site: Site) -> None:
    id = refused(site)
    page = (ROOT / "docs/howto.md").read_text("utf-8")
    typed = 0
    for block in re.findall(r"^```\n(.*?)^```", page, re.M | re.S):
        if block.startswith("["):
            # Settings: the text before the next block says where they go.
            site.run(f"printf '%s' {shlex.quote(block)} >> /etc/filterd/filterd.toml")
            continue
        for line in block.splitlines():
            if NOT_HERE.match(line):
                continue
            if line.startswith("systemctl "):
                site.service(line.split()[1])
                continue
            status, said = site.type(line.replace(ID, id))
            # doctor warns of what a machine for a test lacks.
            expected = (0, 69) if line == "filterd doctor" else (0,)
            assert status in expected, f"{line}: {status}: {said}"
            assert "Traceback" not in said, f"{line}: {said}"
            typed += 1
    assert typed > 20
    assert site.run(f"find {site.folder}/mail -type f | wc -l").strip() != "0"
