"""SMTP stages: what a filter is asked while the SMTP session goes on, and what it is told then.

A filter may have any of `connect`, `helo`, `sender`, `recipient` and `data`, beside `examine` or
without it. Each returns a `Verdict` as `examine` does. Points carry over into the verdict on the
message; those of `recipient` count for that recipient alone. A forced REJECT or TEMPFAIL is
answered at once, at RCPT for that recipient only. QUARANTINE and DISCARD wait for the message, for
nothing leaves the mail flow that was not stored. Of edits only `AddField` can be wanted before
there is a message.

The methods run in threads of a process of their own, many sessions at a time: state that a filter
keeps for all of them needs a lock. What they raise, a crash and a hang are `on_error`'s.

Stages in the sense of libmilter's callbacks xxfi_connect, xxfi_helo, xxfi_envfrom, xxfi_envrcpt and
xxfi_data. docs/filters/writing.md
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from filterd.chain.verdict import Symbol, Verdict
from filterd.message import Client, Envelope, Recipient
from filterd.state.once import Counting

if TYPE_CHECKING:
    from filterd.chain.report import ScanReport


class Stage(StrEnum):
    """The commands of an SMTP session at which filters may be asked, in their order. The values are
    the names of the filters' methods, and the words of log, history and metrics."""

    CONNECT = "connect"
    HELO = "helo"
    SENDER = "sender"
    RECIPIENT = "recipient"
    DATA = "data"


COMMANDS: Final[Mapping[Stage, str]] = {
    Stage.CONNECT: "CONNECT",
    Stage.HELO: "HELO",
    Stage.SENDER: "MAIL",
    Stage.RECIPIENT: "RCPT",
    Stage.DATA: "DATA",
}
"""What SMTP calls the stages."""


@dataclass(frozen=True, slots=True)
class Session:
    """What is known at a stage of an SMTP session.

    id: filterd's own name of the session. stage: the one that is asked about. envelope: client,
    HELO name, sender with ESMTP parameters, the recipients accepted so far, and the MTA's macros;
    what has not come yet is empty. transaction: the id that the message has in log, history and
    quarantine, `""` before MAIL. symbols: what was found so far about the session, the transaction
    and (at RCPT) the recipient; of this stage, by the filters before in the chain. memory: the
    filter's own, for this SMTP session: what `connect` begins, `recipient` may await. It is empty
    again where the process was replaced meanwhile. deadline: the moment (`time.monotonic`) at which
    the filter's time for this stage is over. counting: names what a filter counts in the state, so
    that it counts once though the filter is asked again after a crash.
    """

    id: str
    stage: Stage = Stage.CONNECT
    envelope: Envelope = Envelope()
    transaction: str = ""
    symbols: tuple[Symbol, ...] = ()
    memory: dict[str, Any] = field(default_factory=dict, compare=False)
    deadline: float = math.inf
    counting: Counting = field(default_factory=Counting, compare=False)

    @property
    def client(self) -> Client:
        """The SMTP client, with its HELO name once that is known."""
        return self.envelope.client

    @property
    def helo(self) -> str:
        """The argument of HELO or EHLO, `""` before it."""
        return self.envelope.client.helo

    @property
    def authenticated(self) -> str:
        """The SMTP AUTH identity, `""` for a client that did not log in. Known from MAIL on."""
        return self.envelope.authenticated

    @property
    def tls(self) -> str:
        """The TLS version of the connection (macro `{tls_version}`), `""` without TLS."""
        return self.envelope.macros.get("{tls_version}", "")

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline, never negative; to wait for a server no longer than that."""
        return max(self.deadline - time.monotonic(), 0.0)

    def found(self, *names: str) -> bool:
        """True if one of these symbols was found so far."""
        return any(symbol.name in names for symbol in self.symbols)


class ConnectFilter(Protocol):
    """A filter that is asked when a client has connected."""

    def connect(self, session: Session) -> Verdict:
        """Its opinion of the client; it counts for every message of the session."""
        ...


class HeloFilter(Protocol):
    """A filter that is asked at HELO or EHLO, which a client may repeat; the last one counts."""

    def helo(self, session: Session) -> Verdict:
        """Its opinion of the client's name for itself."""
        ...


class SenderFilter(Protocol):
    """A filter that is asked at MAIL."""

    def sender(self, session: Session) -> Verdict:
        """Its opinion of the reverse-path; it counts for the transaction."""
        ...


class RecipientFilter(Protocol):
    """A filter that is asked at each RCPT."""

    def recipient(self, session: Session, recipient: Recipient) -> Verdict:
        """Its opinion of the mail for this recipient, which counts for this recipient alone."""
        ...


class DataFilter(Protocol):
    """A filter that is asked at DATA, when all recipients are known and before the header comes."""

    def data(self, session: Session) -> Verdict:
        """Its opinion of the transaction."""
        ...


class ReportedFilter(Protocol):
    """A filter that learns what became of each message and each refusal. Nobody waits for it."""

    def reported(self, session: Session, report: ScanReport) -> None:
        """Take note of a report, the same that log and history have."""
        ...


def stages_of(filter: object) -> frozenset[Stage]:
    """The stages at which a filter wants to be asked: its `stages`, where it has that, because its
    settings decide, else all for which it has a method.

    Raises ValueError where `stages` names one that it has no method for.
    """
    able = frozenset(stage for stage in Stage if callable(getattr(filter, stage.value, None)))
    wanted = getattr(filter, "stages", None)
    if wanted is None:
        return able
    unable = frozenset(map(Stage, wanted)) - able
    if unable:
        names = ", ".join(sorted(unable))
        raise ValueError(f"wants to be asked at {names}, but has no method for it")
    return frozenset(map(Stage, wanted))
