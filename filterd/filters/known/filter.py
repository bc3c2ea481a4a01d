"""The filter: mail that this site sends makes its recipients known once it was accepted; mail from
outside gets points for what is known."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import ClassVar

from filterd.chain.report import ScanReport
from filterd.chain.services import Services
from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import NO_OPINION, Action, RecipientSymbols, Symbol, Verdict
from filterd.filters.identities import mailbox_of, owner_of
from filterd.filters.known.correspondents import Acquainted, Correspondents, read_key, site_key
from filterd.filters.known.header import id_of, is_automatic, replies_to
from filterd.filters.known.settings import KnownSettings
from filterd.filters.known.symbols import REPLY, SENDER, WRITES
from filterd.message import Envelope, Message, Recipient
from filterd.message.address import Mailbox, patterns
from filterd.message.authentication import Authentication
from filterd.message.mailboxes import author_of
from filterd.message.matching import client_matches, networks
from filterd.message.received import boundary
from filterd.system.display import count
from filterd.system.mistakes import SettingsError

log = logging.getLogger(__name__)

LOOKED_AT = 50
"""Recipients of a message for whom is looked up who is known to them."""


class Known:
    """Gives points to known senders and replies. clock: seconds since 1970."""

    name: ClassVar[str] = "known"

    stages: ClassVar[frozenset[Stage]] = frozenset([Stage.DATA])
    """Nothing is done there; reports come to filters that are asked at stages."""

    def __init__(
        self,
        settings: KnownSettings,
        services: Services,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._services = services
        self._clock = clock
        self._domains = patterns(settings.domains)
        self._clients = networks(settings.clients)
        self._key: bytes | None = None
        self._opened: Correspondents | None = None

    def prepare(self) -> None:
        """Read the key, if it has a file of its own. Raises SettingsError."""
        path = self.settings.key_file
        if path is None:
            return
        try:
            self._key = read_key(path)
        except OSError as error:
            key = ("filters", self.name, "key_file")
            raise SettingsError([(key, f"{path}: {error.strerror}")]) from None

    def data(self, _session: Session) -> Verdict:
        """No opinion; see `stages`."""
        return NO_OPINION

    def examine(self, message: Message) -> Verdict:
        """What is known of the author and of the messages that this one replies to; or that it will
        make its recipients known. Raises StateError, OSError."""
        envelope = message.envelope
        if self._is_sent_here(message):
            return self._of_own(message)
        share, author = self._standing(message)
        correspondents = self._correspondents() if share and author is not None else None
        if correspondents is None or author is None:
            return NO_OPINION
        recipients = {one.address: _owners(one) for one in envelope.recipients[:LOOKED_AT]}
        owners = frozenset(owner for every in recipients.values() for owner in every)
        known = correspondents.look(
            mailbox_of(str(author)), replies_to(message), owners, self._clock()
        )
        if self.settings.site:
            symbols = tuple(self._symbols(known.by_anybody, known.to_anybody, share, author))
            return Verdict(symbols=symbols) if symbols else NO_OPINION
        return self._apart(envelope, recipients, known, share, author)

    def reported(self, _session: Session, report: ScanReport) -> None:
        """Take note of mail that was sent. Raises StateError, OSError."""
        if not any(symbol.name == WRITES for symbol in report.symbols) or report.stage:
            return
        if report.action is not Action.ACCEPT or report.labelled or report.released:
            return  # what was refused or looks like spam; it may be a stolen account's
        if report.mta_quarantine is not None:
            return
        writer = Mailbox.parse(report.sender)
        sent = [one for one in report.recipients if one not in frozenset(report.dropped)]
        others = {mailbox_of(one) for one in sent if not self._is_own(one, writer.domain)}
        correspondents = self._correspondents()
        if correspondents is not None:
            id = id_of(report.message_id)
            correspondents.wrote(owner_of(report.sender), others, id, self._clock())

    def _of_own(self, message: Message) -> Verdict:
        number = len(message.envelope.recipients)
        if not message.envelope.sender or number > self.settings.recipients_limit:
            return NO_OPINION
        if is_automatic(message):
            return NO_OPINION
        return Verdict(symbols=(Symbol(WRITES, 0.0, count(number, "recipient")),))

    def _is_sent_here(self, message: Message) -> bool:
        envelope, services = message.envelope, self._services
        if not envelope.authenticated:
            if not client_matches(envelope.client, self.settings.clients, self._clients):
                return False
            networks, local = services.trusted_networks, services.trusts_local
            edge = boundary(envelope, message.received, networks, trusts_local=local)
            if edge.relays and edge.client.address:
                return False  # a relay that hands in what came from elsewhere
        if not self._domains:
            return True
        return not self._domains.isdisjoint(Mailbox.parse(envelope.sender).covered_by())

    def _is_own(self, address: str, domain: str) -> bool:
        """True for an address of the site. domain: one of its own, where the settings name none."""
        mailbox = Mailbox.parse(address)
        if self._domains:
            return not self._domains.isdisjoint(mailbox.covered_by())
        return mailbox.domain in ("", domain)

    def _standing(self, message: Message) -> tuple[float, Mailbox | None]:
        """The share of the points that counts, and the author."""
        author = author_of(message)
        if author is None or not author.local:
            return 0.0, None
        found = message.authentication
        if found is not None:
            return (1.0 if _is_proven(found, author.domain) else 0.0), author
        recipients = message.envelope.recipients[:LOOKED_AT]
        own = {Mailbox.parse(one.address).domain for one in recipients}
        if any(self._is_own(str(author), domain) for domain in own or {""}):
            return 0.0, author  # one of us, from outside, without a proof
        return self.settings.unproven_share, author

    def _apart(
        self,
        envelope: Envelope,
        recipients: dict[str, frozenset[str]],
        known: Acquainted,
        share: float,
        author: Mailbox,
    ) -> Verdict:
        """Points for those recipients who have written; for all, where that is all of them."""
        symbols = {
            address: tuple(
                self._symbols(
                    not owners.isdisjoint(known.writers),
                    not owners.isdisjoint(known.replied),
                    share,
                    author,
                )
            )
            for address, owners in recipients.items()
        }
        every = set(symbols.values())
        if len(every) == 1 and len(envelope.recipients) <= LOOKED_AT:
            (shared,) = every
            return Verdict(symbols=shared) if shared else NO_OPINION
        apart = tuple(RecipientSymbols(one, found) for one, found in symbols.items() if found)
        return Verdict(points_apart=apart) if apart else NO_OPINION

    def _symbols(
        self, is_known: bool, is_reply: bool, share: float, author: Mailbox
    ) -> Iterator[Symbol]:
        settings = self.settings
        proven = "" if share == 1.0 else ", not authenticated"
        if is_known:
            yield Symbol(SENDER, settings.sender_score * share, f"{author}{proven}")
        if is_reply:
            yield Symbol(REPLY, settings.reply_score * share, f"{author}{proven}")

    def _correspondents(self) -> Correspondents | None:
        """What the state knows; None in a scan of a site that has never run."""
        if self._opened is None:
            try:
                key = self._key or site_key(self.settings, self._services)
            except FileNotFoundError:
                if self.settings.key_file is not None:
                    raise
                return None
            self._opened = Correspondents(self.settings, self._services.state, key)
        return self._opened


def _is_proven(found: Authentication, domain: str) -> bool:
    return found.author == domain or found.passes_for(domain)


def _owners(recipient: Recipient) -> frozenset[str]:
    """Under which names a recipient may have written: as the client named it, and as the MTA
    resolved it."""
    resolved = Mailbox.parse(recipient.resolved)
    if resolved.domain:
        return frozenset({owner_of(recipient.address), owner_of(recipient.resolved)})
    return frozenset({owner_of(recipient.address)})
