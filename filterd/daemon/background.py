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
    command = ["nice", "-n", str(NICENESS), *python_command("filterd", *words)]
    if config is not None:
        command += ["--config", str(config)]
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
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
