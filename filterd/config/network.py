"""Who in a worker needs the network, and who waits for it. Where nobody needs it, workers get none:
hostile mail that takes one over cannot connect to another host. Where somebody waits for it, there
are more of them."""

from __future__ import annotations

import os

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


MORE_WORKERS = 12
"""Workers that wait take no CPU time. With a name server that answers after 200 ms each of them
gets through five messages a second, so all together through as many as a small host can scan."""


def worker_processes(settings: Settings) -> int:
    """The number of worker processes that the settings mean on this machine.

    A filter's settings say that it waits for other hosts with most messages (`waits_for_network`).
    """
    if settings.workers.count:
        return settings.workers.count
    waits = any(
        getattr(settings.filters[name].own, "waits_for_network", False)
        for name in settings.chain.filters
    )
    return (os.cpu_count() or 1) + (MORE_WORKERS if waits else 0)
