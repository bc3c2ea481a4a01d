"""The protocols of delivery: a `Router` finds the mailer for an address, a `Mailer` delivers.

Both are called in worker threads and may block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from filterd.mta.mail.address import Route
from filterd.mta.mail.entry import QueueEntry, Target

POSTMASTER = "postmaster"
"""Gets reports about reports that failed; a local name, RFC 5321 §4.5.1."""


class DeliveryPlace(str):
    """Where a message went, for the log. offered: the extensions of the server that has it, in
    upper case; empty for a mailbox or a program."""

    offered: frozenset[str] = frozenset()

    @classmethod
    def to(cls, place: str, offered: frozenset[str]) -> DeliveryPlace:
        sent = cls(place)
        sent.offered = offered
        return sent


class DeliveryError(Exception):
    """A delivery failed. temporary: another attempt may help. code: RFC 3463.

    reply: the whole reply to a client, where the MTA's rules say it; None to make one of the text.
    server, said: the server that refused, and its reply; "" where no server did.
    """

    server = said = ""

    def __init__(self, text: str, *, temporary: bool, code: str, reply: str | None = None) -> None:
        super().__init__(text)
        self.temporary = temporary
        self.code = code
        self.reply = reply


class ConfigurationError(DeliveryError):
    """What the MTA's configuration asks for is not there: permanent, and not the address' fault.

    Source: sendmail 8.17 `parseaddr.c` (buildaddr): a syserr, so the reply is 554 without address.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text, temporary=False, code="5.3.5")


Failures = list[tuple[Target, DeliveryError]]
"""Recipients whose delivery failed, and why."""


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """What became of one recipient. mailer, place: where it was delivered, for the log. error: why
    it was not. is_local: the mailer puts it into a mailbox."""

    target: Target
    mailer: str = ""
    place: str = ""
    error: DeliveryError | None = None
    is_local: bool = False

    @property
    def offered(self) -> frozenset[str]:
        """The extensions of the server that has the message."""
        return self.place.offered if isinstance(self.place, DeliveryPlace) else frozenset()


class Mailer(Protocol):
    """Delivers. Raises DeliveryError."""

    def deliver(self, entry: QueueEntry, target: Target, message: bytes) -> str:
        """Deliver a message (LF line ends). Returns the destination, for the log."""


class Router(Protocol):
    """Resolves addresses."""

    def resolve(self, address: str, *, listed: bool = False) -> Route:
        """The triple of an address. Raises DeliveryError for an unknown one.

        listed: it is from an alias or a `.forward` file, and so may be a program or a file.
        """

    def deliver(self, entry: QueueEntry, message: bytes) -> Iterator[DeliveryOutcome]:
        """Deliver a message (LF line ends) to its recipients: what became of each."""

    def expand(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        """The final recipients: aliases replaced, each once."""

    def members(self, address: str) -> list[str]:
        """The answer to EXPN of an address. Raises DeliveryError."""


def identity(router: Router, address: str) -> str:
    """The same text for addresses of one recipient: `joe` and `Joe@mx.example.test`."""
    try:
        route = router.resolve(address)
    except DeliveryError:
        return address.lower()
    return f"{route.mailer} {route.host} {route.user}".lower()


def deliver_each(
    resolve: Callable[[str], Route],
    mailer: Callable[[Route], Mailer],
    entry: QueueEntry,
    message: bytes,
) -> Iterator[DeliveryOutcome]:
    """Deliver to one recipient after the other."""
    for target in entry.targets:
        try:
            route = resolve(target.address)
            seen = replace(entry, sender=sender_for(entry, target))
            place = mailer(route).deliver(seen, target, message)
        except DeliveryError as error:
            yield DeliveryOutcome(target, error=error)
        else:
            yield DeliveryOutcome(target, route.mailer, place, is_local=route.mailer == "local")


def sender_for(entry: QueueEntry, target: Target) -> str:
    """The envelope sender for one recipient: the owner of the list that named it, if it has one."""
    return entry.sender if target.sender is None else target.sender


def unique(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """Each recipient once, the first one named; case is ignored."""
    people: dict[str, Target] = {}
    for target in targets:
        people.setdefault(target.address.lower(), target)
    return tuple(people.values())
