"""What belongs to a site: the files and folders that its settings name."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filterd.config.load import SECTIONS, Settings

SETTINGS = "settings"
"""The key of the settings file itself."""

NOT_THE_SITES = frozenset(
    "spool sendmail_cf main_cf databases freshclam_log ca sendmail_macros mail_key".split()
)
"""Keys of paths that are of a moment, or belong to other programs; and of the key of recent mail,
which is of hours."""

SECTIONS_LEFT_OUT = frozenset({"mta"})
"""The reference MTA's, which is for trying things."""


@dataclass(frozen=True, slots=True)
class BackupPart:
    """key: the setting that names the path. path: without symbolic links."""

    key: str
    path: Path


def parts(settings: Settings) -> list[BackupPart]:
    """Every file or folder, there or not; what is inside of another one counts with that."""
    found = [BackupPart(key, Path(os.path.realpath(path))) for key, path in _all(settings)]
    folders = [one.path for one in found]
    chosen: dict[Path, BackupPart] = {}
    for one in found:
        if not any(above in folders for above in one.path.parents):
            chosen.setdefault(one.path, one)
    return list(chosen.values())


def elsewhere(settings: Settings) -> list[str]:
    """Settings that name a database of a server, of which an archive has nothing."""
    found = [f"{name}.database" for name in ("quarantine", "history") if _server(settings, name)]
    if settings.state.url:
        found.append("state.url")
    found += [
        f"filters.{name}.database"
        for name, entry in settings.filters.items()
        if getattr(entry.own, "database", "")
    ]
    return found


def _server(settings: Settings, section: str) -> bool:
    return bool(getattr(getattr(settings, section), "database", ""))


def _all(settings: Settings) -> Iterator[tuple[str, Path]]:
    if settings.source is not None:
        yield SETTINGS, settings.source.absolute()
    for name in SECTIONS:
        if name not in SECTIONS_LEFT_OUT:
            yield from _paths(name, getattr(settings, name))
    for name, entry in settings.filters.items():
        yield from _paths(f"filters.{name}", entry.own)


def _paths(key: str, value: Any) -> Iterator[tuple[str, Path]]:
    if isinstance(value, Path):
        if value.is_absolute():
            yield key, value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            if field.init and field.name not in NOT_THE_SITES:
                yield from _paths(f"{key}.{field.name}", getattr(value, field.name))
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value):
            yield from _paths(f"{key}.{number}", one)
