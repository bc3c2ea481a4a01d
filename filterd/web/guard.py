"""Connections that must not keep others out: time for a request, and room for each address.

uvicorn bounds connections and idle ones, but a request may take for ever to arrive; some hundred
half requests from one address kept everybody out. Here a header has a deadline, a body a pace, an
answer must be taken, and where room gets scarce the connection goes that has no whole request, the
oldest one of the address that has most of them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from filterd.message.matching import is_in_networks, networks
from filterd.web.throttle import network

log = logging.getLogger(__name__)

LINGER = 5.0
"""Seconds that a connection which is to end has to take what was written to it."""

TELL_INTERVAL = 60.0
"""Seconds between two lines of the log about too many connections."""

_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 20\r\n\r\nThat took too long.\n"
)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """header: seconds for a request's header, from its first octet (from the connection, for the
    first one). body: seconds for its body, and one more for each `pace` octets. answer: seconds for
    which a client may take nothing of an answer. connections: at a time. each: of one address."""

    header: float = 10.0
    body: float = 20.0
    pace: int = 16 << 10
    answer: float = 30.0
    connections: int = 190
    each: int = 50


class Guard:
    """The connections of one server. trusted: networks of proxies, which stand for many clients and
    have no limit for each."""

    def __init__(self, limits: ConnectionLimits, trusted: Sequence[str] = ()) -> None:
        self.limits = limits
        self.closed = 0
        """Connections that were closed because of a limit."""
        self._trusted = networks(trusted, local=False)
        self._told = float("-inf")
        # In the order in which they came.
        self._open: dict[GuardedProtocol, str] = {}

    def protocol(self) -> type[H11Protocol]:
        """A class for `uvicorn.Config(http=…)`."""
        guard = self

        class Protocol(GuardedProtocol):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self.guard = guard

        return Protocol

    def came(self, one: GuardedProtocol) -> None:
        """A new connection. Makes room for it if need be."""
        address = one.client[0] if one.client else ""
        site = network(address)
        self._open[one] = site
        each = Counter(self._open.values())
        if not is_in_networks(address, self._trusted) and each[site] > self.limits.each:
            self._make_room(site, address)
        elif len(self._open) > self.limits.connections:
            for crowd, _number in each.most_common():
                if self._make_room(crowd, crowd):
                    break

    def went(self, one: GuardedProtocol) -> None:
        """The connection is closed."""
        self._open.pop(one, None)

    def ended(self, one: GuardedProtocol, why: str) -> None:
        """A limit ended the connection."""
        self.closed += 1
        self._open.pop(one, None)
        address = one.client[0] if one.client else "?"
        log.debug("connection from %s closed: %s", address, why)

    def _make_room(self, site: str, address: str) -> bool:
        """Close the oldest connection of a site that has no whole request; False if each has one
        but the newest, which is closed then only if it alone is left."""
        for one, its in self._open.items():
            if its == site and not one.is_served:
                self._tell(address)
                one.end("too many")
                return True
        return False

    def _tell(self, address: str) -> None:
        """A line in the log, once in a while: those who crowd the server must not crowd the log."""
        now = time.monotonic()
        if now - self._told >= TELL_INTERVAL:
            self._told = now
            log.warning("many connections from %s: those without a request are closed", address)


class GuardedProtocol(H11Protocol):
    """One connection, under the limits of its guard."""

    guard: Guard

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_timer: asyncio.TimerHandle | None = None
        self._body_timer: asyncio.TimerHandle | None = None
        self._answer_timer: asyncio.TimerHandle | None = None
        self._body_since = 0.0
        self._body_octets = 0

    @property
    def is_served(self) -> bool:
        """True while a whole request has no whole answer."""
        return self._is_asked and self.conn.their_state is not h11.SEND_BODY

    @property
    def _is_asked(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._await_header()
        self.guard.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self.guard.went(self)
        for timer in (self._header_timer, self._body_timer, self._answer_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Octets of a request, or of several."""
        if not self._is_asked and self._header_timer is None:
            self._await_header()
        self._body_octets += len(data)
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """An answer is written; what came meanwhile may be the next request."""
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """The client does not read what is written."""
        super().pause_writing()
        self._answer_timer = self._later(self.guard.limits.answer, self._not_taken)

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None

    def timeout_keep_alive_handler(self) -> None:
        """No other request came."""
        super().timeout_keep_alive_handler()
        self._later(LINGER, self.transport.abort)

    def end(self, why: str) -> None:
        """Close the connection because of a limit."""
        self.guard.ended(self, why)
        if not self._is_asked and self.conn.trailing_data[0]:
            self.transport.write(_SLOW)
        self.transport.close()
        self._later(LINGER, self.transport.abort)

    def _look(self) -> None:
        """Set the timers by what the client has sent so far."""
        if self._is_asked and self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None
        if not self._is_asked and self._header_timer is None and self.conn.trailing_data[0]:
            self._await_header()
        if self.conn.their_state is h11.SEND_BODY:
            if self._body_timer is None:
                self._body_since, self._body_octets = self.loop.time(), 0
                self._body_timer = self._later(self.guard.limits.body, self._body_due)
        elif self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _await_header(self) -> None:
        self._header_timer = self._later(
            self.guard.limits.header, lambda: self.end("no header in time")
        )

    def _body_due(self) -> None:
        limits = self.guard.limits
        due = self._body_since + limits.body + self._body_octets / limits.pace
        left = due - self.loop.time()
        if left <= 0:
            self.end("no body in time")
        else:
            self._body_timer = self._later(left, self._body_due)

    def _not_taken(self) -> None:
        self.guard.ended(self, "the answer is not taken")
        self.transport.abort()

    def _later(self, seconds: float, what: Callable[[], object]) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, what)
