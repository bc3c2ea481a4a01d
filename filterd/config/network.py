"""Who in a worker needs the network. Where nobody does, workers get none: hostile mail that takes
one over cannot connect to another host."""

from __future__ import annotations

from filterd.config.load import Settings

_LOCAL = ("sqlite:", "unix:")
"""Beginnings of URLs that lead to a file or a socket of this host."""


def network_users(settings: Settings) -> tuple[str, ...]:
    """Filters of the chain and keys of the settings for which a worker opens network connections.

    A filter's settings say it (`needs_network`); a package of others that does not is taken to.
    """
    filters = [
        f"filter {name}"
        for name in settings.chain.filters
        if getattr(settings.filters[name].own, "needs_network", True)
    ]
    urls = {
        "[state] url": settings.state.url,
        "[quarantine] database": settings.quarantine.database,
    }
    return (*filters, *(key for key, url in urls.items() if url and not url.startswith(_LOCAL)))
