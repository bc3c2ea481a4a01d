"""What processes use: CPU time and resident memory, from proc(5)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """One process. seconds: CPU time since its start; mib: resident memory now, shared included."""

    pid: int
    parent: int
    seconds: float
    mib: float


def usage(pid: int) -> Usage | None:
    """What the process uses; None if it is no more."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("latin-1")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return Usage(pid, int(fields[1]), ticks / _TICK, int(fields[21]) * _PAGE / (1 << 20))


def tree(pid: int) -> list[Usage]:
    """The process and all below it, parents first."""
    everybody = [
        one for path in Path("/proc").glob("[0-9]*") if (one := usage(int(path.name))) is not None
    ]
    found = [one for one in everybody if one.pid == pid]
    for one in found:
        found += [child for child in everybody if child.parent == one.pid]
    return found
