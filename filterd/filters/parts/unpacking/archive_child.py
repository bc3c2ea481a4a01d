"""A process of its own that reads one archive, and tells through a pipe what it finds.

libarchive is C, and hostile archives have made it crash: in a child that costs no more than that
archive. The child has little time and memory, no files but the pipe, and dies with its parent.

Records in the pipe: one octet that says what it is, four with the length, then the octets.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

MEMORY_LIMIT = 384 << 20
"""Octets that reading one archive may need: 7-Zip's largest dictionary as it comes is 256 MiB.
Below what a worker may have, so that the verdict is the same in the daemon and outside."""

A_MEMBER, BLOCK, MEMBER_END, END = b"M", b"B", b"E", b"Z"
MEMBER_ENCRYPTED, MEMBER_DAMAGED = b"x", b"d"
ENCRYPTED, DAMAGED, TOO_SLOW, TOO_LARGE, CRASHED = b"X", b"D", b"T", b"L", b"C"

MEMBER = struct.Struct("!?qI")
"""What a record A_MEMBER begins with: whether it is a file, its size, the length of its name; name
and target of the link follow."""

CLOCK_FACTOR = 12
"""How many times its CPU time a child may take by the clock."""

_RECORD = struct.Struct("!cI")

_PR_SET_PDEATHSIG = 1  # prctl(2)

Write = Callable[[bytes, bytes], None]
"""Writes one record: kind and octets."""

Record = tuple[bytes, bytes]


class ReadingTime:
    """CPU seconds that a number of children take: what reading archives costs, however busy the
    machine is, and whatever else this process does between two of them."""

    def __init__(self) -> None:
        self._of_ended = 0.0
        self._running: set[int] = set()

    @property
    def seconds(self) -> float:
        """Those of all children so far."""
        return self._of_ended + sum(map(_cpu_of, self._running))

    def begins(self, pid: int) -> None:
        """Count this child."""
        self._running.add(pid)

    def reap(self, pid: int) -> None:
        """Wait for this child; what it took stays counted."""
        _pid, _status, usage = os.wait4(pid, 0)
        self._running.discard(pid)
        self._of_ended += usage.ru_utime + usage.ru_stime


def _cpu_of(pid: int) -> float:
    """Source: proc(5), /proc/pid/stat; the name in parentheses may have blanks."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    ticks = text.rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def reading(
    work: Callable[[Write], None], seconds: int, time: ReadingTime | None = None
) -> Iterator[Iterator[Record]]:
    """Run `work` in a child; give the records that it writes.

    seconds: of CPU that it may take. time: where they are counted. A child that ends without END
    has crashed, or took too long: the last record is then CRASHED or TOO_SLOW.
    """
    counted = ReadingTime() if time is None else time
    receiving, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(receiving)
            _confine(writing, seconds)
            with os.fdopen(writing, "wb") as stream:
                work(lambda kind, octets: _write(stream, kind, octets))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    counted.begins(pid)
    try:
        with os.fdopen(receiving, "rb") as stream:
            yield _records(stream, pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        counted.reap(pid)


def _confine(keep: int, seconds: int) -> None:
    """Make this child harmless: no time or memory without end, no open files but one, no life of
    its own."""
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The clock only ends a child that nobody waits for any more: on a busy host the CPU's share
    # comes slowly, and the filter has a time limit of its own.
    signal.setitimer(signal.ITIMER_REAL, CLOCK_FACTOR * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory()
    # What libc says when it aborts is not a line for the daemon's log.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.closerange(3, keep)
    os.closerange(keep + 1, 1024)


def _limit_memory() -> None:
    """Take no more than `MEMORY_LIMIT` above what is in use, nor than this process may have."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    wanted = pages * resource.getpagesize() + MEMORY_LIMIT
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY or wanted < soft:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


def _write(stream: BinaryIO, kind: bytes, octets: bytes) -> None:
    stream.write(_RECORD.pack(kind, len(octets)) + octets)


def _records(stream: BinaryIO, pid: int) -> Iterator[Record]:
    while True:
        head = stream.read(_RECORD.size)
        if len(head) < _RECORD.size:
            # Waited for without being reaped: `reading` does that.
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            slow = ended is not None and ended.si_status in (signal.SIGXCPU, signal.SIGALRM)
            yield (TOO_SLOW if slow else CRASHED), b""
            return
        kind, length = _RECORD.unpack(head)
        octets = stream.read(length)
        if kind == END:
            return
        yield kind, octets
