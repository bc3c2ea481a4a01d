"""A foreign program under limits: time, processor time, memory, size of files, folder; and nothing
of it is left afterwards.

The program leads a session of its own, so that all of its group can be killed at once. What leaves
the group becomes a child of this process (PR_SET_CHILD_SUBREAPER) and is killed as well. Its output
goes to a file, for a pipe that a left child holds open would never end. Limits are set by
prlimit(1) and setpriv(1) of util-linux before the program starts: code of ours between fork and
exec would be at the mercy of this process's threads. Source: prctl(2), prlimit(1), setpriv(1).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filterd.message.fields import Buffer

OUTPUT_LIMIT = 64 << 10
"""Octets of a program's output that are read; the rest is ignored."""

LOOK = 0.25
"""Seconds between two looks at what the program has written into its folder."""

FILES_LIMIT = 100_000
"""Files in the program's folder, after which it counts as full."""

BLOCK_SIZE = 1 << 20
"""Octets that are written at a time."""

FILE = "{file}"
"""In the arguments: the path of the content's file. Without it the content is standard input."""

_PR_SET_CHILD_SUBREAPER = 36

_running: set[int] = set()
_mutex = threading.Lock()
_reaper = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """seconds: of wall-clock time. cpu: seconds of processor time of each process. memory: MiB of
    address space of each process, 0 for what this process may use. disk: MiB of files."""

    seconds: float = 30.0
    cpu: int = 60
    memory: int = 0
    disk: int = 1024


@dataclass(frozen=True, slots=True)
class Finished:
    """status: of the exit, negative for the signal that ended it. output: both streams together.
    stopped: why it was ended from here, empty if it was not."""

    status: int
    output: str
    stopped: str = ""


def run(
    arguments: Sequence[str], content: Buffer, limits: Limits, user: str = "", folder: str = ""
) -> Finished:
    """Run the program over the content. user: as whom, empty for this process's own. folder: where
    its own one is made, empty for the system's. Raises OSError if it cannot be started."""
    with tempfile.TemporaryDirectory(
        prefix="filterd-scan-", dir=folder or None, ignore_cleanup_errors=True
    ) as home:
        path = Path(home) / "content"
        _write(path, content)
        if user:
            shutil.chown(home, user)
            shutil.chown(path, user)
        words = [word.replace(FILE, str(path)) for word in arguments]
        with path.open("rb") as given, tempfile.TemporaryFile(dir=folder or None) as told:
            command = [*_limited(limits), *words]
            stdin = subprocess.DEVNULL if words != list(arguments) else given
            # What is looked for when others are swept must be known by then.
            with _mutex:
                _become_reaper()
                before = frozenset(_children())
                process = subprocess.Popen(
                    command,
                    stdin=stdin,
                    stdout=told,
                    stderr=subprocess.STDOUT,
                    cwd=home,
                    env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TMPDIR": home},
                    start_new_session=True,
                    user=user or None,
                )
                _running.add(process.pid)
            stopped = ""
            try:
                stopped = _watched(process.pid, Path(home), len(content), limits)
            finally:
                # Not waited for yet, so its number cannot be another's.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                status = process.wait()
                with _mutex:
                    _running.discard(process.pid)
                    _sweep(before)
            told.seek(0)
            output = told.read(OUTPUT_LIMIT).decode("utf-8", "replace")
    return Finished(status, output, stopped)


def _limited(limits: Limits) -> list[str]:
    megabyte = 1 << 20
    cpu = _within(resource.RLIMIT_CPU, limits.cpu)
    size = _within(resource.RLIMIT_FSIZE, limits.disk * megabyte)
    command = ["prlimit", f"--cpu={cpu}", "--core=0", f"--fsize={size}"]
    if limits.memory:
        command.append(f"--as={_within(resource.RLIMIT_AS, limits.memory * megabyte)}")
    return ["setpriv", "--pdeathsig=KILL", "--no-new-privs", *command]


def _within(kind: int, wanted: int) -> int:
    """The limit, not above this process's own, which only root may raise."""
    most = resource.getrlimit(kind)[1]
    return wanted if most == resource.RLIM_INFINITY else min(wanted, most)


def _write(path: Path, content: Buffer) -> None:
    with path.open("xb") as file:
        for start in range(0, len(content), BLOCK_SIZE):
            file.write(content[start : start + BLOCK_SIZE])


def _watched(pid: int, home: Path, given: int, limits: Limits) -> str:
    """Wait until the program has ended; why it is to be ended, empty if it did so itself."""
    deadline = time.monotonic() + limits.seconds
    descriptor = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            if poll.poll(max(min(left, LOOK), 0) * 1000):
                return ""
            if left <= 0:
                return f"took longer than {limits.seconds:.1f} s"
            if _size(home) - given > limits.disk << 20:
                return f"wrote more than {limits.disk} MiB"
    finally:
        os.close(descriptor)


def _size(folder: Path) -> int:
    """Octets on disk below the folder."""
    total = files = 0
    for where, _folders, names in os.walk(folder):
        for name in names:
            files += 1
            with contextlib.suppress(OSError):
                total += os.lstat(Path(where) / name).st_blocks * 512
        if files > FILES_LIMIT:
            return 1 << 62
    return total


def _become_reaper() -> None:
    """Have what a program leaves behind become a child of this process."""
    global _reaper  # noqa: PLW0603  (of the process, and a fork begins without it)
    if _reaper != os.getpid():
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
        _reaper = os.getpid()
        _running.clear()


def _sweep(before: frozenset[int]) -> None:
    """Kill what programs have left: children that were not there before, in another session than
    ours, that nobody runs."""
    own = os.getsid(0)
    for pid in _children():
        with contextlib.suppress(ProcessLookupError, ChildProcessError, PermissionError):
            if pid not in before and pid not in _running and os.getsid(pid) not in (own, *_running):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _children() -> list[int]:
    found = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found += [int(word) for word in (task / "children").read_text().split()]
    return found
