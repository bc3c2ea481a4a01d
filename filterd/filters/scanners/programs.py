"""Scanners that are programs, from their settings."""

from __future__ import annotations

from filterd.filters.scanners.settings import CommandSettings
from filterd.scanners.command import CommandScanner
from filterd.scanners.presets import PRESETS
from filterd.scanners.processes import Limits


def arguments_of(own: CommandSettings) -> tuple[str, ...]:
    """Program and arguments."""
    return own.command or PRESETS[own.preset].command


def of_command(own: CommandSettings) -> CommandScanner:
    """The scanner; what is not set comes from the preset."""
    preset = PRESETS.get(own.preset)
    statuses = {int(status): meaning for status, meaning in own.statuses.items()}
    return CommandScanner(
        own.name,
        arguments_of(own),
        statuses or (preset.statuses if preset else {}),
        own.pattern or (preset.pattern if preset else ""),
        limits=Limits(own.seconds, own.cpu, own.memory, own.disk),
        version=own.version or (preset.version if preset else ()),
        user=own.user,
        folder=own.folder,
        size_limit=own.size_limit,
    )
