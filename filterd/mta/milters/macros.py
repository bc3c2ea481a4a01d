"""The macros of an SMTP session: what a filter may ask for, and their values at each command.

`sendmail.macros` keeps one table that grows with the session, as sendmail does; `postfix.macros`
looks each value up when it is asked for, as Postfix does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from filterd.mta.mail.address import Route
from filterd.mta.mail.draft import EnvelopePath
from filterd.mta.mail.peer import Peer

Table = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ClientConnection:
    """One client's connection, as macros show it.

    listener: the name of what it connected to, sendmail's `{daemon_name}`. local: address and port
    of this end. sessions: how many the client has now, this one counted. rate, total_rate: new
    connections of the client, and of all, in the last minute. modifiers: of the listener.
    """

    listener: str
    peer: Peer
    local: tuple[str, int]
    sessions: int = 1
    rate: int = 1
    total_rate: int = 1
    modifiers: str = ""


class MacroTable(ABC):
    """The macros of one session. `now`: their values at this command."""

    def __init__(self, session: dict[str, str]) -> None:
        self.session = session
        self._message: dict[str, str] = {}

    @property
    def now(self) -> Table:
        """The macros at this command."""
        return {**self.session, **self._message}

    def define(self, name: str, value: str) -> None:
        """Set a macro of this message, by its name as on the wire."""
        self._message[name] = value

    @property
    def content(self) -> Table:
        """The table for header, body and end of message."""
        return self.now

    def persistent(self) -> dict[str, str]:
        """Those that the queue keeps with the message, for its deliveries."""
        return {}

    def begin(self, queue_id: str) -> None:
        """A new envelope: forget the macros of the last one."""
        self.queue_id = queue_id
        self._message = {}

    @abstractmethod
    def mail(
        self,
        sender: EnvelopePath,
        *,
        local: bool,
        helo: str,
        protocol: str,
        route: Route | None = None,
    ) -> None:
        """MAIL was received. local: the sender is a recipient of this host. route: its triple,
        None where no rules say it."""

    @abstractmethod
    def rcpt(self, recipient: EnvelopePath, route: Route, *, good: int, bad: int) -> Table:
        """The table for one RCPT. good: recipients accepted before; bad: refused before."""

    def rcpt_done(self, recipient: EnvelopePath, route: Route, *, taken: bool) -> None:  # noqa: B027
        """RCPT was answered. taken: the recipient was accepted."""

    def message(self, size: int, sender: EnvelopePath, only: EnvelopePath | None) -> None:  # noqa: B027
        """The message was received. size: octets. only: the recipient, None if several."""


def client_macros(host: str, peer: Peer) -> dict[str, str]:
    """The macros that are about the client. host: the MTA's name."""
    return {
        "j": host,
        "_": peer.shown,
        "{client_addr}": peer.address,
        "{client_name}": peer.name,
        "{client_port}": str(peer.port),
        "{client_ptr}": peer.pointer or peer.name,
        "{client_resolve}": peer.resolved,
    }
