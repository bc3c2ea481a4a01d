"""The packaged layout: the user, the folders and the settings file of filterd as a service.

This is the one place that says it. `filterd init --system` makes it, the files for systemd in
packaging/ are its text, and `filterd doctor` and the commands of root compare with it.
Source: Filesystem Hierarchy Standard 3.0, sysusers.d(5), tmpfiles.d(5).
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filterd.system import paths

USER = "filterd"
"""The service's user, and its group."""

HOME = Path("/var/lib/filterd")
MODELS = HOME / "models"
MAIL = Path("/var/spool/filterd")
BODIES = MAIL / "tmp"
QUARANTINE = MAIL / "quarantine"

CONFIG_MODE = 0o640
"""root writes the settings, the service reads them: they can name a database with its password."""


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder. owner: root, or the service's user; the group is always the service's. kept: it
    survives a reboot."""

    path: Path
    owner: str
    mode: int
    about: str
    kept: bool = True


FOLDERS = (
    Folder(paths.SYSTEM_CONFIG.parent, "root", 0o750, "settings"),
    Folder(Path("/run/filterd"), USER, 0o750, "sockets", kept=False),
    Folder(HOME, USER, 0o700, "list of senders"),
    Folder(MODELS, USER, 0o700, "models of the classifier"),
    Folder(MAIL, USER, 0o700, "mail"),
    Folder(BODIES, USER, 0o700, "bodies while they are examined"),
    Folder(QUARANTINE, USER, 0o700, "quarantine, history, accounts"),
)
"""All of it, each below the ones before."""

SOCKET = "unix:/run/filterd/filterd.sock"

RELEASE_SOCKET = Path("/run/filterd-release.sock")
"""What filterd-release.socket listens on: where the pages ask for releases."""

RELEASE_UNIT = "filterd-release.socket"

UNITS = tuple(map(Path, ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")))
"""Where systemd looks for units of administrators and of packages."""

REPAIR = "filterd init --system"
"""The command that makes what is missing, and gives the service what is its own."""


class LayoutError(Exception):
    """The layout cannot be made. The text says what to do."""


def sysusers() -> str:
    """What packaging/filterd.sysusers says."""
    return (
        "# Install as /usr/lib/sysusers.d/filterd.conf, then: systemd-sysusers filterd.conf\n"
        f'u {USER} - "filterd mail filter" {HOME}\n'
    )


def tmpfiles() -> str:
    """What packaging/filterd.tmpfiles says."""
    lines = [
        f"d {one.path!s:<29} {one.mode:04o} {one.owner} {USER} -" for one in FOLDERS if one.kept
    ]
    return (
        "# Install as /usr/lib/tmpfiles.d/filterd.conf, then:\n"
        "# systemd-tmpfiles --create filterd.conf\n"
        "# Mail is here: private to filterd's user. Nothing is removed by age; [quarantine] says\n"
        "# for how long it is kept.\n" + "\n".join(lines) + "\n"
    )


def service_user() -> pwd.struct_passwd | None:
    """The service's user, None where there is none."""
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        return None


def is_system(settings: Path | None) -> bool:
    """Whether that settings file is the service's."""
    return settings is not None and settings.resolve() == paths.SYSTEM_CONFIG.resolve()


def create() -> list[str]:
    """Make every folder with its owner and mode, and give the service what root made in its own;
    return what was changed, a line each. Only root can. Raises LayoutError, OSError."""
    user = service_user()
    if user is None:
        raise LayoutError(f"there is no user {USER}; run: systemd-sysusers filterd.conf")
    done: list[str] = []
    for one in FOLDERS:
        uid = user.pw_uid if one.owner == USER else 0
        with _opened(one.path, done) as handle:
            told = os.fstat(handle)
            if (told.st_uid, told.st_gid) != (uid, user.pw_gid):
                os.fchown(handle, uid, user.pw_gid)
                done.append(f"{one.path}: now of {one.owner}:{USER}")
            if stat.S_IMODE(told.st_mode) != one.mode:
                os.fchmod(handle, one.mode)
                done.append(f"{one.path}: mode {one.mode:04o}")
            if uid and (given := give_back(handle, user.pw_uid, user.pw_gid)):
                done.append(f"{one.path}: {given} files of root given to {USER}")
    return done


def give_back(handle: int, uid: int, gid: int) -> int:
    """Give that user what root has made in an open folder of theirs, at any depth; how many.

    Nothing is followed: a link, or a second name of a file elsewhere, is left as it is. Raises
    OSError.
    """
    given = 0
    for name in os.listdir(handle):
        found = os.stat(name, dir_fd=handle, follow_symlinks=False)
        is_folder = stat.S_ISDIR(found.st_mode)
        if found.st_uid == 0 and (is_folder or found.st_nlink == 1):
            os.chown(name, uid, gid, dir_fd=handle, follow_symlinks=False)
            given += 1
        elif found.st_uid != uid:
            continue
        if is_folder:
            with contextlib.suppress(OSError):
                inner = os.open(name, _FOLDER, dir_fd=handle)
                try:
                    given += give_back(inner, uid, gid)
                finally:
                    os.close(inner)
    return given


_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def _opened(path: Path, done: list[str]) -> Iterator[int]:
    """The folder, made where it is missing. The service may write above it: so no symbolic link is
    followed from its first folder on."""
    own = next(above for above in (*reversed(path.parents), path) if above.name == USER)
    own.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(own.parent.resolve(), _FOLDER)
    try:
        for name in path.relative_to(own.parent).parts:
            try:
                os.mkdir(name, 0o700, dir_fd=handle)
            except FileExistsError:
                pass
            else:
                done.append(f"{path}: made")
            try:
                inner = os.open(name, _FOLDER, dir_fd=handle)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR):
                    raise LayoutError(f"{path}: expected a folder, not a link or a file") from None
                raise
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)
