"""The sockets on which the MTA waits for clients."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from filterd.mta.settings import Listener

log = logging.getLogger("filterd.mta")

BACKLOG = 512
"""Connections that the kernel keeps while all sessions are busy."""

Serve = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves a client of the listener of that number."""


async def listen(listeners: Sequence[Listener], serve: Serve) -> list[asyncio.Server]:
    """Listen on all of them. Raises OSError if that fails for one that is not optional, or for all
    of them."""
    servers: list[asyncio.Server] = []
    trouble: OSError | None = None
    try:
        for number, one in enumerate(listeners):
            try:
                servers.append(await _server(one, partial(serve, number)))
            except OSError as error:
                if not one.is_optional:
                    raise
                trouble = error
                log.warning("daemon %s: %s: optional socket disabled", one.name, error)
        if trouble is not None and not servers:
            raise trouble
    except OSError:
        for server in servers:
            server.close()
        raise
    return servers


async def _server(
    one: Listener, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> asyncio.Server:
    if one.family == "inet6" and not one.address:
        # As sendmail: clients by IPv4, too. asyncio itself would keep them out.
        with socket.create_server(
            ("::", one.port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG
        ) as opened:
            return await asyncio.start_server(serve, sock=opened.dup(), backlog=BACKLOG)
    family = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(one.family, socket.AF_UNSPEC)
    return await asyncio.start_server(
        serve, one.address or None, one.port, family=family, backlog=BACKLOG
    )
