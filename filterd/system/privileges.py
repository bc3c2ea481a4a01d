"""Dropping root's privileges: a command that root runs acts as the owner of the store.

What root makes in a folder of the daemon's user, a list, a lock, a database's write-ahead log, the
daemon cannot open any more, and mail stops. So a command takes the owner's uid, gid and groups
before it touches a file. It can still read what only root may read, a settings file or the mail
that is to be learned: of root's capabilities(7) it keeps that to read, and files that the person
named for output are written as the person (`as_caller`).

A service (`give_up_root`) keeps the capability to listen on ports below 1024 and nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filterd.system import layout

# linux/capability.h, linux/prctl.h
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_NET_BIND_SERVICE = 1, 2, 10
_CAPABILITY_VERSION = 0x20080522
_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 4, 8, 47, 2

ROOT = 0


@dataclass(frozen=True, slots=True)
class User:
    """Whom a command acts as. name: of the password database, else `uid N`."""

    uid: int
    gid: int
    name: str
    groups: tuple[int, ...]


_caller = os.getuid()
_acting: User | None = None


def caller() -> int:
    """The uid of the user who runs the command, whoever it acts as."""
    return _caller


def acting() -> User | None:
    """The user whom a command of root acts as; None where it acts as the user who runs it."""
    return _acting


def owner(folders: Iterable[Path]) -> User | None:
    """Whose files these are; None if they are root's.

    The first folder decides; where it is missing, the closest folder above it that is there, and if
    that is root's, as /var/lib is, the next one.
    """
    for folder in folders:
        place = folder
        while (found := _stat(place)) is None and place != place.parent:
            place = place.parent
        if found is not None and found.st_uid != ROOT:
            return _user(found.st_uid, found.st_gid)
        if found is not None and place == folder:
            return None
    return None


class NotOfServiceError(Exception):
    """A folder of the service is root's, or missing. The text says which, and what repairs it."""


def act_as_owner(
    folders: Iterable[Path], settings: Path | None = None, *, refuses: bool = False
) -> None:
    """From now on act as the owner of these folders; nothing changes unless root runs this, or if
    they are root's. Only the first call counts.

    settings: a file that programs which the command starts read again. refuses: raise
    NotOfServiceError where these are the service's settings and one of the folders is not its own:
    what root would write there, the service could not read.
    """
    global _acting  # noqa: PLW0603  (a process has one identity)
    if os.geteuid() != ROOT or _acting is not None:
        return
    folders = tuple(folders)
    user = owner(folders)
    if layout.is_system(settings) and (service := layout.service_user()) is not None:
        if refuses:
            _check_service(folders)
        user = user or _user(service.pw_uid, service.pw_gid)
    if user is None:
        return
    for folder in folders:
        with contextlib.suppress(OSError):
            _give_back(folder, user)
    try:
        os.setgroups(user.groups)
        # Root stays the saved id, for `as_caller`.
        os.setresgid(user.gid, user.gid, ROOT)
        os.setresuid(user.uid, user.uid, ROOT)
    except OSError as error:
        # A container that has no such user, or a root without the capability to become one.
        sys.stderr.write(
            f"filterd: warning: cannot act as {user.name} ({error.strerror}): "
            "new files belong to root\n"
        )
        os.setresgid(ROOT, ROOT, ROOT)
        return
    _acting = user
    _take_up([_reading()])
    if _hidden(settings):
        # They lie where only root may read, below /root for example; what is started must load.
        _hand_down(_reading())


def give_up_root(settings: Path | None = None) -> None:
    """Be the owner for good, in a service; nothing if the command does not act as one.

    settings: a file that the service reads again later. Where the owner may not read that or the
    program, the service keeps the capability to read, and a warning says so.
    """
    user = _acting
    if user is None:
        return
    kept = [_CAP_NET_BIND_SERVICE]
    hidden = _hidden(settings)
    if hidden is not None:
        kept.append(_reading())
        sys.stderr.write(
            f"filterd: warning: {user.name} may not read {hidden}: "
            "the service keeps root's right to read all files\n"
        )
    libc = _libc()
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    _take_up(kept, only=True)
    if hidden is not None:
        _hand_down(_reading())
    # As any process of that user: the kernel hid /proc/self from it when the uid changed.
    libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def keep_what_programs_get() -> None:
    """In a fork: keep only the capabilities that a program would have which is started instead. The
    right to listen on ports below 1024 is not among them."""
    if ROOT not in os.getresuid():
        inheritable = _capabilities()[0].inheritable
        _take_up([one for one in range(32) if inheritable & 1 << one], only=True)


