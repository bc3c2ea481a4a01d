"""What lies on disk: the settings, the folders and whose they are, the room that is left."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from shutil import disk_usage

from filterd.config.load import Settings
from filterd.doctor.findings import Finding, Level
from filterd.ops.folders import WRITTEN, private_folders, troubles

SCARCE_SHARE, FULL_SHARE = 0.10, 0.02
"""Free space of a disk, as a share, from which that is said, and from which it is wrong."""

SCARCE_OCTETS, FULL_OCTETS = 2 << 30, 256 << 20
"""The same in octets; both must hold, for a tenth of a large disk is a lot."""

LOOKS = 2000
"""Files that are looked at in one folder; the user who made one of them made others too."""


def settings_file(settings: Settings) -> Iterator[Finding]:
    """The settings file, and a chain that does nothing."""
    if settings.source is None:
        yield Finding(
            Level.WARN,
            "settings",
            "no file, defaults are used",
            "create one with `filterd init DIR`",
        )
    else:
        mode = settings.source.stat().st_mode
        is_open = bool(mode & stat.S_IWOTH)
        yield Finding(
            Level.FAIL if is_open else Level.OK,
            "settings",
            f"{settings.source}" + (" is world-writable" if is_open else ""),
            f"chmod o-w {settings.source}" if is_open else "",
        )
    if not settings.chain.filters:
        yield Finding(
            Level.WARN,
            "settings",
            "chain.filters is empty: mail passes without being scanned",
            "name the filters in [chain]",
        )


def folders(settings: Settings) -> Iterator[Finding]:
    """Whether each folder is there, ours and private."""
    for name, folder in private_folders(settings).items():
        if refused := list(troubles(folder)):
            for one in refused:
                yield Finding(Level.FAIL, name, f"{one.found}; the daemon refuses it", one.advice)
            continue
        if not folder.exists():
            above = _existing(folder)
            if os.access(above, os.W_OK | os.X_OK):
                yield Finding(Level.OK, name, f"{folder} does not exist yet; the daemon creates it")
            else:
                yield Finding(
                    Level.FAIL,
                    name,
                    f"{folder} does not exist, and this user may not create it",
                    f"mkdir -p {folder}; chown it to the daemon's user; chmod 700",
                )
            continue
        if not folder.is_dir():
            yield Finding(Level.FAIL, name, f"{folder} is not a folder", "move it away")
            continue
        mode = folder.stat().st_mode
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            yield Finding(
                Level.FAIL,
                name,
                f"{folder}: this user may not read and write there",
                "run this as the daemon's user, or chown the folder to it",
            )
        elif mode & stat.S_IRWXO:
            # A model holds hashes of words, the other two whole messages.
            level = Level.WARN if name not in WRITTEN and not mode & stat.S_IWOTH else Level.FAIL
            yield Finding(
                level,
                name,
                f"{folder} is open to everybody (mode {mode & 0o777:03o})",
                f"chmod o-rwx {folder}",
            )
        else:
            yield Finding(Level.OK, name, f"{folder}")


def disk(settings: Settings) -> Iterator[Finding]:
    """The room that is left, once for each file system."""
    seen = set()
    for name, folder in private_folders(settings).items():
        place = _existing(folder)
        device = place.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        usage = disk_usage(place)
        system = os.statvfs(place)
        share = usage.free / max(usage.total, 1)
        told = f"{usage.free / (1 << 30):.1f} GiB free of {usage.total / (1 << 30):.0f} at {place}"
        level, advice = Level.OK, ""
        if share < FULL_SHARE and usage.free < FULL_OCTETS:
            level, advice = Level.FAIL, "mail that cannot be stored gets 451; free some space"
        elif share < SCARCE_SHARE and usage.free < SCARCE_OCTETS:
            level = Level.WARN
            advice = "free some space, or lower quarantine.keep_days or keep_megabytes"
        elif system.f_files and system.f_favail / system.f_files < FULL_SHARE:
            level, advice = Level.WARN, "the file system is almost out of inodes; remove files"
        yield Finding(level, f"disk ({name})", told, advice)


def _existing(path: Path) -> Path:
    """The path or the closest folder above it that is there."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def owners(settings: Settings) -> Iterator[Finding]:
    """Files that the daemon cannot write because somebody else, root mostly, made them."""
    for name, folder in private_folders(settings).items():
        if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
            continue
        owner = folder.stat().st_uid
        strange = [
            path for path in islice(_newest(folder), LOOKS) if _owner(path) not in (None, owner)
        ]
        if strange:
            yield Finding(
                Level.FAIL,
                name,
                f"{len(strange)} files do not belong to their folder's owner, "
                f"for example {strange[0]}",
                f"chown -R --reference={folder} {folder}; run filterd as that user from now on",
            )


def _newest(folder: Path) -> Iterator[Path]:
    """What lies in the folder, and in the last of its folders: days sort by name."""
    inside = sorted(folder.iterdir())
    yield from inside
    below = [path for path in inside if path.is_dir()]
    if below and os.access(below[-1], os.R_OK | os.X_OK):
        yield from sorted(below[-1].iterdir(), reverse=True)


def _owner(path: Path) -> int | None:
    """The owner; None for a file that has gone meanwhile, as those of a spool do."""
    try:
        return path.lstat().st_uid
    except FileNotFoundError:
        return None
