"""What clamd says to STATS. Source: clamd's `thrmgr.c`, thrmgr_printstats, 0.103 to 1.4."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MEGABYTE = 1_000_000

_THREADS = re.compile(r"(?m)^THREADS: live (\d+)\s+idle (\d+) max (\d+)")
_QUEUE = re.compile(r"(?m)^QUEUE: (\d+) items")
_POOLS = re.compile(r"\bpools_used (\d{1,9}\.\d{1,6})M")
_HEAP = re.compile(r"\bused (\d{1,9}\.\d{1,6})M")


@dataclass(frozen=True, slots=True)
class ClamdStats:
    """Of all pools of threads together. live: threads that exist. idle: of these, without work.
    most: MaxThreads. queue: scans that wait for a thread. memory: octets that signatures and
    scans use, None where clamd does not know."""

    live: int
    idle: int
    most: int
    queue: int
    memory: int | None = None

    @classmethod
    def parse(cls, text: str) -> ClamdStats | None:
        """The answer as values, None if it is not of the known form."""
        threads = _THREADS.findall(text)
        queue = _QUEUE.findall(text)
        if not threads or not queue:
            return None
        used = [match[1] for pattern in (_HEAP, _POOLS) if (match := pattern.search(text))]
        memory = round(sum(map(float, used)) * _MEGABYTE) if used else None
        live, idle, most = (sum(int(one[place]) for one in threads) for place in range(3))
        return cls(live, idle, most, sum(map(int, queue)), memory)
