"""The programs of the demo and the self-test: started, each with a log of its own, and stopped."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from filterd.system.child import python_command

START_LIMIT = 60.0
"""Seconds that a program may take until it answers; a cold import of numpy on a slow disk fits."""

STOP_LIMIT = 35.0
"""Seconds that a program has to end after SIGTERM before it is killed."""

DATABASES = Path("/var/lib/clamav")
"""Where Debian's freshclam keeps ClamAV's signatures."""

# An extended signature (NAME:TYPE:OFFSET:HEX, type 0 = any file) of the EICAR test string, so that
# clamd has something to find on a machine that has no database yet. It is put together here so
# that this file does not hold the string itself.
_EICAR_HEX = (r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*").encode()
EICAR_SIGNATURE = f"Eicar-Test-Signature:0:*:{_EICAR_HEX.hex()}\n"


class LabError(Exception):
    """A program did not start; the text names it and its log."""


class Lab:
    """Programs that run together below one folder; a context manager that stops them all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, name: str, command: list[str], ready: Callable[[], bool]) -> int:
        """Start a program and wait until `ready()`; return its process id.

        Its output goes to NAME.log. Raises LabError if it ends or does not get ready.
        """
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self._running.append((name, process))
        deadline = time.monotonic() + START_LIMIT
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(errors="replace").strip().splitlines()[-1:]
                raise LabError(f"{name} did not start: {''.join(tail) or 'no output'} (see {log})")
            time.sleep(0.02)
        return process.pid

    def filterd(self, name: str, *arguments: str, ready: Callable[[], bool]) -> int:
        """Start a `filterd` command of this installation."""
        return self.start(name, python_command("filterd", *arguments), ready)

    def clamd(self) -> Path | None:
        """Start clamd, if it is installed, and return its socket; None if it is not."""
        program = shutil.which(
            "clamd", path=f"/usr/sbin:/usr/local/sbin:{os.environ.get('PATH', '')}"
        )
        if program is None:
            return None
        home = (self.folder / "clamd").resolve()
        home.mkdir(exist_ok=True)
        database = DATABASES
        if not any(DATABASES.glob("*.c[vl]d")):
            database = home / "db"
            database.mkdir(exist_ok=True)
            (database / "eicar.ndb").write_text(EICAR_SIGNATURE)
        address = home / "clamd.sock"
        settings = home / "clamd.conf"
        settings.write_text(
            f"DatabaseDirectory {database}\nLocalSocket {address}\nFixStaleSocket yes\n"
            f"Foreground yes\nTemporaryDirectory {home}\nMaxThreads 4\n"
        )
        self.start("clamd", [program, "-c", str(settings)], lambda: answers(address))
        return address

    def stop(self) -> None:
        """Stop all programs, the last started first."""
        for _, process in reversed(self._running):
            process.terminate()
        for _, process in reversed(self._running):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_LIMIT)
                continue
            process.kill()
            process.wait()
        self._running.clear()


def answers(address: Path | tuple[str, int]) -> bool:
    """True if somebody accepts connections at a unix socket or a TCP address."""
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.connect(str(address) if isinstance(address, Path) else address)
        except OSError:
            return False
    return True


def free_port() -> int:
    """A TCP port on the loopback address that is free now, below those that clients are given.

    Raises LabError if none is found.
    """
    for port in random.sample(range(20000, 32000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise LabError("no free port between 20000 and 32000")
