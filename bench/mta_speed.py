"""The MTA with a null pymilter filter: messages a second, and what slow clients cost.

    python -m bench.mta_speed [--messages 4000] [--octets 7000] [--accept]
                              [--rules | --rules-to-file] [--connections 8] [--sessions 500]

The clients are processes of their own that say the same octets again and again and look only at the
first digit of each reply, so that what is measured is the MTA. The slow clients stop in the middle
of a message; what they cost is resident memory of the MTA with and without them.

With `--rules` the MTA runs a stock sendmail.cf with access_db and virtusertable in the place of
settings, made by m4, and its local mailer is `true`: what is measured beside the filter is the
routing of a message by rules, and one process for its delivery. With `--rules-to-file` the
recipient is an alias for a file, into which the MTA writes itself, as it does by settings: what is
measured is the routing alone. The time ends when all has been delivered.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing import get_context
from pathlib import Path

from bench.mail import Writer
from bench.processes import tree
from filterd.mta.delivery.client import wire_form
from filterd.mta.maps.makemap import makemap
from filterd.smtp.client import stuffed
from tests.helpers.process import free_port, wait_for
from tests.helpers.servers.filterd import COMMAND
from tests.helpers.servers.sendmail import Sendmail, input_mail_filter

FILTER = Path(__file__).with_name("null_filter.py")

TEXT_OCTETS = 7000
"""Body of each message: what a letter has."""

TIMEOUT = 60.0
"""Seconds for one reply."""

QUEUE_LIMIT = 300.0
"""Seconds for the deliveries of all messages."""


class By(StrEnum):
    """What routes mail: settings, or a stock sendmail.cf whose recipient gets it from a program, or
    in a file."""

    SETTINGS = "settings"
    RULES = "rules"
    RULES_TO_FILE = "rules-to-file"


class Client:
    """One SMTP connection over a blocking socket."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = self._socket.makefile("rb")
        self.expect(b"2")
        self.say(b"EHLO client.test\r\n", b"2")

    def say(self, octets: bytes, wanted: bytes) -> None:
        self._socket.sendall(octets)
        self.expect(wanted)

    def begin(self) -> None:
        self.say(b"MAIL FROM:<ann@x.test>\r\n", b"2")
        self.say(b"RCPT TO:<joe@mx.example.test>\r\n", b"2")
        self.say(b"DATA\r\n", b"3")

    def send_part(self, octets: bytes) -> None:
        """Octets to which there is no reply yet."""
        self._socket.sendall(octets)

    def expect(self, wanted: bytes) -> None:
        """Read one reply; its class must be this. Raises RuntimeError."""
        line = self._replies.readline()
        while line[3:4] == b"-":
            line = self._replies.readline()
        if line[:1] != wanted:
            raise RuntimeError(f"the MTA said {line!r}")

    def close(self) -> None:
        self._replies.close()
        self._socket.close()


def letter(size: int = TEXT_OCTETS) -> bytes:
    """One message as it goes over the wire, dots doubled, end of message behind."""
    head = b"From: ann@x.test\nTo: joe@mx.example.test\nSubject: measured\n\n"
    return stuffed(wire_form(head + Writer().text(size).encode())[0])


def submit(port: int, count: int, octets: bytes) -> int:
    """So many messages over one connection."""
    client = Client(port)
    for _ in range(count):
        client.begin()
        client.say(octets, b"2")
    client.close()
    return count


