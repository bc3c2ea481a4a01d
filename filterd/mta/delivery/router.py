"""Where a recipient's mail goes, and what can go wrong on the way.

A `Mailer` delivers one message to one recipient; a `Router` finds the mailer. Both are called in
worker threads and may block.
"""

from __future__ import annotations

from typing import Protocol

from filterd.mta.mail.address import Route
from filterd.mta.mail.entry import QueueEntry, Target


class DeliveryError(Exception):
    """A recipient who was not served. temporary: another attempt may help. code: RFC 3463."""

    def __init__(self, text: str, *, temporary: bool, code: str) -> None:
        super().__init__(text)
        self.temporary = temporary
        self.code = code


Failures = list[tuple[Target, DeliveryError]]
"""Recipients who were not served, and why."""


class Mailer(Protocol):
    """Delivers. Raises DeliveryError."""

    def deliver(self, entry: QueueEntry, target: Target, message: bytes) -> str:
        """Deliver a message (LF line ends) and return where to, for the log."""


class Router(Protocol):
    """Knows the addresses."""

    def resolve(self, address: str, *, listed: bool = False) -> Route:
        """The triple. Raises DeliveryError for an address that gets no mail here.

        listed: it comes out of an alias or a `.forward` file, and so may be a program or a file.
        """

    def mailer(self, route: Route) -> Mailer: ...

    def expand(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        """The recipients that a message really has: aliases replaced, nobody twice."""

    def members(self, address: str) -> list[str]:
        """What EXPN shows of an address. Raises DeliveryError."""


def identity(router: Router, address: str) -> str:
    """The same text for addresses that are one recipient: `joe` and `Joe@mx.example.test`."""
    try:
        route = router.resolve(address)
    except DeliveryError:
        return address.lower()
    return f"{route.mailer} {route.host} {route.user}".lower()


def unique(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """Everybody once, whoever was named first; case does not count."""
    people: dict[str, Target] = {}
    for target in targets:
        people.setdefault(target.address.lower(), target)
    return tuple(people.values())
