"""The filters that are measured, each with a name, a socket and the processes it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filterd.system.child import python_command
from tests.helpers.process import Program, listens
from tests.helpers.servers.clamav_milter import ClamavMilter
from tests.helpers.servers.clamd import Clamd

ROOT = Path(__file__).resolve().parent.parent

WORKERS = (os.cpu_count() or 1) + 1
"""One more than cores: while one waits for clamd, or for its next message, another works."""

SETTINGS = """\
[daemon]
socket = "unix:{folder}/filterd.sock"
spool = "{folder}/spool"
log_level = "info"

[workers]
count = {workers}
[chain]
filters = [{filters}]

[quarantine]
folder = "{folder}/quarantine"
{more}
"""


@dataclass(frozen=True)
class Contestant:
    """A running filter. roots: the topmost processes that work for it."""

    name: str
    socket: Path
    roots: Sequence[tuple[str, int]]


@contextmanager
def null(folder: Path) -> Iterator[Contestant]:
    """The empty pymilter filter."""
    socket = folder / "null.sock"
    program = Program([sys.executable, "-P", ROOT / "bench" / "null_filter.py", socket], folder)
    program.patience = 0.1
    program.start(lambda: listens(socket))
    try:
        yield Contestant("null pymilter filter", socket, [("filter", program.pid)])
    finally:
        program.stop()


@contextmanager
def filterd(
    folder: Path, filters: Sequence[str] = ("gtube", "parts", "bayes"), clamd: Clamd | None = None
) -> Iterator[Contestant]:
    """The daemon; with clamd, the whole chain, without, all but that."""
    more = f'[filters.clamav]\nserver = "unix:{clamd.socket}"\n' if clamd else ""
    names = [*filters, "clamav"] if clamd else filters
    config = folder / "filterd.toml"
    config.write_text(
        SETTINGS.format(
            folder=folder, workers=WORKERS, filters=", ".join(f'"{n}"' for n in names), more=more
        )
    )
    program = Program([*python_command("filterd", "run", "--config"), config], folder)
    socket = folder / "filterd.sock"
    program.start(lambda: listens(socket))
    try:
        roots = [("daemon", program.pid), *([("clamd", clamd.process.pid)] if clamd else [])]
        yield Contestant(f"filterd, {' '.join(names) or 'empty chain'}", socket, roots)
    finally:
        program.stop()


@contextmanager
def clamav_milter(folder: Path, clamd: Clamd) -> Iterator[Contestant]:
    """ClamAV's own milter."""
    server = ClamavMilter(folder, clamd.socket)
    server.start()
    try:
        roots = [("filter", server.process.pid), ("clamd", clamd.process.pid)]
        yield Contestant("clamav-milter", server.socket, roots)
    finally:
        server.stop()


@contextmanager
def clamd(folder: Path) -> Iterator[Clamd]:
    """clamd with a one-line database."""
    server = Clamd(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
