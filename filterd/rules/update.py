"""Running the system's `sa-update`, which fetches SpamAssassin's newest rules and checks them.

Source: sa-update(1).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

UPDATED = 0
"""Exit status when there were newer rules."""

NOTHING_NEW = 1
"""Exit status when there were none."""

PROGRAM = "sa-update"

_FOLDERS = "/usr/local/bin:/usr/bin:/usr/sbin"
"""Where the program is when PATH does not have it."""


def program() -> Path | None:
    """The program; None where it is not installed."""
    found = shutil.which(PROGRAM, path=f"{os.environ.get('PATH', '')}:{_FOLDERS}")
    return Path(found) if found else None


def run(command: Sequence[str], folder: Path) -> int:
    """Run it, its output on standard output and error; gives its exit status.

    folder: where it puts the rules. Root becomes the folder's owner for it: a file that is root's
    would stop the system's own updates. Raises OSError.
    """
    user: int | None = None
    group: int | None = None
    groups: Sequence[int] | None = None
    if os.geteuid() == 0 and folder.is_dir():
        status = folder.stat()
        user, group, groups = status.st_uid, status.st_gid, ()
    return subprocess.run(
        list(command),
        check=False,
        cwd="/",
        stdin=subprocess.DEVNULL,
        user=user,
        group=group,
        extra_groups=groups,
        umask=0o022,
    ).returncode
