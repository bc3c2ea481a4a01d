"""One filter in one session, as far as MTAs agree: settings, connection, negotiated options.

`sendmail.filter` and `postfix.filter` speak to it as the two MTAs do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from filterd.milter import commands
from filterd.milter.constants import CHUNK_SIZE, Command, Steps
from filterd.milter.negotiation import Negotiation
from filterd.milter.packets import Packet
from filterd.milter.steps import NOT_ANSWERED, NOT_SENT, flagged
from filterd.mta.mail.draft import Draft
from filterd.mta.mail.peer import Peer
from filterd.mta.milters.answers import Values
from filterd.mta.milters.connection import FilterConnection
from filterd.mta.milters.settings import InputMailFilter

MacroList = Callable[[str], tuple[str, ...] | None]
"""The configured macros of a stage (`connect`, `helo`, `envfrom`, ...), None for none."""


@dataclass(slots=True)
class FilterContext:
    """What all filters of a session share. queue_id: of the message, for the log."""

    macro_list: MacroList
    queue_id: str = ""


class BaseFilter:
    """One filter. connection: None before it is made and after it is closed."""

    def __init__(self, settings: InputMailFilter, context: FilterContext) -> None:
        self.settings = settings
        self.connection: FilterConnection | None = None
        self._context = context
        self.agree(Negotiation())

    def agree(self, agreed: Negotiation) -> None:
        """Use these options from now on."""
        self.agreed = agreed
        self.unsent = flagged(NOT_SENT, agreed.steps)
        self.unanswered = flagged(NOT_ANSWERED, agreed.steps)

    @property
    def verbatim(self) -> bool:
        """Whether HDR_LEADSPC is in force."""
        return bool(self.agreed.steps & Steps.HDR_LEADSPC)

    def drop(self) -> None:
        """Close without QUIT."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def connect_packet(peer: Peer) -> Packet:
    """The packet SMFIC_CONNECT about a client."""
    return commands.Connect(
        peer.name.encode(), peer.family.encode(), peer.port, peer.address.encode()
    ).encode()


def known_macros(command: Command, names: Iterable[str], values: Values) -> Packet:
    """The packet of macros before a command: those of the list that are defined."""
    known = {name: values[name].encode("latin-1", "replace") for name in names if name in values}
    return commands.Macros(command, known).encode()


def body_packets(draft: Draft) -> Iterator[Packet]:
    """The body in chunks, as it is sent."""
    body = memoryview(draft.wire_body())
    for start in range(0, len(body), CHUNK_SIZE):
        yield commands.Body(bytes(body[start : start + CHUNK_SIZE])).encode()
