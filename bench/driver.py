"""The load driver (driver.c), compiled when it is needed, and what it measured."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("driver.c")

RUN_LIMIT = 600
"""Seconds that one run may take."""


class NoCompilerError(RuntimeError):
    """There is no C compiler, and without one there is no driver."""


@dataclass(frozen=True)
class Run:
    """One run. whole, end: milliseconds of each message, from MAIL and from end-of-message to the
    last reply, sorted. replies: how often each reply octet came; `-` is a broken connection."""

    messages: int
    seconds: float
    whole: tuple[float, ...]
    end: tuple[float, ...]
    replies: Counter[str]

    @property
    def rate(self) -> float:
        """Messages a second that were answered."""
        return (self.messages - self.replies["-"]) / self.seconds


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the sorted values do not exceed; 0.0 if there are none."""
    return values[min(int(len(values) * share), len(values) - 1)] if values else 0.0


def compiled(folder: Path) -> Path:
    """The driver, compiled into the folder. Raises NoCompilerError."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NoCompilerError("no C compiler (cc); install gcc")
    program = folder / "driver"
    subprocess.run([compiler, "-O2", "-o", program, SOURCE], check=True)
    return program


def drive(
    program: Path,
    socket: Path,
    files: Sequence[Path],
    *,
    messages: int,
    connections: int,
    each: int,
    parties: int = 1,
) -> Run:
    """Send messages through the filter on that socket; `each` through one connection, 0: all.

    parties: clients that take turns, each with a sender of its own and some recipients.
    """
    done = subprocess.run(
        [program, socket, *map(str, (connections, messages, each, parties)), *files],
        capture_output=True,
        text=True,
        check=True,
        timeout=RUN_LIMIT,
    )
    *lines, total = done.stdout.splitlines()
    records = [line.split() for line in lines]
    answered = [record for record in records if record[0] != "-"]
    return Run(
        len(records),
        float(total.split()[1]),
        tuple(sorted(int(record[1]) / 1000 for record in answered)),
        tuple(sorted(int(record[2]) / 1000 for record in answered)),
        Counter(record[0] for record in records),
    )
