"""Delivery without a sendmail.cf: a Maildir or mbox for each local recipient."""

from __future__ import annotations

from collections.abc import Iterator

from filterd.message.address import canonical_domain
from filterd.mta.delivery.mailbox import Maildir, Mbox, folder_name
from filterd.mta.delivery.router import DeliveryError, Mailer, Outcome, deliver_each, unique
from filterd.mta.mail.address import (
    PathError,
    Route,
    domain_part,
    local_part,
    parse_path,
    to_octets,
    unrouted,
)
from filterd.mta.mail.entry import QueueEntry, Target
from filterd.mta.mail.header import take_return_path
from filterd.mta.settings import MtaSettings


class MailboxMailer:
    """The built-in mailer, Maildir or mbox."""

    def __init__(self, boxes: Maildir | Mbox, name: str) -> None:
        self._boxes = boxes
        self._name = name

    def deliver(self, entry: QueueEntry, target: Target, message: bytes) -> str:
        del target
        sender = to_octets(entry.sender)
        given, rest = take_return_path(message)
        whole = (b"Return-Path: <" + sender + b">\n" if given is None else given) + rest
        try:
            return str(self._boxes.deliver(self._name, entry.sender, whole))
        except OSError as error:
            raise DeliveryError(
                f"mailbox {self._name}: {error.strerror}", temporary=True, code="4.2.0"
            ) from None


class BuiltInRouter:
    """`[mta]`: every local recipient has a mailbox, made with its first message.

    keeps_duplicates: a recipient that a filter has added beside the client's is delivered to twice.
    """

    def __init__(self, settings: MtaSettings, *, keeps_duplicates: bool = False) -> None:
        self._own = {canonical_domain(settings.hostname), "localhost"}
        self._domains = self._own | set(map(canonical_domain, settings.local_domains))
        self._all = not settings.local_domains
        self._boxes: Maildir | Mbox
        if settings.deliver == "mbox":
            self._boxes = Mbox(settings.mail)
        else:
            self._boxes = Maildir(settings.mail, settings.hostname)
        self._keeps_duplicates = keeps_duplicates

    def resolve(self, address: str, *, listed: bool = False) -> Route:
        del listed
        try:
            parse_path(address)
            plain = unrouted(address, lambda domain: self._all or self._is_own(domain))
            parse_path(plain)
        except PathError as error:
            raise DeliveryError(str(error), temporary=False, code=error.code) from None
        domain = canonical_domain(domain_part(plain))
        if plain != address and not self._is_own(domain):
            # A route through this host to another one: not even a host for all domains relays that.
            raise DeliveryError("Relaying denied", temporary=False, code="5.7.1")
        address = plain
        if not domain or domain in self._own:
            return Route("local", "", local_part(address))
        if self._all or domain in self._domains:
            return Route("local", "", address)
        raise DeliveryError("Relaying denied", temporary=False, code="5.7.1")

    def _is_own(self, domain: str) -> bool:
        return not domain or canonical_domain(domain) in self._domains

    def expand(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        return targets if self._keeps_duplicates else unique(targets)

    def members(self, address: str) -> list[str]:
        self.resolve(address)
        return [address]

    def deliver(self, entry: QueueEntry, message: bytes) -> Iterator[Outcome]:
        return deliver_each(self.resolve, self._mailer, entry, message)

    def _mailer(self, route: Route) -> Mailer:
        return MailboxMailer(self._boxes, folder_name(route.user))
