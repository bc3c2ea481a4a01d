"""What a process gives up before it works on what a stranger wrote: files, descriptors, its life
after its parent's.

Landlock (Linux 5.13) takes the right to open files from a process and all that it starts, without
root. It is one of several walls where there is another, and where there is none the caller must not
go on without it: `confine_files` says whether it stands. Source: landlock(7), prctl(2),
linux/landlock.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""Numbers of the system calls, the same on every architecture that Python is built for."""

_QUERY_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3

_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights over files the kernel knows, by the first version that knows them."""

_NETWORK_RIGHTS = 3
"""bind and connect of TCP, from version 4."""

_SCOPES = 3
"""Abstract sockets and signals of others, from version 6."""


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def no_new_files() -> None:
    """Open nothing any more: no file, no socket, no pipe (setrlimit(2), RLIMIT_NOFILE)."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def can_confine_files() -> bool:
    """Whether this kernel has Landlock, and lets this process use it."""
    return _version(ctypes.CDLL(None)) > 0


def _version(libc: ctypes.CDLL) -> int:
    return int(libc.syscall(_CREATE_RULESET, None, 0, _QUERY_VERSION))


def confine_files(reads: Iterable[Path] = (), runs: Iterable[Path] = ()) -> bool:
    """Let this process, and all that it starts, open nothing but these files and what is in these
    folders, for reading; and run nothing but what is in `runs`, which may be read too.

    Paths that are not there are left out. No TCP connection can be made afterwards, where the
    kernel knows that. It is for a process with one thread: others keep their rights. Returns False
    where there is no Landlock: nothing is confined then.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = _version(libc)
    if version < 1:
        return False
    rights = (1 << max(number for first, number in _RIGHTS.items() if first <= version)) - 1
    attributes = struct.pack(
        "=QQQ", rights, _NETWORK_RIGHTS if version >= 4 else 0, _SCOPES if version >= 6 else 0
    )
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = libc.syscall(_CREATE_RULESET, attributes[:size], size, 0)
    if ruleset < 0:
        return False
    try:
        reading = _READ_FILE | _READ_DIR
        rules = [(path, reading) for path in reads] + [(path, reading | _EXECUTE) for path in runs]
        for path, wanted in rules:
            with contextlib.suppress(FileNotFoundError):
                _allow(libc, ruleset, path, wanted)
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            return False
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    """Raises OSError."""
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= ~_READ_DIR
        rule = struct.pack("=Qi", rights, place)
        if libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(place)
