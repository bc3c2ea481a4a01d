"""`filterd run` with the misbehaving filter, as a process of its own."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filterd.quarantine import Entry, QuarantineSettings, Store
from tests.helpers.milter import Outcome, one_message
from tests.helpers.process import Program, wait_for

PLUGINS = Path(__file__).parent / "plugins"
PLUGIN = PLUGINS / "misbehaving"
STAGED = PLUGINS / "staged"
ROOT = Path(__file__).resolve().parents[2]

SETTINGS = """\
[daemon]
socket = "unix:{folder}/s"
socket_mode = {mode}
spool = "{folder}/spool"
log_level = "info"
progress_interval = {progress}
shutdown_grace = {shutdown}
max_message_size = {limit}

[workers]
count = {count}
queue = {queue}
memory = 256
recycle = {recycle}
grace = 0.4

[chain]
filters = {filters}
timeout = {timeout}

[policy]
keep_rejected = false

[quarantine]
folder = "{folder}/quarantine"
{quarantine}

[filters.misbehaving]
timeout = {filter_timeout}
mood = "{mood}"
{more}
"""

DEFAULTS = {
    "mode": "0o600",
    "progress": 0.3,
    "shutdown": 5.0,
    "count": 2,
    "queue": 16,
    "recycle": 0,
    "timeout": 5.0,
    "filter_timeout": 1.5,
    "limit": 4_000_000,
    "mood": "bad",
    "filters": '["misbehaving"]',
    "more": "",
    "quarantine": "",
}


class RunningDaemon:
    """The daemon, its settings file, its log."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.config = folder / "filterd.toml"
        self.socket = folder / "s"
        self.configure(**settings)
        paths = [str(PLUGIN), str(STAGED), str(ROOT), os.environ.get("PYTHONPATH", "")]
        self.process = Program(
            [sys.executable, "-P", "-m", "filterd", "run", "--config", self.config],
            folder,
            {"PYTHONPATH": os.pathsep.join(paths), "NOTIFY_SOCKET": ""},
        )

    def configure(self, **settings: object) -> None:
        values = {**DEFAULTS, **settings}
        self._count = values["count"]
        self.config.write_text(SETTINGS.format(folder=self.folder, **values), "utf-8")

    def start(self) -> RunningDaemon:
        # Not when it can be connected to: a moment later libmilter takes signals for orders to end.
        before = self._announced
        self.process.start(lambda: self._announced > before)
        return self

    @property
    def _announced(self) -> int:
        return self.log.count(" listens on unix:")

    def told(self, order: str, body: bytes = b"hello\r\n") -> Outcome:
        """What comes of a message with that order in X-Do."""
        return one_message(self.socket, (b"X-Do", b" " + order.encode()), body=body)

    @property
    def log(self) -> str:
        return self.process.output

    def lines(self, word: str) -> list[str]:
        """Log lines that hold the word."""
        return [line for line in self.log.splitlines() if word in line]

    def wait_for_line(self, word: str) -> str:
        return wait_for(f"log line with {word!r}", lambda: self.lines(word))[-1]

    def asked(self, question: str) -> dict[str, Any]:
        """The daemon's answer on its control socket."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(10)
            peer.connect(str(self.socket.with_suffix(".control")))
            peer.sendall(json.dumps({"ask": question}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(peer.makefile("rb").readline())
        return answer

    def kept(self) -> list[Entry]:
        """What the quarantine holds."""
        store = Store(QuarantineSettings(folder=self.folder / "quarantine"))
        files = sorted((self.folder / "quarantine").glob("*/*.eml"))
        return [store.get(file.stem) for file in files]

    def settled(self) -> set[int]:
        """Pids of all processes below the daemon, once all workers are there and idle."""

        def is_settled() -> bool:
            told = self.asked("status")
            return bool(told["workers"] == told["idle"] == self._count)

        wait_for("idle workers", is_settled)
        return self.children()

    def children(self) -> set[int]:
        """Pids of all processes below the daemon: the fork server and its workers."""
        found, parents = set(), {self.process.pid}
        while parents:
            below = set()
            for entry in Path("/proc").glob("[0-9]*/stat"):
                try:
                    text = entry.read_text("latin-1")
                except OSError:
                    continue
                fields = text.rpartition(")")[2].split()
                if int(fields[1]) in parents and fields[0] != "Z":
                    below.add(int(entry.parent.name))
            found |= below
            parents = below
        return found


NewDaemon = Callable[..., RunningDaemon]
"""Starts a daemon with settings of the test's own (see `DEFAULTS`)."""


def worker_in(outcome: Outcome) -> int:
    """The pid in the reply to `mood`."""
    found = re.search(r"worker (\d+)", outcome.word)
    assert found is not None, outcome.word
    return int(found[1])
