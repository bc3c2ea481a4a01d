"""What a worker is doing, seen from outside: one page of memory shared with the daemon.

Before each filter the worker writes the filter's number and the moment its time is over. If the
worker then hangs beyond its own alarm, or dies, the daemon knows which filter it was, and how long
to wait. A single page, written by one side and only read by the other, needs no lock; a torn read
at worst kills a worker for the filter before.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from struct import Struct

_RECORD = Struct("=id")
_SPENT_AT = 64
"""Offset of the octet that says whether the worker is to be replaced."""
SIZE = mmap.PAGESIZE


def new_page() -> int:
    """A descriptor of fresh shared memory, to be passed to both sides."""
    descriptor = os.memfd_create("filterd-watch", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, SIZE)
    return descriptor


class WatchPage:
    """One worker's page. names: the chain's filters in order; any other number stands for none."""

    def __init__(self, descriptor: int, names: Sequence[str], *, writable: bool) -> None:
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        self._page = mmap.mmap(descriptor, SIZE, access=access)
        self._names = list(names)

    def announce(self, name: str, deadline: float) -> None:
        """Say that the filter starts now, with an empty name that all are done; deadline: on the
        system's monotonic clock, seconds."""
        number = self._names.index(name) + 1 if name else 0
        _RECORD.pack_into(self._page, 0, number, deadline)

    def clear(self) -> None:
        """Say that no filter is running."""
        _RECORD.pack_into(self._page, 0, 0, 0.0)

    def read(self) -> tuple[str, float]:
        """The filter that is running, empty for none, and the deadline, 0.0 for none."""
        number, deadline = _RECORD.unpack_from(self._page, 0)
        return self._names[number - 1] if 1 <= number <= len(self._names) else "", deadline

    def spend(self) -> None:
        """Say that this worker should scan no other message."""
        self._page[_SPENT_AT] = 1

    @property
    def spent(self) -> bool:
        """True if the worker has said so."""
        return self._page[_SPENT_AT] != 0

    def close(self) -> None:
        self._page.close()
