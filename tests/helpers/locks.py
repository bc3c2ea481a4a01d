"""Which locks this process holds on a database file, by the kernel's own list."""

from __future__ import annotations

import os
from pathlib import Path


def locks_on(database: Path, pid: int | None = None) -> list[tuple[str, str, str]]:
    """(file, kind, range) of each POSIX lock that a process holds on an SQLite database, its
    write-ahead log and its shared memory. See proc_locks(5)."""
    names = {}
    for suffix in ("", "-wal", "-shm"):
        path = Path(f"{database}{suffix}")
        if path.exists():
            names[path.stat().st_ino] = path.name
    found = []
    for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
        _number, kind, _advisory, mode, owner, place, *span = line.replace("->", "").split()
        inode = int(place.rpartition(":")[2])
        if kind == "POSIX" and int(owner) == (pid or os.getpid()) and inode in names:
            found.append((names[inode], mode, "-".join(span)))
    return sorted(found)
