"""Delivery without a sendmail.cf: a Maildir or mbox for each local recipient."""

from __future__ import annotations

from collections.abc import Iterator

from filterd.message.address import canonical_domain
from filterd.mta.delivery.mailbox import Maildir, Mbox, folder_name
from filterd.mta.delivery.relay import SmtpMailer
from filterd.mta.delivery.router import DeliveryError, DeliveryOutcome, Mailer, deliver_each, unique
from filterd.mta.delivery.transaction import OutgoingMail
from filterd.mta.mail.address import (
    PathError,
    Route,
    domain_part,
    local_part,
    parse_path,
    to_octets,
    unrouted,
)
from filterd.mta.mail.deliver_by import DeliverBy
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


class RelayMailer:
    """Sends to another host."""

    def __init__(self, smtp: SmtpMailer, recipient: str) -> None:
        self._smtp, self._recipient = smtp, recipient

    def deliver(self, entry: QueueEntry, target: Target, message: bytes) -> str:
        words = {"BODY": "", "RET": "", "ENVID": ""}
        for one in entry.sender_parameters:
            name, _, value = one.partition("=")
            if name.upper() in words:
                words[name.upper()] = value
        dsn = "".join(f" {name}={words[name]}" for name in ("RET", "ENVID") if words[name])
        notice = "".join(f" {one}" for one in target.parameters)
        mail = OutgoingMail(
            entry.sender,
            (self._recipient,),
            take_return_path(message)[1],
            body=words["BODY"],
            dsn=(dsn, (notice,)),
            by=DeliverBy.of(entry.sender_parameters),
            arrived=entry.arrived,
        )
        (result,) = self._smtp.deliver(mail)
        if isinstance(result, DeliveryError):
            raise result
        return result


class BuiltInRouter:
    """`[mta]`: every local recipient has a mailbox, made with its first message; mail for other
    hosts is taken from clients who have logged in.

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
        self._relay_host, self._helo = settings.relay_host, settings.hostname

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

    def relay(self, address: str) -> Route:
        """Where an address on another host goes. Raises DeliveryError."""
        try:
            plain = unrouted(parse_path(address), self._is_own)
            domain = canonical_domain(domain_part(parse_path(plain)))
        except PathError as error:
            raise DeliveryError(str(error), temporary=False, code=error.code) from None
        if self._is_own(domain):
            return self.resolve(plain)
        return Route("esmtp", self._relay_host or f"{domain}.", plain)

    def _is_own(self, domain: str) -> bool:
        return not domain or canonical_domain(domain) in self._domains

    def expand(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        return targets if self._keeps_duplicates else unique(targets)

    def members(self, address: str) -> list[str]:
        self.resolve(address)
        return [address]

    def deliver(self, entry: QueueEntry, message: bytes) -> Iterator[DeliveryOutcome]:
        relayed = {one.address for one in entry.targets if one.relayed}

        def resolve(address: str) -> Route:
            return self.relay(address) if address in relayed else self.resolve(address)

        return deliver_each(resolve, self._mailer, entry, message)

    def _mailer(self, route: Route) -> Mailer:
        if route.mailer == "esmtp":
            return RelayMailer(SmtpMailer(route.host, self._helo), route.user)
        return MailboxMailer(self._boxes, folder_name(route.user))
