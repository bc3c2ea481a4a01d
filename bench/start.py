"""What a start costs: `filterd run` until it is ready, and the commands that one types often.

    python -m bench.start [--runs 7] [--program PATH ...]

For each the CPU seconds, user and system, of all its processes together, the median of the runs,
and how many modules of Python were loaded. Wall-clock time would be that of the machine's other
work. Several programs (`.venv/bin/filterd` of several checkouts) take turns, so that they have the
same machine. `run` is taken with the settings of `filterd init`, in folders that are new each time
and in folders that a daemon has used before; the commands with those.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bench.processes import tree

COMMANDS: dict[str, tuple[str, ...]] = {
    "--help": ("--help",),
    "check": ("check",),
    "quarantine list": ("quarantine", "list"),
    "history": ("history",),
    "status": ("status",),
    "scan": ("scan", "MESSAGE"),
    "web account list": ("web", "account", "list"),
}

READY_LIMIT = 300.0
"""Seconds for a daemon to get ready beside other work."""

MESSAGE = (
    b"From: ann@a.example\r\nTo: bob@b.example\r\nSubject: hello\r\n"
    b"Message-ID: <1@a.example>\r\n\r\nHow are you?\r\n"
)


class Site:
    """A private trial of one program, below a folder."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program, self.folder = program, folder
        self.settings = folder / "filterd.toml"
        self.message = folder / "message.eml"
        subprocess.run([program, "init", folder], check=True, capture_output=True)
        self.message.write_bytes(MESSAGE)

    def run(self, *, modules: bool = False) -> float:
        """CPU seconds of `filterd run` until it is ready, of all its processes; or how many modules
        they have loaded until then."""
        notify = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(str(notify))
            ready.settimeout(READY_LIMIT)
            environment = {**_environment(modules=modules), "NOTIFY_SOCKET": str(notify)}
            command = [self.program, "run", "--config", self.settings]
            with (self.folder / "log").open("wb") as log:
                daemon = subprocess.Popen(command, env=environment, stderr=log)
                try:
                    while b"READY=1" not in ready.recv(4096):
                        pass
                    seconds = sum(one.seconds for one in tree(daemon.pid))
                finally:
                    daemon.send_signal(signal.SIGTERM)
                    daemon.wait()
        notify.unlink()
        return _imports((self.folder / "log").read_bytes()) if modules else seconds

    def command(self, words: Sequence[str], *, modules: bool = False) -> float:
        """The same of a command, until it has ended."""
        words = [str(self.message) if word == "MESSAGE" else word for word in words]
        if words != ["--help"]:
            words += ["--config", str(self.settings)]
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                [self.program, *words],
                env=_environment(modules=modules),
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
            # Its children are in what the kernel counts once it has waited for them.
            _pid, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            log.seek(0)
            told = log.read()
        if process.returncode not in (0, 69):  # 69: `status` without a daemon
            raise SystemExit(f"filterd {' '.join(words)}: {told.decode(errors='replace')}")
        return _imports(told) if modules else usage.ru_utime + usage.ru_stime


def _environment(*, modules: bool) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    return kept | ({"PYTHONPROFILEIMPORTTIME": "1"} if modules else {})


def _imports(told: bytes) -> int:
    """Lines that Python wrote, one for each module but the first."""
    return sum(line.startswith(b"import time:") for line in told.splitlines()) - 1


def main() -> int:
    """Measure and print one line for each program and command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--program", type=Path, action="append", metavar="PATH")
    options = parser.parse_args()
    programs = [
        one.absolute() for one in options.program or [Path(sys.executable).with_name("filterd")]
    ]
    seconds: dict[tuple[str, Path], list[float]] = defaultdict(list)
    modules: dict[tuple[str, Path], int] = {}
    with tempfile.TemporaryDirectory(prefix="filterd-bench-") as place:
        used = {one: Site(one, Path(place, f"used{n}")) for n, one in enumerate(programs)}
        for program, site in used.items():
            modules["run", program] = int(site.run(modules=True))
            for name, words in COMMANDS.items():
                modules[name, program] = int(site.command(words, modules=True))
        for number in range(options.runs):
            for index, (program, site) in enumerate(used.items()):
                new = Site(program, Path(place, f"new{number}-{index}"))
                seconds["run, new folders", program].append(new.run())
                seconds["run", program].append(site.run())
                for name, words in COMMANDS.items():
                    seconds[name, program].append(site.command(words))
    for (name, program), found in seconds.items():
        loaded = modules.get((name, program), "")
        print(f"{name:18} {statistics.median(found):6.2f} s {loaded:>5} modules  {program}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
