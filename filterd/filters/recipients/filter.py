"""The filter: at RCPT."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from filterd.chain import replies
from filterd.chain.services import Services
from filterd.chain.stages import Session
from filterd.chain.verdict import NO_OPINION, Action, Symbol, Verdict
from filterd.filters.recipients.asking import AskingError, ask_program, ask_server
from filterd.filters.recipients.known import KnownFiles
from filterd.filters.recipients.settings import RecipientServer, RecipientsSettings
from filterd.filters.recipients.symbols import ATTACK, UNKNOWN
from filterd.message import Envelope, Recipient
from filterd.message.address import AddressPatternError, Mailbox, checked_mailbox, patterns
from filterd.message.matching import (
    client_matches,
    is_in_networks,
    network_of,
    networks,
    recipient_keys,
)
from filterd.state.facts import Addition, StateError, StateKey, state_key

log = logging.getLogger(__name__)

KIND, ATTACKS = "recipient", "recipient_attack"
"""Kinds of what is remembered of recipients, and of the counts of unknown ones."""

YES, NO = "known", "unknown"

_DAY, _HOUR, _MINUTE = 86400.0, 3600.0, 60.0

_IPV4_BITS, _IPV6_BITS = 32, 64
"""Of an address that make one client: who has an IPv6 address has a network of them."""


class Recipients:
    """Refuses unknown recipients. clock: seconds since 1970."""

    name: ClassVar[str] = "recipients"

    def __init__(
        self,
        settings: RecipientsSettings,
        services: Services,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._services = services
        self._clock = clock
        self._domains = patterns(settings.domains)
        self._files = KnownFiles(settings.files) if settings.files else None
        self._servers = [(patterns(one.domains), one) for one in settings.servers]
        self._spared = networks(settings.except_clients)

    def prepare(self) -> None:
        """Read the files. Raises KnownError, OSError."""
        if self._files is not None:
            self._files.prepare()

    def recipient(self, session: Session, recipient: Recipient) -> Verdict:
        """Refuse the recipient if it is unknown, defer it if the client guesses. Raises
        StateError, AskingError."""
        mailbox = Mailbox.parse(recipient.address)
        if self._domains.isdisjoint(mailbox.covered_by()):
            return NO_OPINION
        attacker = self._watched(session.envelope)
        if attacker is not None and self._is_at_limit(attacker):
            why = f"{attacker.name}: {self.settings.attack_limit} unknown recipients"
            return Verdict(Action.TEMPFAIL, (Symbol(ATTACK, 0.0, why),), reply=replies.HARVEST)
        if mailbox.base == "postmaster":
            return NO_OPINION  # RFC 5321 §4.5.1
        who = self._refusing(mailbox, recipient, session)
        if not who:
            return NO_OPINION
        if attacker is not None:
            addition = Addition(attacker, self.settings.attack_seconds)
            with _not_remembered(attacker.name):
                self._services.state.add([addition], self._clock(), session.counting.next())
        symbol = Symbol(UNKNOWN, 0.0, f"{mailbox}: not known to {who}")
        return Verdict(Action.REJECT, (symbol,), reply=replies.RECIPIENT)

    def _refusing(self, mailbox: Mailbox, recipient: Recipient, session: Session) -> str:
        """Who does not know the recipient, `""` if somebody does or nobody is to be asked."""
        keys = recipient_keys(recipient, session.envelope)
        if self._files is not None and self._files.has(keys):
            return ""
        try:
            checked_mailbox(str(mailbox))
        except AddressPatternError:
            return "anybody: it is not an address"
        server = self._server_of(mailbox)
        if not self.settings.command and server is None:
            return "the files" if self._files is not None else ""
        who = self.settings.command[0] if server is None else server.server
        return "" if self._is_known(mailbox, server, session) else who

    def _server_of(self, mailbox: Mailbox) -> RecipientServer | None:
        """The server that knows the domain; the program is asked where there is none."""
        keys = frozenset(mailbox.covered_by())
        for domains, server in self._servers:
            if not domains or not domains.isdisjoint(keys):
                return server
        return None

    def _is_known(self, mailbox: Mailbox, server: RecipientServer | None, session: Session) -> bool:
        settings, state, now = self.settings, self._services.state, self._clock()
        key = state_key(KIND, str(mailbox))
        (entry,) = state.get([key], now)
        if entry is not None and entry.value == NO:
            return False
        if entry is not None and 0 <= now - entry.last < settings.refresh_hours * _HOUR:
            return True
        try:
            known = self._ask(mailbox, server, session)
        except AskingError as error:
            if entry is None:
                raise
            log.warning("%s; %s was known before", error, mailbox)
            return True
        lifetime = settings.keep_days * _DAY if known else settings.unknown_minutes * _MINUTE
        with _not_remembered(str(mailbox)):
            state.put(key, now, lifetime, YES if known else NO)
        return known

    def _ask(self, mailbox: Mailbox, server: RecipientServer | None, session: Session) -> bool:
        left = session.seconds_left
        if server is None:
            seconds = min(self.settings.command_seconds, left)
            return ask_program(self.settings.command, str(mailbox), seconds)
        helo = session.envelope.macros.get("j", "") or socket.gethostname()
        return ask_server(server, mailbox, helo, left)

    def _watched(self, envelope: Envelope) -> StateKey | None:
        """What is counted for the client, None for one that may name whom it likes."""
        settings, client = self.settings, envelope.client
        if not settings.attack_limit or envelope.authenticated or not client.address:
            return None
        if client_matches(client, settings.except_clients, self._spared):
            return None
        if is_in_networks(client.address, self._services.trusted_networks):
            return None  # a relay of the site: others name recipients through it
        return state_key(ATTACKS, network_of(client.address, _IPV4_BITS, _IPV6_BITS))

    def _is_at_limit(self, attacker: StateKey) -> bool:
        settings = self.settings
        (window,) = self._services.state.windows([(attacker, settings.attack_seconds)])
        return window.room_in(1, settings.attack_limit, self._clock()) > 0


@contextmanager
def _not_remembered(name: str) -> Iterator[None]:
    """What was answered counts, also where it cannot be written: a state that is full would defer
    recipients who are known, or are not."""
    try:
        yield
    except StateError as error:
        log.warning("%s; nothing of %s is remembered", error, name)