def _check_service(folders: Iterable[Path]) -> None:
    for folder in folders:
        found = _stat(folder)
        place = folder
        while found is None and place != place.parent:
            place = place.parent
            found = _stat(place)
        if found is not None and found.st_uid == ROOT:
            what = "belongs to root" if place == folder else "is missing"
            raise NotOfServiceError(
                f"{folder} {what}, and the service runs as {layout.USER}: "
                f"run `{layout.REPAIR}` first"
            )


@contextlib.contextmanager
def as_caller() -> Iterator[None]:
    """Meanwhile act as the user who runs the command, for a file that this person named for
    output."""
    user = _acting
    if user is None or os.getresuid()[2] != ROOT or os.geteuid() == ROOT:
        yield
        return
    os.seteuid(ROOT)
    os.setegid(ROOT)
    try:
        yield
    finally:
        os.setegid(user.gid)
        os.seteuid(user.uid)
        _take_up([_reading()])


@contextlib.contextmanager
def writing_in(folder: Path) -> Iterator[User | None]:
    """Meanwhile somebody who may write in that folder, or make it: the owner of the store, else who
    runs the command; then the user whom new files have to be given to, else None."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if _acting is None or os.access(place, os.W_OK | os.X_OK):
        yield None
        return
    with as_caller():
        yield _acting


def _give_back(folder: Path, user: User) -> None:
    """Give the user what root has made in a folder of theirs. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if os.fstat(handle).st_uid != user.uid:
            return
        for name in os.listdir(handle):  # noqa: PTH208  (a descriptor, no path)
            found = os.stat(name, dir_fd=handle, follow_symlinks=False)
            is_folder = stat.S_ISDIR(found.st_mode)
            # A second name of a file elsewhere is not root's making: nobody does that here.
            if found.st_uid == ROOT and (is_folder or found.st_nlink == 1):
                os.chown(name, user.uid, user.gid, dir_fd=handle, follow_symlinks=False)
                if is_folder:
                    _give_back(folder / name, user)
    finally:
        os.close(handle)


def _user(uid: int, gid: int) -> User:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return User(uid, gid, f"uid {uid}", (gid,))
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return User(uid, entry.pw_gid, entry.pw_name, tuple(groups))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _hidden(settings: Path | None) -> Path | None:
    """What of program and settings the user alone may not read; access(2) does not count the
    capability. None if all can be read."""
    if not os.access(sys.executable, os.X_OK):
        return Path(sys.executable)
    files = [Path(__file__), *filter(None, [settings])]
    return next((file for file in files if not os.access(file, os.R_OK)), None)


# capabilities(7)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilitySets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _capabilities() -> ctypes.Array[_CapabilitySets]:
    """The sets of this thread: two words of 32 bits for each."""
    sets = (_CapabilitySets * 2)()
    _libc().capget(ctypes.byref(_CapabilityHeader(_CAPABILITY_VERSION, 0)), sets)
    return sets


def _reading() -> int:
    """The capability to read all files that root has here; containers often leave it the wider
    one alone."""
    permitted = _capabilities()[0].permitted
    is_there = permitted & 1 << _CAP_DAC_READ_SEARCH
    return _CAP_DAC_READ_SEARCH if is_there else _CAP_DAC_OVERRIDE


def _take_up(wanted: Iterable[int], *, only: bool = False) -> None:
    """Use these of the permitted capabilities, no others. only: the others are gone for good."""
    sets = _capabilities()
    bits = sum(1 << one for one in set(wanted)) & sets[0].permitted
    sets[0].effective, sets[1].effective = bits, 0
    if only:
        sets[0].permitted, sets[1].permitted = bits, 0
        sets[0].inheritable = sets[1].inheritable = 0
    _libc().capset(ctypes.byref(_CapabilityHeader(_CAPABILITY_VERSION, 0)), sets)


def _hand_down(capability: int) -> None:
    """Let programs that are started have the capability, too."""
    sets = _capabilities()
    sets[0].inheritable |= sets[0].permitted & 1 << capability
    libc = _libc()
    libc.capset(ctypes.byref(_CapabilityHeader(_CAPABILITY_VERSION, 0)), sets)
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)
