"""Real programs that scan, as filterd runs them."""

from __future__ import annotations

from pathlib import Path

from filterd.scanners.command import CommandScanner
from filterd.scanners.presets import PRESETS
from filterd.scanners.processes import Limits
from tests.helpers.process import require
from tests.helpers.servers.clamd import Clamd


def arguments(name: str, clamd: Clamd) -> list[str]:
    """The command of the preset, with that clamd's signatures."""
    program = require(name, "clamav" if name == "clamscan" else "clamdscan")
    return [str(program), *_where(name, clamd), *PRESETS[name].command[1:]]


def program(
    name: str, clamd: Clamd, folder: Path, limits: Limits | None = None, around: str = ""
) -> CommandScanner:
    """clamscan or clamdscan as its preset has it. around: a script of the shell that runs it as
    "$@"."""
    preset = PRESETS[name]
    command = arguments(name, clamd)
    return CommandScanner(
        name,
        ["/bin/sh", "-c", around, "sh", *command] if around else command,
        preset.statuses,
        preset.pattern,
        limits=limits or Limits(60),
        version=[*preset.version, *_where(name, clamd)],
        folder=str(folder),
    )


def _where(name: str, clamd: Clamd) -> list[str]:
    if name == "clamscan":
        return [f"--database={clamd.database}"]
    return [f"--config-file={clamd.folder / 'clamd.conf'}"]
