"""The filter: what is checked, and what is told of it.

The questions start before the first filter examines the message, and the answers are taken when it
is this one's turn.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from filterd.auth.received_spf import received_spf
from filterd.auth.results import written
from filterd.auth.statements import results_of
from filterd.chain.services import Services
from filterd.chain.verdict import NO_OPINION, AddField, Edit, Symbol, Verdict
from filterd.filters.auth.acting import Acting, DmarcOutcome, verdict_of
from filterd.filters.auth.checks import AuthChecks
from filterd.filters.auth.settings import AuthSettings
from filterd.filters.auth.symbols import symbols
from filterd.message import Client, Envelope, Message
from filterd.message.authentication import Authentication
from filterd.message.envelope import ip
from filterd.message.matching import is_in_networks, networks
from filterd.message.received import Boundary, boundary

_OVERRIDE = "DMARC_OVERRIDE"
_FAILURES = frozenset({"DMARC_REJECT", "DMARC_QUAR"})


class Auth:
    """Checks SPF, DKIM, DMARC and ARC, and acts on DMARC."""

    name: ClassVar[str] = "auth"

    def __init__(self, settings: AuthSettings, services: Services) -> None:
        self.settings = settings
        self._services = services
        self._acting = Acting(settings)
        self._points = settings.points
        self._exempt = networks(settings.exempt_networks, local=False)
        self._begun: tuple[Message, AuthChecks] | None = None

    def prepare(self) -> None:
        """Load the resolver: a worker's first question has to be asked in half a second."""
        self._services.resolver.prepare()

    def ask(self, message: Message) -> None:
        """Begin to ask about the message."""
        checks = self._checks(message)
        if checks is not None:
            self._begun = message, checks
            checks.begin()

    def examine(self, message: Message) -> Verdict:
        """The results, and what they mean."""
        begun, self._begun = self._begun, None
        if begun is not None and begun[0] is message:
            checks = begun[1]
        else:
            made = self._checks(message)
            if made is None:
                return NO_OPINION
            checks = made
            checks.begin()
        found = checks.results()
        edge = self._boundary(message)
        outcome = self._acting.outcome(found, message, edge.client.address)
        found = replace(found, override=outcome.override)
        told = verdict_of(outcome, found, of_relay=edge.relays > 0, tempfail=self.settings.tempfail)
        return replace(
            told,
            symbols=self._symbols(found, outcome),
            edits=tuple(self._fields(found, edge, message.envelope)),
            authentication=found,
        )

    def _checks(self, message: Message) -> AuthChecks | None:
        """None for mail that is not checked: our own, and all where there is no name server."""
        services = self._services
        edge = self._boundary(message)
        address = ip(edge.client.address)
        if address is None or not self._is_stranger(edge, message.envelope):
            return None
        if not services.resolver.servers:
            return None
        return AuthChecks(
            message, edge.client, address, services.resolver, self.settings, services.labels
        )

    def _is_stranger(self, edge: Boundary, envelope: Envelope) -> bool:
        """False for our own people and hosts, and for a relay whose client is not known."""
        client = edge.client
        if client.authenticated or Client(address=client.address).is_local:
            return False
        if not edge.relays and self._services.labels.is_outbound(envelope):
            return False
        known = (*self._exempt, *self._services.trusted_networks)
        return not is_in_networks(client.address, known)

    def _boundary(self, message: Message) -> Boundary:
        services = self._services
        return boundary(
            message.envelope,
            message.received,
            services.trusted_networks,
            trusts_local=services.trusts_local,
        )

    def _symbols(self, found: Authentication, outcome: DmarcOutcome) -> tuple[Symbol, ...]:
        result = symbols(found, self._points)
        if outcome.action == "ignore":
            # A failure that is let pass counts for nothing.
            result = [
                Symbol(one.name, 0.0, f"{one.detail}; not counted ({one.score:+g} points)")
                if one.name in _FAILURES
                else one
                for one in result
            ]
        if outcome.override:
            told = f"{outcome.override}: {outcome.why}"
            result.append(Symbol(_OVERRIDE, self._points[_OVERRIDE], told))
        return tuple(result)

    def _fields(self, found: Authentication, edge: Boundary, envelope: Envelope) -> list[Edit]:
        labels, fields = self._services.labels, list[Edit]()
        host = labels.host(envelope)
        if self.settings.authentication_results:
            value = written(results_of(found, host))
            fields.append(AddField("Authentication-Results", value))
        if self.settings.received_spf and found.spf is not None:
            client = edge.client
            value = received_spf(
                found.spf,
                host=host,
                client=client.address,
                sender=envelope.sender,
                helo=client.helo,
            )
            fields.append(AddField("Received-SPF", value))
        return fields
