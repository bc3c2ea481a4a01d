"""A fork server that is a fork of the daemon, as long as the daemon has one thread.

What both need is imported once then: a start costs little more than half the CPU time of two
programs, and the two share the memory. Later the daemon has a thread for each session, and a fork
server that follows is a program of its own.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from pathlib import Path

from filterd.config.load import Settings
from filterd.system import privileges
from filterd.workers import codec, forkserver

_LOOK_AGAIN = 0.02
"""Seconds between two looks whether a process has ended that somebody waits for."""

_TASKS = Path("/proc/self/task")


class Forked:
    """A process that this one has forked, as `subprocess.Popen` shows one that it has started. All
    methods may be called from any thread."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._mutex = threading.Lock()

    def poll(self) -> int | None:
        """The exit status, less than 0 for a signal; None while it runs."""
        with self._mutex:
            if self.returncode is None:
                try:
                    pid, status = os.waitpid(self.pid, os.WNOHANG)
                except ChildProcessError:
                    # Whoever started the daemon ignores SIGCHLD: nobody is told how it ended.
                    pid, status = self.pid, 0
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended. timeout: in seconds. Raises
        subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (found := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            time.sleep(_LOOK_AGAIN)
        return found

    def kill(self) -> None:
        """Kill it, if it runs."""
        with self._mutex:
            # It keeps its number until it has been waited for.
            if self.returncode is None:
                os.kill(self.pid, signal.SIGKILL)


def has_one_thread() -> bool:
    """Whether this process may be forked: a copy of others' locks would never be free. Also
    libraries start threads, which Python does not know."""
    try:
        return len(os.listdir(_TASKS)) == 1  # noqa: PTH208  (names are counted)
    except OSError:
        return False


def fork(settings: Settings, descriptors: Iterable[int] = ()) -> tuple[socket.socket, Forked]:
    """Fork a fork server with these settings; the daemon's end of its socket, and the process.

    The caller has one thread. descriptors: those of the daemon, which the fork server closes.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    codec.REPORTS.prepare()
    # The collector of either must not write into the pages that they share.
    gc.collect()
    gc.freeze()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        theirs.close()
        return ours, Forked(pid)
    status = 1
    try:
        ours.close()
        _be_as_a_program(descriptors)
        status = forkserver.run(theirs, settings)
    except BaseException:  # noqa: BLE001  (the child must end here, not in the daemon's code)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _be_as_a_program(descriptors: Iterable[int]) -> None:
    """Give up what a program that the daemon starts would not get."""
    signal.set_wakeup_fd(-1)
    forkserver.ignore_signals()
    for descriptor in descriptors:
        os.close(descriptor)
    privileges.keep_what_programs_get()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    if not sys.flags.safe_path:
        # The folder of the script, or the current one: see `filterd.system.child`.
        del sys.path[0]
