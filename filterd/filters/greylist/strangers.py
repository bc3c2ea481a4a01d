"""Who counts as one: clients of a network, senders whose addresses change, and who is excepted."""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby

from filterd.filters.greylist.settings import GreylistSettings
from filterd.filters.identities import without_batv
from filterd.message import Client, Envelope, Recipient
from filterd.message.address import Mailbox, canonical_domain, checked_domains, patterns
from filterd.message.authentication import Authentication
from filterd.message.matching import client_matches, network_of, networks, recipient_keys


def below(name: str, domains: Collection[str]) -> str:
    """The domain of these in which a host name lies, `""` for none of them."""
    rest = canonical_domain(name)
    while rest:
        if rest in domains:
            return rest
        rest = rest.partition(".")[2]
    return ""


def stable_sender(address: str) -> str:
    """The sender without what changes from message to message: the detail, numbers, and the tags
    of BATV (draft-levine-smtp-batv §4) and SRS (libsrs2)."""
    mailbox = Mailbox.parse(address)
    local = without_batv(mailbox.base)
    parts = local.split("=")
    if local.startswith("srs0=") and len(parts) > 4:
        # SRS0=HASH=DAY=DOMAIN=LOCAL
        local = "=".join((parts[0], *parts[3:]))
    local = "".join(
        "#" if is_number else "".join(letters) for is_number, letters in groupby(local, str.isdigit)
    )
    return str(Mailbox(local, mailbox.domain))


class Strangers:
    """Who is a stranger, by the settings."""

    def __init__(self, settings: GreylistSettings) -> None:
        self._settings = settings
        self._clients = networks(settings.except_clients)
        self._names = checked_domains(settings.except_client_names)
        self._big = checked_domains(settings.big_senders)
        self._senders = patterns(settings.except_senders)
        self._recipients = patterns(settings.except_recipients)

    def identity(self, client: Client) -> str:
        """What of a client counts: its network, or the domain of a big sender."""
        settings = self._settings
        return below(client.name, self._big) or network_of(
            client.address, settings.ipv4_network, settings.ipv6_network
        )

    def authenticated(self, known: Authentication | None) -> str:
        """The big sender who signed the message (DKIM) or lets its client send for it (SPF), `""`
        if there is none."""
        if known is None:
            return ""
        domains = [one.domain for one in known.dkim]
        domains += [known.spf.domain] if known.spf is not None else []
        passing = (below(one, self._big) for one in domains if one and known.passes_for(one))
        return next(filter(None, passing), "")

    def claimed(self, sender: str) -> str:
        """The big sender to which the sender's domain belongs, which nothing proves; `""` if there
        is none."""
        return below(Mailbox.parse(sender).domain, self._big)

    def are_excepted(self, envelope: Envelope) -> bool:
        """True for clients and senders that are not delayed, whoever the recipient is."""
        settings, client = self._settings, envelope.client
        if not client.address:
            return True  # there is nobody who would try again
        if envelope.authenticated and not settings.authenticated:
            return True
        if not envelope.sender and not settings.null_sender:
            return True
        if client_matches(client, settings.except_clients, self._clients):
            return True
        if below(client.name, self._names):
            return True
        return self._covers(self._senders, envelope.sender)

    def is_excepted(self, recipient: Recipient, envelope: Envelope) -> bool:
        """True for a recipient whose mail is not delayed."""
        return bool(self._recipients) and not self._recipients.isdisjoint(
            recipient_keys(recipient, envelope)
        )

    @staticmethod
    def _covers(known: frozenset[str], address: str) -> bool:
        return bool(known) and not known.isdisjoint(Mailbox.parse(address).covered_by())


def client_identity(text: str, settings: GreylistSettings) -> str:
    """What counts of a client that somebody names: an address, a network of the settings' size, or
    the domain of a big sender. Raises ValueError for anything else."""
    domain = canonical_domain(text)
    if domain in checked_domains(settings.big_senders):
        return domain
    (network,) = networks([text], local=False)
    wanted = settings.ipv4_network if network.version == 4 else settings.ipv6_network
    if network.prefixlen < wanted:
        raise ValueError(f"{text}: larger than the networks that count; expected /{wanted}")
    return network_of(str(network.network_address), settings.ipv4_network, settings.ipv6_network)
