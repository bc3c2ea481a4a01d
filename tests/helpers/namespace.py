"""A machine of one's own inside of this one: other users, other folders, its own network."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.helpers.process import Program, require

SETUP = """\
set -e
mount --make-rprivate /
ip link set lo up
{mounts}
touch {ready}
exec sleep infinity
"""

_WHAT = ("--mount", "--net", "--root", "--wd")
"""What of the machine a program gets; its root folder, too, which may be below that of the host."""


class Namespace:
    """Mounts and network of its own, as long as it runs. mounts: lines of shell that furnish it.

    folder: where its files are kept; every user may enter it.
    """

    def __init__(self, folder: Path, mounts: str) -> None:
        unshare = require("unshare", "util-linux")
        require("ip", "iproute2")
        self._enter = require("nsenter", "util-linux")
        if os.geteuid() != 0:
            pytest.skip("only root can make a machine of its own")
        if subprocess.run(
            [unshare, "-m", "-n", "true"], capture_output=True, check=False
        ).returncode:
            pytest.skip("this machine makes no namespaces")
        self.folder = folder
        self._ready = folder / "ready"
        script = SETUP.format(mounts=mounts, ready=self._ready)
        self._holder = Program([unshare, "-m", "-n", "sh", "-c", script], folder, patience=1)

    def start(self) -> None:
        self._holder.start(self._ready.exists)

    def stop(self) -> None:
        self._holder.stop()

    def command(self, *words: str | Path) -> list[str | Path]:
        """The command line that runs a program inside."""
        return [self._enter, f"--target={self._holder.pid}", *_WHAT, "--", *words]

    def run(
        self, command: str, folder: str = "/", environment: dict[str, str] | None = None
    ) -> str:
        """Run a line of shell inside, in a folder there: what it prints, and then its errors."""
        done = subprocess.run(
            self.command("sh", "-c", f"cd {folder} && {command}"),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **(environment or {})},
            timeout=120,
        )
        return done.stdout + done.stderr

    def write(self, path: str, text: str, owner: str = "root") -> None:
        """Write a file inside."""
        line = f"cat > {path} && chown {owner}: {path}"
        subprocess.run(self.command("sh", "-c", line), input=text, text=True, check=True)


def passwd(folder: Path, users: Sequence[str]) -> str:
    """Lines of shell that add users with homes in /home, with ids from 20001 on."""
    lines = [f"cp /etc/passwd {folder}/passwd", f"cp /etc/group {folder}/group"]
    lines.append("mount -t tmpfs -o mode=755 tmpfs /home")
    for number, name in enumerate(users, 20001):
        lines += [
            f"echo {name}:x:{number}:{number}::/home/{name}:/bin/sh >> {folder}/passwd",
            f"echo {name}:x:{number}: >> {folder}/group",
            f"mkdir /home/{name}",
            f"chown {number}:{number} /home/{name}",
        ]
    lines += [f"mount --bind {folder}/{name} /etc/{name}" for name in ("passwd", "group")]
    return "\n".join(lines)
