"""A milter that follows a script: a filter for tests, and to see what `F=` and `T=` do.

It writes packets itself, so that it can misbehave: stay silent, be slow, send garbage, close, claim
a huge length, negotiate wrongly. A plan maps a command's octet (`M`), or the n-th of its kind
(`L2`), to steps; other commands are answered as by a healthy filter. It does its socket I/O in
threads of its own, outside of the MTA's event loop.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filterd.milter.constants import Command
from filterd.milter.negotiation import Negotiation
from filterd.milter.packets import Packet, PacketReader

UNANSWERED = frozenset({b"D", b"A", b"Q", b"K"})


@dataclass(frozen=True, slots=True)
class Respond:
    """Step: send a packet."""

    command: bytes
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Raw:
    """Step: send octets as they are."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Step: wait. seconds: for how long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Close:
    """Step: close the connection; reset: with a TCP reset."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class Stall:
    """Step: read nothing more, keep the connection open."""


Step = Respond | Raw | Wait | Close | Stall
Plan = Mapping[str, Sequence[Step]]

FAULTS: Mapping[str, Sequence[Step]] = {
    "close": (Close(),),
    "silent": (),
    "slow": (Wait(3.0), Respond(b"c")),
    "garbage": (Respond(b"Z", b"junk\0"),),
    "huge": (Raw(b"\x01\x00\x00\x00c"),),
    "empty": (Raw(b"\x00\x00\x00\x00"),),
    "truncated": (Raw(b"\x00\x00\x00\x10y55"), Close()),
    "stall": (Stall(),),
    "reject": (Respond(b"r"),),
    "tempfail": (Respond(b"t"),),
    "discard": (Respond(b"d"),),
    "quarantine": (Respond(b"q", b"held by the fault script\0"), Respond(b"c")),
}
"""Faults by their names in `filterd mta run --fault`."""

STAGES: Mapping[str, str] = {
    "negotiate": "O",
    "connect": "C",
    "helo": "H",
    "mail": "M",
    "rcpt": "R",
    "data": "T",
    "header": "L",
    "eoh": "N",
    "body": "B",
    "eom": "E",
    "unknown": "U",
}
"""The command of each stage that `--fault` can name."""


class FaultError(ValueError):
    """An invalid fault. The text says what was expected."""


def parse_fault(text: str) -> tuple[str, Plan]:
    """Read `filter1: close at body` or `filter1: slow 5s at mail`: a filter's name and a plan.

    Raises FaultError.
    """
    name, colon, rest = text.partition(":")
    words = rest.split()
    form = f"expected 'NAME: FAULT at STAGE'; faults: {', '.join(FAULTS)}"
    if not colon or not name.strip() or "at" not in words[1:]:
        raise FaultError(f"{text!r}: {form}")
    place = words.index("at")
    fault, stage = words[:place], words[place + 1 :]
    if len(stage) != 1 or stage[0] not in STAGES:
        raise FaultError(f"{text!r}: stages are {', '.join(STAGES)}")
    steps = FAULTS.get(fault[0])
    if steps is None:
        raise FaultError(f"{text!r}: {form}")
    if fault[0] == "slow" and len(fault) > 1:
        try:
            steps = (Wait(float(fault[1].removesuffix("s"))), Respond(b"c"))
        except ValueError:
            raise FaultError(f"{text!r}: {fault[1]!r} is not a number of seconds") from None
    return name.strip(), {STAGES[stage[0]]: steps}


@dataclass(frozen=True, slots=True)
class PacketRecord:
    """One packet. seconds: since the filter started. incoming: from the MTA."""

    seconds: float
    connection: int
    incoming: bool
    packet: Packet


@dataclass
class ScriptedFilter:
    """A filter on a unix socket, `with ScriptedFilter(path, plan) as filter`.

    version, actions, steps, lists: what it answers to the offer. accepts: False to listen only.
    """

    path: Path
    plan: Plan = field(default_factory=dict)
    version: int = 6
    actions: int = 0x1FF
    steps: int = 0
    lists: bytes = b""
    accepts: bool = True
    backlog: int = 20

    def __post_init__(self) -> None:
        self.records: list[PacketRecord] = []
        self._started = time.monotonic()
        self._connections = 0
        self._open: list[socket.socket] = []

    def __enter__(self) -> ScriptedFilter:
        self._listener = socket.socket(socket.AF_UNIX)
        self.path.unlink(missing_ok=True)
        self._listener.bind(str(self.path))
        self._listener.listen(self.backlog)
        if self.accepts:
            threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.path.unlink(missing_ok=True)

    def received(self, connection: int = 1) -> list[Packet]:
        """What the MTA sent on one connection, in order."""
        return [r.packet for r in self.records if r.connection == connection and r.incoming]

    def commands(self, connection: int = 1) -> str:
        """The octets of the MTA's commands on one connection: `ODCDHDMM…`."""
        return "".join(packet.command.decode("latin-1") for packet in self.received(connection))

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections += 1
            self._open.append(connection)
            serve = threading.Thread(
                target=self._serve, args=(connection, self._connections), daemon=True
            )
            serve.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        counts: dict[str, int] = {}
        with contextlib.suppress(OSError), connection:
            for packet in _packets(connection):
                self._note(number, True, packet)
                key = packet.command.decode("latin-1")
                counts[key] = counts.get(key, 0) + 1
                steps = self.plan.get(f"{key}{counts[key]}", self.plan.get(key))
                if steps is None:
                    steps = self._healthy(packet)
                for step in steps:
                    if not self._do(connection, number, step):
                        return
                if packet.command == Command.QUIT.value:
                    return

    def _healthy(self, packet: Packet) -> Sequence[Step]:
        if packet.command == Command.OPTNEG.value:
            answer = Negotiation(self.version, self.actions, self.steps).encode()
            return (Respond(b"O", answer.data + self.lists),)
        return () if packet.command in UNANSWERED else (Respond(b"c"),)

    def _do(self, connection: socket.socket, number: int, step: Step) -> bool:
        """Take one step. False: the connection is closed."""
        match step:
            case Respond(command, data):
                packet = Packet(command, data)
                self._note(number, False, packet)
                connection.sendall(packet.encode())
            case Raw(data):
                connection.sendall(data)
            case Wait(seconds):
                time.sleep(seconds)
            case Close(reset):
                if reset:
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return False
            case Stall():
                # Until the other side, or __exit__, closes.
                threading.Event().wait(3600)
        return True

    def _note(self, connection: int, incoming: bool, packet: Packet) -> None:
        seconds = time.monotonic() - self._started
        self.records.append(PacketRecord(seconds, connection, incoming, packet))


def _packets(connection: socket.socket) -> Iterator[Packet]:
    reader = PacketReader()
    while data := connection.recv(1 << 16):
        reader.receive_data(data)
        while (packet := reader.next_packet()) is not None:
            yield packet
