"""DNS lists: DNSBL and DNSWL of addresses, RHSBL and URIBL of names.

All questions start before the first filter examines the message, and the answers are taken when it
is this one's turn. Sources: RFC 5782; RFC 6471 on what lists and their users owe each other.
"""

from __future__ import annotations

from typing import ClassVar

from filterd.chain.services import Services
from filterd.chain.verdict import NO_OPINION, Verdict
from filterd.filters.dnslists.asking import Asking, ListInUse
from filterd.filters.dnslists.health import ListHealth
from filterd.filters.dnslists.known import OF_CLIENT, OF_CONTENT
from filterd.filters.dnslists.settings import DnsListsSettings
from filterd.filters.dnslists.subjects import of_client, of_content, of_received, spread
from filterd.message import Message
from filterd.message.address import checked_domains
from filterd.message.received import Boundary, boundary
from filterd.message.suffixes import prepare as prepare_suffixes
from filterd.resolver.lookups import DnsLookups
from filterd.resolver.names import query_name, written

LARGE = 512 << 10
"""Octets of a message whose URLs are only looked for when it is this filter's turn: questions have
to be asked in half a second."""


class DnsLists:
    """Gives points by what DNS lists say."""

    name: ClassVar[str] = "dnslists"

    def __init__(self, settings: DnsListsSettings, services: Services) -> None:
        self.settings = settings
        self._services = services
        self._exempt = checked_domains(settings.exempt_domains)
        self._lists = _in_use(settings)
        self._content = [
            about for about in OF_CONTENT if any(about in one.own.asked for one in self._lists)
        ]
        self._begun: tuple[Message, Asking, bool] | None = None

    def prepare(self) -> None:
        """Read the list of public suffixes, and say it if there is no name server."""
        if self._lists:
            prepare_suffixes()
            _ = self._services.resolver.servers

    def ask(self, message: Message) -> None:
        """Begin to ask about the message."""
        if self._lists and self._services.resolver.servers:
            whole = message.size <= LARGE
            asking = self._started(message)
            self._begun = message, asking, whole
            if whole:
                self._ask_content(asking, message)

    def examine(self, message: Message) -> Verdict:
        """What the lists say. Raises OSError where the settings want an answer and none comes."""
        begun, self._begun = self._begun, None
        if not self._lists:
            return NO_OPINION
        if begun is not None and begun[0] is message:
            _, asking, whole = begun
        else:
            asking, whole = self._started(message), False
        if not whole:
            self._ask_content(asking, message)
        return asking.verdict()

    def _started(self, message: Message) -> Asking:
        """The questions that need no body."""
        lookups = DnsLookups(self._services.resolver, seconds=self.settings.wait)
        asking = Asking(lookups, self.settings, self._exempt)
        edge = boundary(
            message.envelope,
            message.received,
            self._services.trusted_networks,
            trusts_local=self._services.trusts_local,
        )
        if self._is_stranger(edge):
            for about in OF_CLIENT:
                values = of_client(about, edge.client, message.envelope.sender)
                asking.about(self._lists, about, values)
            beyond = of_received(edge.beyond, self.settings.received_limit)
            asking.about(self._lists, "received", beyond)
        return asking

    def _is_stranger(self, edge: Boundary) -> bool:
        """False for mail of this host and of clients that logged in."""
        if edge.client.authenticated and not self.settings.authenticated:
            return False
        return bool(edge.client.address)

    def _ask_content(self, asking: Asking, message: Message) -> None:
        limit = self.settings.domains_limit
        for about in self._content:
            values = of_content(about, message)
            if len(values) > limit:
                asking.limited(f"asked about {limit} of {len(values)} hosts")
            elif about == "url" and message.urls.exceeds:
                asking.limited("not all of the text was looked through for URLs")
            asking.about(self._lists, about, spread(values, limit))


def _in_use(settings: DnsListsSettings) -> tuple[ListInUse, ...]:
    """The lists; those of one zone share its state."""
    healths: dict[str, ListHealth] = {}
    found = []
    for own in settings.lists:
        zone = written(query_name(own.zone))
        health = healths.setdefault(
            zone, ListHealth(zone, failures=settings.failures, rest=settings.rest)
        )
        found.append(ListInUse(own, zone, own.table, own.unnamed, health))
    return tuple(found)
