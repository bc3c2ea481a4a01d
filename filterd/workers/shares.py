"""A limit on what one client may have under way, so that no client keeps all others waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from filterd.message.matching import network_of

IPV6_BITS = 64
"""Bits of an IPv6 address that name a client: the rest it chooses itself (RFC 4291 §2.5.4)."""


@dataclass(slots=True)
class _Share:
    """One client's. free: places. changed: where threads wait for one, None before one had to.
    users: threads that have a place or wait for one."""

    free: int
    changed: threading.Condition | None = None
    users: int = 0


class Shares:
    """places: for each client. Clients that have nothing under way take no memory."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._shares: dict[str, _Share] = {}
        self._lock = threading.Lock()

    @contextmanager
    def place(self, client: str, end: float) -> Iterator[None]:
        """Have a place of this client's. client: its address. end: on the monotonic clock; raises
        TimeoutError if there is none until then."""
        client = network_of(client, 32, IPV6_BITS)
        with self._lock:
            share = self._shares.get(client)
            if share is None:
                share = self._shares[client] = _Share(self._places)
            share.users += 1
            try:
                self._take(share, end)
            except TimeoutError:
                self._leave(client, share)
                raise
        try:
            yield
        finally:
            with self._lock:
                share.free += 1
                if share.changed is not None:
                    share.changed.notify()
                self._leave(client, share)

    def _take(self, share: _Share, end: float) -> None:
        if not share.free:
            if share.changed is None:
                share.changed = threading.Condition(self._lock)
            left = max(end - time.monotonic(), 0)
            if not share.changed.wait_for(lambda: share.free > 0, left):
                raise TimeoutError("too many questions about this client are under way")
        share.free -= 1

    def _leave(self, client: str, share: _Share) -> None:
        share.users -= 1
        if not share.users:
            del self._shares[client]

    @property
    def clients(self) -> int:
        """How many have something under way."""
        with self._lock:
            return len(self._shares)
