"""Where a recipient's mail goes, and what can go wrong on the way.

A `Mailer` delivers one message to one recipient; a `Router` finds the mailer. Both are called in
worker threads and may block.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filterd.mta.delivery.mailbox import Maildir, Mbox, folder_name
from filterd.mta.mail.address import AddressError, domain_part, local_part, parse_path, unrouted
from filterd.mta.mail.header import take_return_path
from filterd.mta.queue.spool import Entry, Target
from filterd.mta.settings import MtaSettings


class DeliveryError(Exception):
    """A recipient who was not served. temporary: another attempt may help. code: RFC 3463."""

    def __init__(self, text: str, *, temporary: bool, code: str) -> None:
        super().__init__(text)
        self.temporary = temporary
        self.code = code


@dataclass(frozen=True, slots=True)
class Route:
    """Where mail to an address goes, in sendmail's triple. host: `""` for a local mailer."""

    mailer: str
    host: str
    user: str


class Mailer(Protocol):
    """Delivers. Raises DeliveryError."""

    def deliver(self, entry: Entry, target: Target, message: bytes) -> str:
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


class MailboxMailer:
    """The built-in mailer, Maildir or mbox."""

    def __init__(self, boxes: Maildir | Mbox, name: str) -> None:
        self._boxes = boxes
        self._name = name

    def deliver(self, entry: Entry, target: Target, message: bytes) -> str:
        del target
        sender = entry.sender.encode("ascii", "surrogateescape")
        given, rest = take_return_path(message)
        whole = (b"Return-Path: <" + sender + b">\n" if given is None else given) + rest
        try:
            return str(self._boxes.deliver(self._name, entry.sender, whole))
        except OSError as error:
            raise DeliveryError(
                f"mailbox {self._name}: {error.strerror}", temporary=True, code="4.2.0"
            ) from None


class BuiltInRouter:
    """`[mta]`: every local recipient has a mailbox, made when its first mail comes."""

    def __init__(self, settings: MtaSettings) -> None:
        self._own = {settings.hostname.lower(), "localhost"}
        self._domains = self._own | {domain.lower() for domain in settings.local_domains}
        self._all = not settings.local_domains
        self._boxes: Maildir | Mbox
        if settings.deliver == "mbox":
            self._boxes = Mbox(settings.mail)
        else:
            self._boxes = Maildir(settings.mail, settings.hostname)
        self._mail: Path = settings.mail
        self._postfix = settings.flavour == "postfix"

    def resolve(self, address: str, *, listed: bool = False) -> Route:
        del listed
        try:
            parse_path(address)
            plain = unrouted(address, lambda domain: self._all or self._is_own(domain))
            parse_path(plain)
        except AddressError as error:
            raise DeliveryError(str(error), temporary=False, code=error.code) from None
        domain = domain_part(plain)
        if plain != address and not self._is_own(domain):
            # A route through this host to another one, which even a host for all domains is not.
            raise DeliveryError("Relaying denied", temporary=False, code="5.7.1")
        address = plain
        if not domain or domain in self._own:
            return Route("local", "", local_part(address))
        if self._all or domain in self._domains:
            return Route("local", "", address)
        raise DeliveryError("Relaying denied", temporary=False, code="5.7.1")

    def _is_own(self, domain: str) -> bool:
        return not domain or domain in self._domains

    def expand(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        # Postfix delivers twice to whom a filter has named beside the client.
        return targets if self._postfix else unique(targets)

    def members(self, address: str) -> list[str]:
        self.resolve(address)
        return [address]

    def mailer(self, route: Route) -> Mailer:
        return MailboxMailer(self._boxes, folder_name(route.user))
