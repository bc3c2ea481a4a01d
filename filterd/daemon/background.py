"""Commands of filterd that the daemon has run beside mail, each in a process of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from filterd.system.child import python_command

NICENESS = 10
"""How far such a process steps back behind mail, as `nice` counts."""


def run_command(*words: str, config: Path | None, limit: float) -> subprocess.CompletedProcess[str]:
    """Run `filterd WORDS` and wait until it has ended.

    config: the settings file, which the command reads again; None for the usual one. limit: seconds
    that it may take. Raises OSError, subprocess.TimeoutExpired.
    """
    options = [] if config is None else ["--config", str(config)]
    return run_module("filterd", *words, *options, said="", limit=limit)


def run_module(
    module: str, *arguments: str, said: str, limit: float
) -> subprocess.CompletedProcess[str]:
    """Run a module of filterd, with a text on its standard input, and wait until it has ended.

    limit: seconds that it may take. Raises OSError, subprocess.TimeoutExpired.
    """
    return subprocess.run(
        ["nice", "-n", str(NICENESS), *python_command(module, *arguments)],
        input=said,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=limit,
        check=False,
    )


def why_it_failed(done: subprocess.CompletedProcess[str]) -> str:
    """The last line that it wrote on standard error, else its status."""
    said = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
    return said[0]
