"""Who may connect to the daemon's socket: its mode, owner and group, and the folders above it."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Container, Iterator
from pathlib import Path

from filterd.config.load import Settings
from filterd.doctor.findings import Finding, Level


def milter_socket(settings: Settings) -> Iterator[Finding]:
    """The socket as it lies there now; nothing if the daemon does not run, or listens on TCP."""
    path = settings.daemon.address.path
    if path is None or not path.exists():
        return
    told = path.stat()
    owner, group = _user(told.st_uid), _group(told.st_gid)
    found = f"{path}: root, {owner}" if owner != "root" else f"{path}: root"
    if told.st_mode & stat.S_IWGRP:
        found += f" and group {group}"
    found += f" may connect (mode {told.st_mode & 0o777:03o})"
    if told.st_mode & stat.S_IWOTH:
        yield Finding(
            Level.WARN,
            "socket",
            f"{path}: everybody on this host can connect",
            "set daemon.socket_mode = 0o660 and daemon.socket_group to the MTA's group",
        )
        return
    yield Finding(Level.OK, "socket", found)


def hindrance(socket: Path, user: str) -> str:
    """Why that user cannot connect to a unix socket; empty if nothing hinders, or if there is no
    such user or socket."""
    try:
        entry = pwd.getpwnam(user)
        groups = set(os.getgrouplist(user, entry.pw_gid))
    except KeyError:
        return ""
    if entry.pw_uid == 0 or not socket.exists():
        return ""
    for folder in reversed(socket.parents):
        if not _allows(folder, entry.pw_uid, groups, 0o1):
            return f"{user} may not enter {folder}"
    if not _allows(socket, entry.pw_uid, groups, 0o2):
        return f"{user} may not write to {socket}"
    return ""


def unsafe_folder(socket: Path, trusting: Container[str] = ()) -> Path | None:
    """The first folder above a socket that others than its owner may write to, None if there is
    none. sendmail then refuses the socket as unsafe (safedirpath in its `safefile.c`).

    trusting: its DontBlameSendmail flags in lower case, of which two are about that.
    """
    writers = stat.S_IWOTH
    if "groupwritabledirpathsafe" not in trusting:
        writers |= stat.S_IWGRP
    for folder in reversed(socket.parents):
        mode = folder.stat().st_mode if folder.exists() else 0
        kept_apart = mode & stat.S_ISVTX and "truststickybit" in trusting
        if mode & writers and not kept_apart:
            return folder
    return None


def _allows(path: Path, uid: int, groups: set[int], bit: int) -> bool:
    """Whether the mode gives that bit (1 to enter, 2 to write) to the user; access lists of the
    file system are not read."""
    told = path.stat()
    if told.st_uid == uid:
        bit <<= 6
    elif told.st_gid in groups:
        bit <<= 3
    return bool(told.st_mode & bit)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"{gid}"
