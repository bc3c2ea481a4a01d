"""Command lines of child processes that are Python programs: the one place that makes them.

A child never takes a module from the folder that the parent happens to be started in: `python -m`
and `python -c` put that folder first on the module path, and then anybody who may write to it has
their code run by the user who runs filterd there. So a child gets `-P` (Python 3.11), and what else
the parent itself was told to leave out (`-I`, `-E`, `-s`). Source: docs.python.org/3/using/cmdline.
"""

from __future__ import annotations

import os
import sys

SAFE_PATH = "PYTHONSAFEPATH"
"""The variable that means the same as `-P`, for children that a library starts."""


def python_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of this installation with this interpreter.

    The child leaves out what the parent leaves out, and in any case the current folder.
    """
    flags = sys.flags
    options = ["-I"] if flags.isolated else ["-P"]
    options += ["-E"] if flags.ignore_environment and not flags.isolated else []
    options += ["-s"] if flags.no_user_site and not flags.isolated else []
    return [sys.executable, *options, "-m", module, *arguments]


def keep_children_safe() -> None:
    """Have all children that this process starts from now on leave the current folder out, also
    those of libraries (joblib's readers, multiprocessing)."""
    os.environ[SAFE_PATH] = "1"
    # An empty entry, left by `PYTHONPATH=$PYTHONPATH:/x`, is the current folder all the same.
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if "" in entries and len(entries) > 1:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, entries))
