"""A machine of one's own with writable system folders: what is written there is gone afterwards."""

from __future__ import annotations

import subprocess
from pathlib import Path

from filterd.system.child import python_command
from tests.helpers.namespace import Namespace
from tests.helpers.process import Program

OVERLAYS = """\
mkdir {folder}/over
mount -t tmpfs -o mode=755 tmpfs {folder}/over
for name in {names}; do
  mkdir {folder}/over/$name {folder}/over/$name-work
  layers=lowerdir=/$name,upperdir={folder}/over/$name,workdir={folder}/over/$name-work
  mount -t overlay -o $layers overlay /$name
done
mount -t tmpfs -o mode=755 tmpfs /run
rm -rf /etc/filterd /var/lib/filterd /var/spool/filterd
{more}
"""


class Machine(Namespace):
    """The folders below / that are named can be written, and a fresh /run. more: lines of shell."""

    def __init__(self, folder: Path, names: str = "etc var", more: str = "") -> None:
        super().__init__(folder, OVERLAYS.format(folder=folder, names=names, more=more))

    def filterd(self, *words: str, user: str = "root") -> tuple[int, str]:
        """A command of filterd: its status, and all that it prints."""
        done = subprocess.run(
            self._as(user, *words), capture_output=True, text=True, check=False, timeout=300
        )
        return done.returncode, done.stdout + done.stderr

    def daemon(self, user: str = "filterd") -> Program:
        """`filterd run`, not started."""
        return Program(self._as(user, "run"), self.folder, {"NOTIFY_SOCKET": ""})

    def owner(self, path: str) -> str:
        """`user:group mode`, nothing for what is not there."""
        return self.run(f"stat -c '%U:%G %a' {path} 2>/dev/null").strip()

    def _as(self, user: str, *words: str) -> list[str | Path]:
        drop: list[str | Path] = []
        if user != "root":
            # With no more than the right to read this checkout: it may be hidden from others.
            read = "+dac_read_search"
            drop = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
            drop += [f"--inh-caps={read}", f"--ambient-caps={read}"]
        # Else the settings of the folder in which the tests run would count.
        shell = ["sh", "-c", 'cd / && exec "$@"', "sh"]
        return self.command(*shell, *drop, *python_command("filterd"), *words)
