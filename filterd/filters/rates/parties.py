"""Whose mail is counted together."""

from __future__ import annotations

from filterd.chain.report import ScanReport
from filterd.filters.identities import client_of, mailbox_of
from filterd.filters.rates.settings import Party, RatesSettings
from filterd.message import Client, Envelope
from filterd.message.address import Mailbox
from filterd.message.matching import client_matches, network_of, networks


class Parties:
    """Names of parties, by the settings."""

    def __init__(self, settings: RatesSettings) -> None:
        self._settings = settings
        self._clients = networks(settings.except_clients)
        self._users = frozenset(map(_user, settings.except_users))

    def name(self, by: Party, envelope: Envelope, recipient: str = "") -> str:
        """What the party is called; `""` where there is none: nobody logged in, a null sender."""
        match by:
            case "client":
                return client_of(envelope.client.address)
            case "network":
                settings = self._settings
                return network_of(
                    envelope.client.address, settings.ipv4_network, settings.ipv6_network
                )
            case "user":
                return _user(envelope.authenticated)
            case "sender":
                return mailbox_of(envelope.sender)
            case "sender_domain":
                return Mailbox.parse(envelope.sender).domain
            case "recipient":
                return mailbox_of(recipient)
            case "recipient_domain":
                return Mailbox.parse(recipient).domain

    def are_excepted(self, envelope: Envelope) -> bool:
        """True for mail that is not counted."""
        if envelope.authenticated and _user(envelope.authenticated) in self._users:
            return True
        return client_matches(envelope.client, self._settings.except_clients, self._clients)


def envelope_of(report: ScanReport) -> Envelope:
    """The envelope that a report tells of."""
    client = Client(report.client_name, report.client_address)
    macros = {"{auth_authen}": report.authenticated} if report.authenticated else {}
    return Envelope(report.sender, (), client, macros=macros)


def _user(name: str) -> str:
    """The name with which somebody logged in; many servers do not mind capitals."""
    return name.strip().casefold()
