"""Starting and stopping programs, finding them, finding ports.

Every server runs in the foreground, in a process group of its own, so that stopping it takes its
children along and nothing outlives the tests.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeVar

import pytest

T = TypeVar("T")

PORTS = range(20000, 32000)
"""Below the range from which the kernel takes client ports, else one may take ours in between."""

START_LIMIT = 180.0
"""Seconds until a server must be ready, or another event is given up. The slowest, Postfix, takes
two; where other programs keep all cores busy, ten times that was seen."""

STOP_LIMIT = 30.0
"""Seconds until a server must be gone; libmilter looks for a reason to stop every five."""

SBIN = "/usr/local/sbin:/usr/sbin:/sbin"

_started: list[Program] = []
"""Programs that were started in a folder that is still there."""

_reserved: list[contextlib.ExitStack] = []
"""What keeps ports for this process."""

missing: dict[str, str] = {}
"""Programs that tests did without, and the package each comes in; the summary names them."""


def require(program: str | Path, package: str) -> Path:
    """The program's path. Where it is missing: in CI a failure, else the test is skipped."""
    path = shutil.which(str(program), path=f"{os.environ.get('PATH', '')}:{SBIN}")
    if path is not None:
        return Path(path)
    text = f"{program} is missing: run scripts/setup-system.sh test as root ({package})"
    if os.environ.get("CI") == "true":
        pytest.fail(text)
    missing[str(program)] = package
    pytest.skip(text)


def unpacked(name: str) -> Path:
    """Where scripts/setup-system.sh has unpacked sendmail or Postfix."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "filterd" / "servers" / name


def free_port(count: int = 1) -> int:
    """A port on which nobody listens, and which no other process gets from here as long as this one
    lives. count: so many, one after the other; the first of them."""
    for first in random.sample(PORTS, 200):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    _reserve(port, stack)
            except OSError:
                continue
            _reserved.append(stack.pop_all())
            return first
    raise RuntimeError(f"no free port in {PORTS}")


def _reserve(port: int, stack: contextlib.ExitStack) -> None:
    """Take a name that only one process of this network can have. Raises OSError."""
    name = stack.enter_context(socket.socket(socket.AF_UNIX))
    name.bind(f"\0filterd-tests-port-{port}")
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))


def answers(port: int) -> bool:
    """True if something accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def listens(path: Path) -> bool:
    """True if something accepts connections on that unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def wait_for(what: str, look: Callable[[], T], limit: float = START_LIMIT) -> T:
    """Look until there is something (true), and return it; AssertionError after `limit` s."""
    end = time.monotonic() + limit
    while not (found := look()):
        assert time.monotonic() < end, f"{what}: not within {limit} s"
        time.sleep(0.02)
    return found


@contextlib.contextmanager
def folder(name: str) -> Iterator[Path]:
    """A temporary folder that every user may enter, servers change their user; deleted at the end.

    Programs that run in it are stopped then, so that a test that fails in between leaves none.
    Not pytest's own: that is 0700. The name has hyphens around each word, since m4 takes a word
    that is a macro for a call.
    """
    path = Path(mkdtemp(prefix=f"filterd-{name}-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        for program in [one for one in _started if one.folder == path]:
            program.stop()
            _started.remove(program)
        shutil.rmtree(path, ignore_errors=True)


class Program:
    """A server in the foreground. Its output goes to `output` in its folder.

    patience: seconds between SIGTERM and SIGKILL; short for those that have nothing to finish.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        patience: float = STOP_LIMIT,
    ) -> None:
        self.arguments = [str(argument) for argument in arguments]
        self.folder = folder
        self.environment = {**os.environ, **(environment or {})}
        self.output_file = folder / "output"
        self.patience = patience
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, ready: Callable[[], bool]) -> None:
        """Start it and wait until it is ready; AssertionError with its output if it dies first.

        The one before must be about to end: until it has, its sockets accept what nobody reads."""
        if self._process is not None:
            self._process.wait(STOP_LIMIT)
        with self.output_file.open("ab") as output:
            self._process = subprocess.Popen(
                # Who kills the tests kills the servers: the kernel tells them. All but Postfix,
                # which loses that when it changes its user.
                ["setpriv", "--pdeathsig", "TERM", "--", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self.environment,
                start_new_session=True,
            )
        process = self._process
        if self not in _started:
            _started.append(self)

        def up() -> bool:
            status = process.poll()
            assert status is None, f"{self.arguments} ended with {status}:\n{self.output}"
            return ready()

        try:
            wait_for(f"start of {self.arguments}", up)
        except AssertionError:
            self.kill()
            raise

    @property
    def output(self) -> str:
        """What it printed so far."""
        return self.output_file.read_text("utf-8", "replace") if self.output_file.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program itself, not to its children."""
        assert self._process is not None, "not started"
        self._process.send_signal(number)

    def wait(self, limit: float = STOP_LIMIT) -> int:
        """Wait for its end; the exit status."""
        assert self._process is not None, "not started"
        return self._process.wait(limit)

    def stop(self) -> int | None:
        """SIGTERM, then what is left of the group is killed. The exit status, None if not run."""
        process = self._process
        if process is None:
            return None
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self.patience)
        self.kill()
        return process.returncode

    def kill(self) -> None:
        """SIGKILL to the whole group, at once."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_LIMIT)
