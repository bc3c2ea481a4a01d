"""Filters that are asked at all stages of a session, and do at each what its argument says.

The argument is the client's name at CONNECT, the HELO name, the local parts of sender and
recipients, and at DATA the first label of the sender's domain. Its word up to the first `.` is the
order:

refuse           550 with a text of its own      deaf       holds the interpreter, never ends
later            451                             segfault   ends the process by SIGSEGV
plain            550 in the policy's words       raise      raises
hold, drop       QUARANTINE, DISCARD             away       an OSError
points           2.5 points                      hang       never ends
ham              -2.5 points                     wait       until `gate` has a file `open`
field            adds a header field             splice     wants what cannot be wanted yet
who              550 that says what it knows     eat        takes memory until there is none
tls              550 that says what TLS is like
remember         550 with what its memory has    long       200 symbols with long details
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_doc import Doc

from filterd.chain.report import ScanReport
from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import NO_OPINION, Action, AddField, Reply, Splice, Symbol, Verdict
from filterd.message import Recipient

OF_TLS = ("{cipher}", "{cipher_bits}", "{verify}", "{cert_subject}", "{cert_issuer}")


@dataclass
class Staged:
    """Does at each stage what the client says."""

    name: ClassVar[str] = "staged"
    at: Annotated[tuple[str, ...], Doc("stages at which it wants to be asked")] = tuple(Stage)
    client: Annotated[str, Doc("what it does at CONNECT whatever the client's name is")] = ""
    gate: Annotated[Path, Doc("where `wait` waits")] = Path()
    notes: Annotated[Path | None, Doc("file that what is reported is written to")] = None

    @property
    def stages(self) -> frozenset[str]:
        return frozenset(self.at)

    def connect(self, session: Session) -> Verdict:
        return self.obey(session, self.client or session.client.name)

    def helo(self, session: Session) -> Verdict:
        return self.obey(session, session.helo)

    def sender(self, session: Session) -> Verdict:
        return self.obey(session, session.envelope.sender.partition("@")[0])

    def recipient(self, session: Session, recipient: Recipient) -> Verdict:
        return self.obey(session, recipient.address.partition("@")[0], recipient)

    def data(self, session: Session) -> Verdict:
        return self.obey(session, session.envelope.sender.partition("@")[2])

    def reported(self, session: Session, report: ScanReport) -> None:
        if self.notes is not None:
            with self.notes.open("a") as file:
                file.write(f"{session.id} {report.stage or 'message'} {report.action}\n")

    def obey(self, session: Session, text: str, recipient: Recipient | None = None) -> Verdict:
        order = text.partition(".")[0]
        said = session.memory.setdefault("said", [])
        said.append(f"{session.stage}:{order}")
        match order:
            case "refuse":
                return Verdict(Action.REJECT, reply=Reply(550, "5.7.9", f"No {session.stage}"))
            case "later":
                return Verdict(Action.TEMPFAIL, reply=Reply(451, "4.7.9", "Not now"))
            case "plain":
                return Verdict(Action.REJECT, (Symbol("PLAIN", 1.0, "by order"),))
            case "hold":
                return Verdict(Action.QUARANTINE, (Symbol("HELD"),))
            case "drop":
                return Verdict(Action.DISCARD)
            case "points" | "ham":
                points = 2.5 if order == "points" else -2.5
                return Verdict(symbols=(Symbol(f"{order}_{session.stage}".upper(), points),))
            case "field":
                return Verdict(edits=(AddField("X-Stage", session.stage.value),))
            case "splice":
                return Verdict(edits=(Splice(0, 1, b""),))
            case "who":
                return Verdict(Action.REJECT, reply=Reply(550, "5.7.9", _who(session, recipient)))
            case "tls":
                macros = session.envelope.macros
                known = "|".join([session.tls, *(macros.get(name, "-") for name in OF_TLS)])
                return Verdict(Action.REJECT, reply=Reply(550, "5.7.9", known))
            case "remember":
                text = f"{' '.join(said)} in {os.getpid()}"
                return Verdict(Action.REJECT, reply=Reply(550, "5.7.9", text))
            case "raise":
                raise RuntimeError("as told")
            case "away":
                raise OSError("no server")
            case "hang":
                time.sleep(3600)
            case "deaf":
                # One call of C code that holds the interpreter.
                re.fullmatch("(a|a)*b", "a" * 100)
            case "wait":
                (self.gate / f"{time.monotonic_ns()}.inside").touch()
                while not (self.gate / "open").exists():
                    time.sleep(0.01)
            case "segfault":
                signal.pthread_kill(threading.get_ident(), signal.SIGSEGV)
            case "eat":
                eaten = []
                while True:
                    eaten.append(bytearray(16 << 20))
            case "long":
                return Verdict(
                    symbols=tuple(Symbol(f"S{n}", 0.0, "x" * 10_000) for n in range(200))
                )
        return NO_OPINION


def _who(session: Session, recipient: Recipient | None) -> str:
    envelope = session.envelope
    words = [
        f"{session.client.name}[{session.client.address}]",
        session.helo,
        envelope.sender,
        *envelope.sender_parameters,
        "+".join(one.address for one in envelope.recipients),
        "" if recipient is None else recipient.address,
        session.authenticated,
        "+".join(symbol.name for symbol in session.symbols),
    ]
    return "|".join(words)


class Second(Staged):
    """The same under another name."""

    name: ClassVar[str] = "second"
