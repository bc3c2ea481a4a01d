"""What lies on disk: the settings, the folders and whose they are, the room that is left."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from shutil import disk_usage

from filterd.config.load import Settings
from filterd.doctor.findings import Finding, Level
from filterd.ops.folders import (
    WRITTEN,
    foreign,
    foreign_in_words,
    private_folders,
    repair,
    troubles,
    user_name,
)
from filterd.system import layout

SCARCE_SHARE, FULL_SHARE = 0.10, 0.02
"""Free space of a disk, as a share, from which that is said, and from which it is wrong."""

SCARCE_OCTETS, FULL_OCTETS = 2 << 30, 256 << 20
"""The same in octets; both must hold, for a tenth of a large disk is a lot."""


def settings_file(settings: Settings) -> Iterator[Finding]:
    """The settings file, and a chain that does nothing."""
    if settings.source is None:
        yield Finding(
            Level.WARN,
            "settings",
            "no file, defaults are used",
            "create one with `filterd init --system`, or `filterd init DIR` for a trial",
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
                yield Finding(
                    Level.FAIL,
                    name,
                    f"{one.found}; the daemon refuses it",
                    repair(settings, one.advice),
                )
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
        if found := foreign(folder):
            advice = f"chown -R --reference={folder} {folder}; run filterd as that user from now on"
            yield Finding(Level.FAIL, name, foreign_in_words(found), repair(settings, advice))


def packaged(settings: Settings) -> Iterator[Finding]:
    """Whether the folders of the packaged layout have their owners and modes, where its settings
    are in use."""
    if not layout.is_system(settings.source) or (user := layout.service_user()) is None:
        return
    for one in layout.FOLDERS:
        if not one.path.is_dir():
            if one.kept:
                yield Finding(
                    Level.FAIL, "folders", f"{one.path} is missing", f"run: {layout.REPAIR}"
                )
            continue
        told = one.path.stat()
        wanted = (user.pw_uid if one.owner == layout.USER else 0, one.mode)
        if (told.st_uid, stat.S_IMODE(told.st_mode)) != wanted:
            yield Finding(
                Level.FAIL,
                "folders",
                f"{one.path} is of {user_name(told.st_uid)}, mode "
                f"{stat.S_IMODE(told.st_mode):04o}, expected {one.owner}, {one.mode:04o}",
                f"run: {layout.REPAIR}",
            )
