"""Running the application: uvicorn, on one address, in one process.

One process, because sessions and failed logins are counted in its memory; reviewers are few, and
the mail flow does not pass here.
"""

from __future__ import annotations

import logging
import os
import signal
import socket

import uvicorn

from filterd.config.load import Settings
from filterd.message.envelope import ip
from filterd.system.sockets import given_socket
from filterd.web.app import create_app
from filterd.web.forwarded import believed
from filterd.web.guard import ConnectionLimits, Guard

log = logging.getLogger(__name__)

REQUEST_LIMIT = 200
"""Connections at a time; more get 503. Some tens of people never need as many, and the guard closes
those without a request before."""

KEEP_ALIVE = 15
"""Seconds that an idle connection stays."""

STOP_LIMIT = 20
"""Seconds that requests have to finish after SIGTERM. A release may be waiting for its 250; what
is cut off is shown as interrupted, never as released."""

HEADER_LIMIT = 32 << 10
"""Octets of a request's header."""


def serve(settings: Settings) -> int:
    """Serve until SIGTERM. Raises OSError if the address is not available."""
    web = settings.web
    os.umask(0o077)
    given = given_socket((str(ip(web.listen)), web.port), "listen, port of [web]")
    listener = given or socket.create_server(
        (web.listen, web.port),
        family=socket.AF_INET6 if ":" in web.listen else socket.AF_INET,
        backlog=128,
    )
    # Connections inherit it. An answer's header and body are two writes: with Nagle's algorithm the
    # second waits for the client's delayed ACK, 40 ms (asyncio sees to that for other sockets only:
    # those of which Python knows that they are TCP's).
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    app = create_app(settings)
    app.state.filterd.accounts.warm()
    config = uvicorn.Config(
        app,
        http=Guard(ConnectionLimits(), web.trusted_proxies).protocol(),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=bool(web.trusted_proxies),
        forwarded_allow_ips=believed(settings),
        limit_concurrency=REQUEST_LIMIT,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=STOP_LIMIT,
        h11_max_incomplete_event_size=HEADER_LIMIT,
    )
    # uvicorn ends itself by the signal that stopped it, once all is done; an orderly end is no
    # failure, so the signal has to find somebody here.
    signal.signal(signal.SIGTERM, lambda *_: None)
    log.info("listening on %s", web.base)
    server = uvicorn.Server(config)
    app.state.filterd.is_stopping = lambda: server.should_exit
    server.run([listener])
    return 0