@contextlib.contextmanager
def _filter(path: Path, *words: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-P", str(FILTER), str(path), *words])
    try:
        wait_for("the filter's socket", path.exists)
        yield
    finally:
        process.kill()
        process.wait()


def stock_cf(folder: Path, socket: Path, *, to_file: bool = False) -> Path:
    """A stock sendmail.cf with access_db and virtusertable, behind the filter at a socket.

    to_file: the recipient's mail goes into a file, not to a program."""
    tables = {
        "access": "Connect:127.0.0.1\tRELAY\nFrom:spam.test\tREJECT\nTo:closed@\tREJECT\n",
        "virtusertable": "info@v.test\tjoe\n@v.test\tcatch\n",
    }
    lines = (
        f"FEATURE(`access_db', `hash -T<TMPF> {folder}/mail/access')dnl\n"
        f"FEATURE(`virtusertable', `hash {folder}/mail/virtusertable')dnl\n"
        "VIRTUSER_DOMAIN(`v.test')dnl\n" + input_mail_filter("null", f"unix:{socket}")
    )
    path = Sendmail(folder, lines).folder / "sendmail.cf"
    for name, text in tables.items():
        with io.BytesIO(text.encode()) as source, io.BytesIO() as out:
            if makemap(["-C", str(path), "hash", str(folder / "mail" / name)], source, out, out):
                raise RuntimeError(out.getvalue().decode())
    if to_file:
        (folder / "mail/aliases").write_text(f"joe: {folder}/joe.mbox\n")
        (folder / "joe.mbox").touch(0o600)
    text = re.sub(r"(?m)^(Mlocal,\s+P=)[^,]+", r"\1/bin/true", path.read_text())
    path.write_text(text)
    return path


@contextlib.contextmanager
def mta(folder: Path, *words: str, by: By = By.SETTINGS) -> Iterator[tuple[int, int]]:
    """`filterd mta run` behind the null filter (words: its arguments): its port and process id.

    by: what routes its mail."""
    port, null = free_port(), folder / "null.sock"
    (folder / "filterd.toml").write_text("[mta]\nmax_connections = 2000\n")
    asked = ["--port", str(port), "--spool", folder / "spool"]
    if by is not By.SETTINGS:
        asked += ["--cf", stock_cf(folder, null, to_file=by is By.RULES_TO_FILE)]
    else:
        asked += ["--config", folder / "filterd.toml", "--mail", folder / "mail"]
        asked += ["--filter", f"null, S=unix:{null}, F=T"]
    with _filter(null, *words), (folder / "mta.log").open("wb") as log:
        process = subprocess.Popen(
            [COMMAND, "mta", "run", *asked],
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), (folder / "mta.log").read_text()
            yield port, process.pid
        finally:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Speed:
    """seconds: until the last 250. cpu: the MTA's own CPU time meanwhile, in seconds."""

    messages: int
    octets: int
    seconds: float
    cpu: float


def _used(pid: int) -> tuple[float, float]:
    """CPU seconds and resident MiB of a process and its children."""
    found = tree(pid)
    return sum(one.seconds for one in found), sum(one.mib for one in found)


def speed(
    folder: Path, messages: int, connections: int, size: int, *words: str, by: By = By.SETTINGS
) -> Speed:
    """Messages through the null filter, each synced and with its 250."""
    octets, each = letter(size), messages // connections
    forked = get_context("fork")
    with (
        mta(folder, *words, by=by) as (port, pid),
        ProcessPoolExecutor(connections, forked) as pool,
    ):
        # The first connections make the pool's processes and the MTA's threads.
        list(pool.map(submit, [port] * connections, [1] * connections, [octets] * connections))
        before, started = _used(pid)[0], time.perf_counter()
        done = sum(
            pool.map(submit, [port] * connections, [each] * connections, [octets] * connections)
        )
        # What is measured is the way through: mail that waits in the queue has not gone it.
        queue = folder / "spool/queue"
        wait_for("the queue to be empty", lambda: not any(queue.iterdir()), QUEUE_LIMIT)
        seconds = time.perf_counter() - started
        return Speed(done, len(octets), seconds, _used(pid)[0] - before)


@dataclass(frozen=True)
class Memory:
    """Resident MiB of the MTA: idle, and with the sessions open. answer: milliseconds in which a
    new client gets its message through meanwhile."""

    idle: float
    loaded: float
    answer: float


def slow(folder: Path, sessions: int) -> Memory:
    """Clients that say half a message, some octets every now and then."""
    octets = letter()
    half = octets[: len(octets) // 2]
    with mta(folder) as (port, pid), contextlib.ExitStack() as stack:
        submit(port, 10, octets)
        time.sleep(1)
        idle = _used(pid)[1]
        clients = []
        for _ in range(sessions):
            client = Client(port)
            stack.callback(client.close)
            client.begin()
            client.send_part(half)
            clients.append(client)
        for position in range(len(half), len(half) + 5):
            for client in clients:
                client.send_part(octets[position : position + 1])
            time.sleep(0.2)
        started = time.perf_counter()
        submit(port, 1, octets)
        answer = 1000 * (time.perf_counter() - started)
        loaded = _used(pid)[1]
        # They were real sessions: every one of them ends with its 250.
        for client in clients:
            client.say(octets[len(half) + 5 :], b"2")
        return Memory(idle, loaded, answer)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--sessions", type=int, default=500)
    parser.add_argument("--octets", type=int, default=TEXT_OCTETS, help="of a message's body")
    parser.add_argument("--accept", action="store_true", help="the filter accepts at once")
    way = parser.add_mutually_exclusive_group()
    for by in (By.RULES, By.RULES_TO_FILE):
        way.add_argument(f"--{by}", dest="by", action="store_const", const=by, default=By.SETTINGS)
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="filterd-mta-") as folder:
        words = ["accept"] if given.accept else []
        found = speed(
            Path(folder).resolve(),
            given.messages,
            given.connections,
            given.octets,
            *words,
            by=given.by,
        )
    print(
        f"{found.messages} messages of {found.octets} octets over {given.connections} connections: "
        f"{found.messages / found.seconds:.0f}/s; the MTA's CPU time "
        f"{1000 * found.cpu / found.messages:.2f} ms each (load before: {load:.1f})"
    )
    if not given.sessions:
        return
    with tempfile.TemporaryDirectory(prefix="filterd-mta-") as folder:
        memory = slow(Path(folder), given.sessions)
    print(
        f"{given.sessions} slow sessions: {memory.loaded:.0f} MiB, {memory.idle:.0f} MiB without; "
        f"a new client's message takes {memory.answer:.0f} ms"
    )


if __name__ == "__main__":
    main()
