"""A fork server and its workers, as the daemon holds them.

A *generation* is one fork server, the socket to it, and the workers that it forked. A reload
makes a new one beside the old.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import struct
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filterd.chain.stages import Stage
from filterd.config.processes import StageSettings
from filterd.system.child import python_command
from filterd.workers import framing
from filterd.workers.forked import Forked
from filterd.workers.forkserver import PACKET_LIMIT
from filterd.workers.stage_pool import StagePool
from filterd.workers.watch import WatchPage

log = logging.getLogger(__name__)

EX_UNAVAILABLE, EX_SOFTWARE = 69, 70

START_LIMIT = 120.0
"""Seconds for a fork server to prepare the filters: imports and models from a cold disk."""

END_LIMIT = 2.0
"""Seconds that a fork server gets to end; it takes a tenth of one."""

POLL_INTERVAL = 0.1
"""Seconds between two looks at what a silent worker is doing."""

_RECEIVE_TIME = struct.pack("@ll", 0, int(POLL_INTERVAL * 1_000_000))
"""The same for the kernel (SO_RCVTIMEO, struct timeval): one system call waits and reads."""

Process = subprocess.Popen[bytes] | Forked
"""A running fork server."""

Begin = Callable[[], tuple[socket.socket, Process]]
"""Starts a fork server: the daemon's end of its socket, and the process."""


class StartError(Exception):
    """The fork server cannot prepare the filters. status: what the daemon should exit with."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True, eq=False)
class Worker:
    """One worker process and our end of its socket."""

    pid: int
    peer: socket.socket
    receiver: framing.Receiver
    page: WatchPage
    generation: Generation
    answered: int = 0
    busy: bool = False

    @classmethod
    def attach(cls, pid: int, peer: int, page: int, generation: Generation) -> Worker:
        """A worker that the fork server forked; takes the descriptors over."""
        stream = socket.socket(fileno=peer)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _RECEIVE_TIME)
        watch = WatchPage(page, generation.filters, writable=False)
        os.close(page)
        return cls(pid, stream, framing.Receiver(stream, body_limit=0), watch, generation)


@dataclass(slots=True, eq=False)
class Generation:
    """A fork server and what is known of its workers. network: who of them needs it, or why it is
    open all the same; empty if they can reach none."""

    control: socket.socket
    process: Process
    filters: Sequence[str]
    network: str = ""
    alive: dict[int, Worker] = field(default_factory=dict)
    ended: dict[int, str] = field(default_factory=dict)
    retired: bool = False
    stages: StagePool | None = None
    """The processes that are asked at stages, where filters want that."""

    def order(self, **packet: Any) -> None:
        """Tell the fork server to do something; see `forkserver` for what it can do."""
        try:
            self.control.send(json.dumps(packet).encode())
        except OSError as error:
            log.debug("fork server %d: %s", self.process.pid, error)

    def close(self) -> None:
        """Let the fork server end itself and the workers it has."""
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)

    def await_end(self) -> None:
        """Wait for it to exit first; a supervisor would kill a leftover process."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(END_LIMIT)

    @classmethod
    def start(
        cls,
        config: Path | None,
        stages: StageSettings | None = None,
        begin: Begin | None = None,
    ) -> Generation:
        """Start a fork server and wait until its filters are prepared. Raises StartError.

        begin: how it is started; None: as a program.
        """
        stages = stages if stages is not None else StageSettings()
        ours, process = _program(config) if begin is None else begin()
        ours.settimeout(START_LIMIT)
        try:
            packet = ours.recv(PACKET_LIMIT)
        except OSError:
            packet = b""
        ours.settimeout(None)
        answer = json.loads(packet) if packet else {}
        if "ready" not in answer:
            ours.close()
            process.kill()
            process.wait()
            text = answer.get(
                "error", "the filters could not be prepared (no answer from the fork server)"
            )
            raise StartError(text, int(answer.get("status", EX_SOFTWARE)))
        found = cls(ours, process, answer["filters"], answer["network"])
        if answer["stages"]:
            found.stages = StagePool(
                found.order,
                {Stage(stage): tuple(names) for stage, names in answer["stages"].items()},
                wants_reports=answer["reports"],
                threads=stages.sessions,
                timeout=stages.timeout,
            )
        return found


def _program(config: Path | None) -> tuple[socket.socket, Process]:
    """Start a fork server as a program; our end of its socket, and the process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = python_command("filterd.workers.forkserver", f"--control={theirs.fileno()}")
    if config is not None:
        command.append(f"--config={config}")
    with theirs:
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    return ours, process
