"""`python -m bench.scan_cache`: one message to many people, with and without remembered answers.

The same content of 2 MB comes again and again, over four connections at a time; what it takes, and
the CPU time of clamd and of filterd's processes. clamd has one signature: with the usual eight
million the scans that are left out cost many times more.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.processes import tree
from tests.helpers.milter import MilterClient
from tests.helpers.process import folder
from tests.helpers.servers.clamd import Clamd
from tests.helpers.servers.filterd import Filterd

CONNECTIONS = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=500)
    parser.add_argument("--size", type=int, default=2 << 20, help="octets of the message")
    given = parser.parse_args(arguments)
    body = os.urandom(given.size // 2).hex().encode()
    print("| remembered | s | clamd CPU s | filterd CPU s |\n|---|---|---|---|")
    for seconds in (0.0, 600.0):
        with folder("bench-clamd") as there, folder("bench-cache") as here:
            clamd = Clamd(there)
            clamd.start()
            told = measure(here, clamd, seconds, given.copies, body)
            clamd.stop()
        print(
            f"| {'yes' if seconds else 'no'} | " + " | ".join(f"{one:.1f}" for one in told) + " |"
        )
    return 0


def measure(
    here: Path, clamd: Clamd, seconds: float, copies: int, body: bytes
) -> tuple[float, float, float]:
    """Wall-clock seconds, and those of CPU time of clamd and of filterd."""
    more = (
        f'cache_seconds = {seconds}\ndatabases = "{clamd.folder / "database"}"\nsettle = 0.0\n'
        "timeout = 60.0\n"
    )
    daemon = Filterd(here, clamd.socket, more)
    text = daemon.configuration.read_text().replace('"obedient", ', "")
    daemon.configuration.write_text(text.replace("timeout = 8.0", "timeout = 90.0"))
    daemon.start()
    one_message(daemon.socket, b"x")
    before = used(clamd.process.pid), used(daemon.process.pid)
    started = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        words = set(pool.map(lambda _: one_message(daemon.socket, body), range(copies)))
    took = time.monotonic() - started
    after = used(clamd.process.pid), used(daemon.process.pid)
    daemon.stop()
    if words != {"continue"}:
        sys.exit(f"not all was accepted: {words}")
    return took, after[0] - before[0], after[1] - before[1]


def one_message(socket: Path, body: bytes) -> str:
    """What the daemon says to a message, over a connection of its own."""
    with MilterClient(socket) as client:
        client.hello()
        return client.message(body=body).word


def used(pid: int) -> float:
    """Seconds of CPU time of the process and all below it."""
    return sum(one.seconds for one in tree(pid))


if __name__ == "__main__":
    sys.exit(main())
