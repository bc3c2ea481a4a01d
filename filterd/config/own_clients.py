"""Whether the settings agree on whose mail is the site's own: what is outbound should be signed,
and make its recipients known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from filterd.config.load import Settings
from filterd.filters.known.settings import KnownSettings
from filterd.filters.sign.settings import SignSettings
from filterd.message.matching import LOCAL, Network, networks

LOOPBACK = ("127.0.0.0/8", "::1")
"""Of this host, whatever else it has."""


def own_client_warnings(settings: Settings) -> Iterator[str]:
    """What an admin should be told, one text for each setting."""
    for name, entry in settings.filters.items():
        own = entry.own
        if isinstance(own, SignSettings) and own.keys and name not in settings.chain.filters:
            why = f'since "{name}" is not in [chain] filters'
            yield f"filters.{name}.keys: nothing is signed, {why}"
    outbound = settings.labels.outbound_clients
    for name, signing in settings.in_chain(SignSettings).items():
        if missing := _missing(outbound, signing.clients):
            yield (
                f"filters.{name}.clients does not have {missing} of labels.outbound_clients: that "
                "mail is outbound, and is not signed"
            )
    for name, known in settings.in_chain(KnownSettings).items():
        if missing := _missing(outbound, known.clients):
            yield (
                f"filters.{name}.clients does not have {missing} of labels.outbound_clients: that "
                "mail is outbound, and makes nobody known"
            )


def _missing(wanted: Sequence[str], clients: Sequence[str]) -> str:
    """Those of the networks that are not within one of the clients, for people."""
    covering = [*networks(clients), *(networks(LOOPBACK) if LOCAL in clients else ())]
    return ", ".join(
        text
        for text in wanted
        if not (text in clients or any(_is_within(one, covering) for one in networks([text])))
    )


def _is_within(one: Network, others: Sequence[Network]) -> bool:
    return any(
        one.subnet_of(other)  # type: ignore[arg-type]  # of one version
        for other in others
        if one.version == other.version
    )
