"""What a process gives up before it works on what a stranger wrote: files, descriptors, the
network, its life after its parent's.

Landlock (Linux 5.13) takes the right to open files from a process and all that it starts, without
root. It is one of several walls where there is another, and where there is none the caller must not
go on without it: `confine_files` says whether it stands. A filter of system calls (seccomp) does
the same for sockets. Source: landlock(7), seccomp(2), prctl(2), linux/landlock.h,
linux/filter.h, linux/audit.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
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


_SECCOMP_MODE_FILTER = 2
_ALLOW, _ERRNO = 0x7FFF_0000, 0x0005_0000
"""What the kernel does with a call: SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO, with its number in
the low bits."""

_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
"""Instructions of the filter: a word into the accumulator, two jumps, the end."""

_CALL, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Where these stand in what the filter reads, struct seccomp_data; the low half of the argument."""

_SOCKET_CALL = {"x86_64": (0xC000_003E, 41), "aarch64": (0xC000_00B7, 198)}
"""By machine: its number in the kernel's audit, and the number of socket(2)."""

_IO_URING_SETUP = 425
"""It opens sockets without socket(2)."""

_OTHER_NUMBERING = 0x4000_0000
"""From here on the calls of x32, which x86_64 knows besides."""


def close_network() -> bool:
    """Let this process, and all that it starts, open no sockets but those of this host's own files
    (unix sockets): no TCP, no UDP.

    Sockets that are open stay. It is for a process with one thread. Returns False where the kernel
    does not do that, or on a machine whose calls are not known here: nothing is closed then.
    """
    known = _SOCKET_CALL.get(platform.machine())
    if known is None:
        return False
    architecture, socket_call = known
    # Each: instruction, what to compare with or to load, how many to pass over if so, if not.
    program = [
        (_LOAD, _ARCHITECTURE, 0, 0),
        (_JUMP_IF_EQUAL, architecture, 0, 6),
        (_LOAD, _CALL, 0, 0),
        (_JUMP_IF_AT_LEAST, _OTHER_NUMBERING, 4, 0),
        (_JUMP_IF_EQUAL, _IO_URING_SETUP, 3, 0),
        (_JUMP_IF_EQUAL, socket_call, 0, 3),
        (_LOAD, _FIRST_ARGUMENT, 0, 0),
        (_JUMP_IF_EQUAL, socket.AF_UNIX, 1, 0),
        (_RETURN, _ERRNO | errno.EAFNOSUPPORT, 0, 0),
        (_RETURN, _ALLOW, 0, 0),
    ]
    packed = b"".join(struct.pack("=HBBI", code, yes, no, k) for code, k, yes, no in program)
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = ctypes.create_string_buffer(packed, len(packed))
    # struct sock_fprog: their number, and where they are.
    filter_program = struct.pack("@HP", len(program), ctypes.addressof(instructions))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filter_program, 0, 0) == 0)
