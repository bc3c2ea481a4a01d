"""DNS lists: DNSBL and DNSWL of addresses, RHSBL and URIBL of names.

All questions start before the first filter examines the message, and the answers are taken when it
is this one's turn. Sources: RFC 5782; RFC 6471 on what lists and their users owe each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from filterd.chain.services import Services
from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import NO_OPINION, Action, Verdict
from filterd.filters.dnslists.asking import Asking, ListInUse
from filterd.filters.dnslists.health import ListHealth
from filterd.filters.dnslists.known import OF_CLIENT, OF_CONTENT
from filterd.filters.dnslists.resting import RestingLists
from filterd.filters.dnslists.settings import DnsListsSettings
from filterd.filters.dnslists.subjects import of_client, of_content, of_received, spread
from filterd.filters.dnslists.symbols import UNANSWERED
from filterd.message import Envelope, Message, Recipient
from filterd.message.address import Mailbox, checked_domains
from filterd.message.matching import is_in_networks
from filterd.message.received import Boundary, Hop, boundary
from filterd.message.suffixes import prepare as prepare_suffixes
from filterd.resolver.lookups import DnsLookups
from filterd.resolver.names import query_name, written

NEVER_REFUSED = frozenset({"postmaster", "abuse"})
"""Recipients that a client can reach to complain (RFC 5321 §4.5.1, RFC 2142 §2)."""

_SHARE = 0.8
"""Of the time that is left at a stage: what is missing then does not count, and the filter ends
in time."""

_MEMORY = "dnslists"

LARGE = 128 << 10
"""Octets of a message whose URLs are only looked for when it is this filter's turn: questions have
to be asked in half a second."""


class DnsLists:
    """Gives points by what DNS lists say."""

    name: ClassVar[str] = "dnslists"

    def __init__(self, settings: DnsListsSettings, services: Services) -> None:
        self.settings = settings
        self._services = services
        self._exempt = checked_domains(settings.exempt_domains)
        self._lists = _in_use(settings, RestingLists(lambda: services.state))
        self._content = [
            about for about in OF_CONTENT if any(about in one.own.asked for one in self._lists)
        ]
        self._early = settings.symbols
        self._begun: tuple[Message, Asking, bool] | None = None

    def prepare(self) -> None:
        """Read the list of public suffixes, and load the resolver: a worker's first question has to
        be asked in half a second, and one that takes longer costs the worker."""
        if self._lists:
            prepare_suffixes()
            self._services.resolver.prepare()

    def ask(self, message: Message) -> None:
        """Begin to ask about the message."""
        if self._can_ask:
            whole = message.size <= LARGE
            asking = self._started(message)
            self._begun = message, asking, whole
            if whole:
                self._ask_content(asking, message)
            asking.begin()

    def examine(self, message: Message) -> Verdict:
        """What the lists say. Raises OSError where the settings want an answer and none comes."""
        begun, self._begun = self._begun, None
        if not self._can_ask:
            return NO_OPINION
        if begun is not None and begun[0] is message:
            _, asking, whole = begun
        else:
            asking, whole = self._started(message), False
        if not whole:
            # Filters before this one may have taken all the time.
            asking.restart()
            self._ask_content(asking, message)
        edge = self._boundary(message.envelope, message.received)
        if self._asked_early(edge) and not self._was_answered(message):
            self._ask_of_client(asking, edge, message.envelope)
        return asking.verdict(of_relay=edge.relays > 0)

    def _was_answered(self, message: Message) -> bool:
        """Whether what lists say of the client is known from the session: not of a message that is
        scanned once more, nor where a list was too slow then."""
        names = {one.name for one in message.symbols}
        if not names.isdisjoint(self._early):
            return True
        return message.asked_early and UNANSWERED not in names

    @property
    def _can_ask(self) -> bool:
        """False without lists, and without a name server: the log has said that. Where an answer is
        wanted it is asked in vain, which fails at once."""
        wanted = self.settings.must_answer or bool(self._services.resolver.servers)
        return bool(self._lists) and wanted

    @property
    def stages(self) -> frozenset[Stage]:
        """Those at which something new is known, with `early`."""
        if not (self.settings.early and self._lists):
            return frozenset()
        return frozenset([Stage.CONNECT, Stage.HELO, Stage.SENDER, Stage.RECIPIENT])

    def connect(self, session: Session) -> Verdict:
        """Begin to ask about the client; the answers are taken at MAIL."""
        self._asked_at(session)
        return NO_OPINION

    def helo(self, session: Session) -> Verdict:
        """Begin to ask about its name, too."""
        self._asked_at(session)
        return NO_OPINION

    def sender(self, session: Session) -> Verdict:
        """What the lists say of client and sender. A refusal waits for the recipients, of whom some
        may be such that are never refused. Raises OSError as `examine` does."""
        found = self._asked_at(session).verdict()
        session.memory[_MEMORY] = session.transaction, found
        return Verdict(symbols=found.symbols) if found.symbols else NO_OPINION

    def recipient(self, session: Session, recipient: Recipient) -> Verdict:
        """Refuse the recipient if the settings say that of what was found."""
        transaction, found = session.memory.get(_MEMORY, (None, NO_OPINION))
        if transaction != session.transaction:
            # The process is another one than at MAIL; the symbols have been told.
            found = self._asked_at(session).verdict()
        if found.action is Action.ACCEPT or Mailbox.parse(recipient.address).base in NEVER_REFUSED:
            return NO_OPINION
        return Verdict(found.action, reply=found.reply)

    def _asked_at(self, session: Session) -> Asking:
        """The questions about what is known of a session; those of a former stage are under way or
        in the cache."""
        asking = self._new_asking(session.seconds_left)
        if not self._can_ask:
            return asking
        edge = self._boundary(session.envelope, ())
        if self._asked_early(edge):
            self._ask_of_client(asking, edge, session.envelope)
        asking.begin()
        return asking

    def _started(self, message: Message) -> Asking:
        """The questions that need no body."""
        asking = self._new_asking()
        edge = self._boundary(message.envelope, message.received)
        if not self._asked_early(edge):
            self._ask_of_client(asking, edge, message.envelope)
        if self._is_stranger(edge):
            beyond = of_received(edge.beyond, self.settings.received_limit)
            asking.about(self._lists, "received", beyond)
        return asking

    def _new_asking(self, seconds: float = math.inf) -> Asking:
        wait = min(self.settings.wait, seconds * _SHARE)
        lookups = DnsLookups(self._services.resolver, seconds=wait)
        return Asking(lookups, self.settings, self._exempt)

    def _boundary(self, envelope: Envelope, received: Sequence[Hop]) -> Boundary:
        services = self._services
        return boundary(
            envelope, received, services.trusted_networks, trusts_local=services.trusts_local
        )

    def _asked_early(self, edge: Boundary) -> bool:
        """True for a client about which lists are asked at the stages. A trusted relay's client is
        only known with the message."""
        return self.settings.early and edge.relays == 0

    def _ask_of_client(self, asking: Asking, edge: Boundary, envelope: Envelope) -> None:
        if self._is_stranger(edge):
            for about in OF_CLIENT:
                asking.about(self._lists, about, of_client(about, edge.client, envelope.sender))

    def _is_stranger(self, edge: Boundary) -> bool:
        """False for mail of this host and of clients that logged in, and for a relay whose client
        is not known yet."""
        if edge.client.authenticated and not self.settings.authenticated:
            return False
        trusted = is_in_networks(edge.client.address, self._services.trusted_networks)
        return bool(edge.client.address) and not trusted

    def _ask_content(self, asking: Asking, message: Message) -> None:
        limit = self.settings.domains_limit
        for about in self._content:
            values = of_content(about, message)
            if len(values) > limit:
                asking.limited(f"asked about {limit} of {len(values)} hosts")
            elif about == "url" and message.urls.exceeds:
                asking.limited("not all of the text was looked through for URLs")
            asking.about(self._lists, about, spread(values, limit))


def _in_use(settings: DnsListsSettings, resting: RestingLists) -> tuple[ListInUse, ...]:
    """The lists; those of one zone share its state."""
    healths: dict[str, ListHealth] = {}
    found = []
    for own in settings.lists:
        zone = written(query_name(own.zone))
        health = healths.setdefault(
            zone, ListHealth(zone, failures=settings.failures, rest=settings.rest, resting=resting)
        )
        found.append(
            ListInUse(
                own,
                zone,
                own.table,
                own.unnamed,
                health,
                frozenset(own.asked),
                own.takes_ipv6,
                own.takes_url_addresses,
            )
        )
    return tuple(found)
