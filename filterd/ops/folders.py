"""The folders that are the daemon's own, and whether nobody else can exchange what is in them.

The key that marks released mail, the models and kept messages are believed because they lie there.
Anybody who owns such a folder, may write to it, or may replace it, could exchange them.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from grp import getgrgid
from itertools import islice
from pathlib import Path

from filterd.config.load import ConfigError, Settings
from filterd.filters.bayes.settings import BayesSettings
from filterd.system import layout, privileges
from filterd.system.display import count

WRITTEN = ("daemon.spool", "quarantine.folder")
"""Settings of the folders that the daemon writes to while mail comes."""

LOOKS = 2000
"""Files that are looked at in one folder; the user who made one of them made others too."""

ROOT = 0
_OVERFLOW_UID = 65534
"""What the kernel shows for users that a container does not know (user_namespaces(7))."""


def private_folders(settings: Settings) -> dict[str, Path]:
    """The folders by the setting that names them."""
    found = {
        "daemon.spool": settings.daemon.spool,
        "quarantine.folder": settings.quarantine.folder,
    }
    for name, entry in settings.filters.items():
        if isinstance(entry.own, BayesSettings):
            found[f"filters.{name}.models"] = entry.own.models
    return found


def check_folders(settings: Settings) -> None:
    """Refuse folders in which another user could exchange files.

    Where root acts as the owner of one, it must be able to write to the others, too: they are one
    daemon's. Raises ConfigError, which names setting and folder and says what to do.
    """
    folders = private_folders(settings)
    found = [
        f"{name}: {one.found}; {repair(settings, one.advice)}"
        for name, folder in folders.items()
        for one in (*troubles(folder), *_unusable(folder, name in WRITTEN))
    ]
    if found:
        raise ConfigError("\n".join(found))
    user = privileges.acting()
    if user is None:
        return
    # Models may be somebody's who only lets the daemon read them.
    for name in WRITTEN:
        place = folders[name]
        while not place.exists() and place != place.parent:
            place = place.parent
        if not os.access(place, os.W_OK | os.X_OK):
            raise ConfigError(
                f"{name}: {folders[name]} cannot be written by {user.name}, who owns other "
                f"folders of the daemon; chown them all to one user"
            )


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a folder, and what to do."""

    found: str
    advice: str


def troubles(folder: Path) -> Iterator[Trouble]:
    """Who besides root and this user could exchange what is in the folder.

    The folders above count as well, links followed; one that does not exist could be made by
    anybody who may.
    """
    here = user_name(os.geteuid())
    folder = folder.resolve()
    if told := _stat(folder):
        if told.st_uid not in (ROOT, os.geteuid()):
            owner = user_name(told.st_uid)
            yield Trouble(
                f"{folder} belongs to {owner}, expected root or {here}, who runs this",
                f"run it as {owner}, or chown -R {here} {folder}",
            )
        if told.st_mode & stat.S_IWOTH:
            yield Trouble(f"{folder} is world-writable", f"chmod o-w {folder}")
        elif told.st_mode & stat.S_IWGRP and not _is_own_group(told.st_gid):
            yield Trouble(
                f"{folder} can be written by group {_group_name(told.st_gid)}",
                f"chmod g-w {folder}",
            )
    for above in folder.parents:
        told = _stat(above)
        if told is None:
            continue
        if told.st_uid not in (ROOT, os.geteuid()) and not _is_unmapped(told.st_uid):
            yield Trouble(
                f"{folder} lies in {above}, which belongs to {user_name(told.st_uid)}, "
                "who could replace it",
                f"chown {above} to root or {here}, or use another folder",
            )
        elif told.st_mode & stat.S_IWOTH and not told.st_mode & stat.S_ISVTX:
            yield Trouble(
                f"{folder} lies in {above}, which is world-writable", f"chmod o-w {above}"
            )


def repair(settings: Settings, advice: str) -> str:
    """What repairs owners and modes: one command for the packaged layout, else that advice."""
    if layout.is_system(settings.source) and layout.service_user() is not None:
        return f"run as root: {layout.REPAIR}"
    return advice


def foreign(folder: Path) -> list[Path]:
    """What in a folder belongs to somebody else than the folder, root mostly, who made it."""
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        return []
    owner = folder.stat().st_uid
    return [path for path in islice(_newest(folder), LOOKS) if _owner(path) not in (None, owner)]


def foreign_in_words(found: list[Path]) -> str:
    """The same as a sentence."""
    verb = "does" if len(found) == 1 else "do"
    return (
        f"{count(len(found), 'file')} {verb} not belong to their folder's owner, "
        f"for example {found[0]}"
    )


def _unusable(folder: Path, is_written: bool) -> Iterator[Trouble]:
    """What this user may not open of it: the service would fail later, at the first message."""
    wanted = os.R_OK | os.W_OK if is_written else os.R_OK
    told = _stat(folder)
    if told is not None and told.st_uid == ROOT and not os.access(folder, wanted | os.X_OK):
        here = user_name(os.geteuid())
        yield Trouble(
            f"{folder} belongs to root, and {here} may not open it", f"chown -R {here} {folder}"
        )
        return
    closed = [path for path in foreign(folder) if not os.access(path, wanted)]
    if closed:
        here = user_name(os.geteuid())
        yield Trouble(
            f"{foreign_in_words(closed)}, which {here} may not open",
            f"chown -R --reference={folder} {folder}",
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


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def user_name(uid: int) -> str:
    """The user's name, or `uid N`."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _group_name(gid: int) -> str:
    try:
        return getgrgid(gid).gr_name
    except KeyError:
        return f"gid {gid}"


def _is_own_group(gid: int) -> bool:
    """Whether it is the group that only this user is in: many systems give each user one, of the
    same name, and new folders are writable to it."""
    try:
        entry, group = pwd.getpwuid(os.geteuid()), getgrgid(gid)
    except KeyError:
        return False
    return (
        gid == entry.pw_gid
        and group.gr_name == entry.pw_name
        and set(group.gr_mem) <= {entry.pw_name}
    )


def _is_unmapped(uid: int) -> bool:
    """Whether that stands for a user outside of this container, whom nobody in it can be."""
    if uid != _OVERFLOW_UID:
        return False
    mapped = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    return mapped != ["0", "0", "4294967295"]
