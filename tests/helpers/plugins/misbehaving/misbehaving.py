"""A filter, registered like any plugin, that misbehaves as the field `X-Do` of the message says.

wait=DIR         until DIR has a file `open`     raise        raises
loop             never ends, in Python           eat          takes memory until there is none
deaf             never ends, swallows the alarm  segfault     ends the process by SIGSEGV
block            ends deaf to signals            kill         ends the process by SIGKILL
garbage=HEX      writes these octets to the daemon instead of an answer, then ends
edits            adds, changes and deletes header fields, replaces octets of the body
echo             puts the message's octets, in hex, into its log detail, refuses
connect=PORT     connects to that port of this host
afterwards       ends the process by SIGKILL when all filters are done
discard, quarantine, reject
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_doc import Doc

from filterd.chain.verdict import (
    NO_OPINION,
    Action,
    AddField,
    ChangeField,
    Edit,
    Reply,
    Splice,
    Symbol,
    Verdict,
)
from filterd.message import Message


@dataclass
class Misbehaving:
    """Does what the message says, however bad."""

    name: ClassVar[str] = "misbehaving"

    mood: Annotated[str, Doc("shown in the reply to `mood`; `refuse` does not start")] = "bad"
    needs_network: Annotated[bool, Doc("what it says of itself")] = True

    def prepare(self) -> None:
        if self.mood == "refuse":
            raise RuntimeError("in no mood to start")

    def examine(self, message: Message) -> Verdict:
        order, _, value = message.get("X-Do").strip().partition("=")
        match order:
            case "wait":
                folder = Path(value)
                (folder / f"{time.monotonic_ns()}.inside").touch()
                while not (folder / "open").exists():
                    time.sleep(0.01)
            case "raise":
                raise RuntimeError("as told")
            case "loop":
                while True:
                    pass
            case "deaf":
                while True:
                    try:
                        time.sleep(1)
                    except BaseException:
                        continue
            case "block":
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
                time.sleep(3600)
            case "eat":
                eaten = []
                while True:
                    eaten.append(bytearray(16 << 20))
            case "segfault":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "garbage":
                _write_to_daemon(bytes.fromhex(value))
                os._exit(0)
            case "edits":
                start = message.body_start
                edits: tuple[Edit, ...] = (
                    AddField("X-First", "one"),
                    AddField("X-Second", "two\n\tfolded"),
                    ChangeField("Subject", 1, "changed"),
                    ChangeField("X-Do", 1, None),
                    Splice(start, start + 5, b"bye"),
                )
                return Verdict(edits=edits)
            case "write":
                path, _, what = value.partition(":")
                with open(path, "wb") as file:  # noqa: PTH123
                    file.write(message.data if what == "data" else repr(message.envelope).encode())
            case "score":
                return Verdict(symbols=(Symbol("TOLD", float(value)),))
            case "connect":
                socket.create_connection(("127.0.0.1", int(value)), 5).close()
            case "afterwards":
                # A symbol's detail is asked for when the message is stored, after all filters.
                return Verdict(Action.QUARANTINE, (Symbol("TOLD", 0.0, _die),))
            case "discard" | "quarantine" | "reject":
                return Verdict(Action[order.upper()], (Symbol("TOLD", 0.0, order),))
            case "mood":
                reply = Reply(550, "5.7.1", f"100% {self.mood} in worker {os.getpid()}")
                return Verdict(Action.REJECT, reply=reply)
        return NO_OPINION


def _die() -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


def _write_to_daemon(octets: bytes) -> None:
    """What a message that took the worker over would do: every connected socket gets the octets."""
    for descriptor in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                socket.socket(fileno=descriptor).send(octets)
        except OSError:
            continue
