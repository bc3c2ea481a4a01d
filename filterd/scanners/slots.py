"""A cap on what several processes do at the same time, that no crash can wear out.

N octets of a file without a name stand for N slots; who holds the record lock of one has that slot.
Record locks belong to a process and end with it, so a worker that is killed gives its slot back,
and they keep processes apart that inherited the same descriptor, which flock(2) would not.
Source: fcntl(2), "Advisory record locking".
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PAUSE = 0.01
"""Seconds between two looks for a free slot."""


class NoSlotError(OSError):
    """All slots stayed taken."""


class Slots:
    """So many slots, shared by this process and all that are forked from it later."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 open as long as this lives
        # A process's own locks do not keep its own threads apart.
        self._mutex = threading.Lock()
        self._mine: tuple[int, set[int]] = os.getpid(), set()

    @contextmanager
    def one(self, patience: float) -> Iterator[None]:
        """Hold a slot inside the block. Raises NoSlotError if none is free for `patience`
        seconds."""
        deadline = time.monotonic() + patience
        while (slot := self._taken()) is None:
            if time.monotonic() >= deadline:
                raise NoSlotError(f"all {self._count} were in use for {patience:.1f} s")
            time.sleep(PAUSE)
        try:
            yield
        finally:
            with self._mutex:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, slot)
                self._mine[1].discard(slot)

    def _taken(self) -> int | None:
        with self._mutex:
            if self._mine[0] != os.getpid():
                self._mine = os.getpid(), set()
            slot = self._locked()
            if slot is not None:
                self._mine[1].add(slot)
            return slot

    def _locked(self) -> int | None:
        # Every process begins elsewhere, so that not all try the same slot first.
        first = os.getpid() % self._count
        slot: int
        for slot in (*range(first, self._count), *range(first)):
            if slot in self._mine[1]:
                continue
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
            except (BlockingIOError, PermissionError):
                continue
            return slot
        return None
