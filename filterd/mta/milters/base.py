"""What one filter of one session is in both flavours: settings, connection, what was agreed.

`sendmail_filter` and `postfix_filter` say how each MTA speaks to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from filterd.milter import commands
from filterd.milter.constants import CHUNK_SIZE, Command, Steps
from filterd.milter.legality import NOT_ANSWERED, NOT_SENT, flagged
from filterd.milter.negotiation import Negotiation
from filterd.milter.packets import Packet
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
    """One filter. connection: None while there is none, or no more."""

    def __init__(self, settings: InputMailFilter, context: FilterContext) -> None:
        self.settings = settings
        self.connection: FilterConnection | None = None
        self._context = context
        self.agree(Negotiation())

    def agree(self, agreed: Negotiation) -> None:
        """This holds from now on."""
        self.agreed = agreed
        self.unsent = flagged(NOT_SENT, agreed.steps)
        self.unanswered = flagged(NOT_ANSWERED, agreed.steps)

    @property
    def verbatim(self) -> bool:
        """Whether HDR_LEADSPC is in force."""
        return bool(self.agreed.steps & Steps.HDR_LEADSPC)

    def drop(self) -> None:
        """Close without a goodbye."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def connect_packet(peer: Peer) -> Packet:
    return commands.Connect(
        peer.name.encode(), peer.family.encode(), peer.port, peer.address.encode()
    ).encode()


def known_macros(command: Command, names: Iterable[str], values: Values) -> Packet:
    """The packet of macros before a command: those of the list that have a value."""
    known = {name: values[name].encode("latin-1", "replace") for name in names if name in values}
    return commands.Macros(command, known).encode()


def body_packets(draft: Draft) -> Iterator[Packet]:
    """The body as it goes over the wire, in chunks."""
    body = memoryview(draft.wire_body())
    for start in range(0, len(body), CHUNK_SIZE):
        yield commands.Body(bytes(body[start : start + CHUNK_SIZE])).encode()
