"""How often one may fail to log in: by the address, and by the account from all addresses.

An account that is attacked stays usable from an address that has logged into it before, so that
nobody is locked out by strangers.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

ACCOUNT_FACTOR = 4
"""Failures from all addresses together that an account may have, in those of one address."""

KEY_LIMIT = 10_000
"""Addresses and accounts that are remembered; the longest unused go first."""

V6_BITS = 64
"""Leading bits of an IPv6 address that count: one site has at least that many to itself."""


class Throttle:
    """Failures within a window. attempts: of one address; window: seconds."""

    def __init__(
        self, attempts: int, window: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._attempts = attempts
        self._window = window
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, deque[float]] = {}
        self._known: dict[tuple[str, str], None] = {}

    def attempt(self, address: str, account: str) -> float:
        """Seconds until this address may try this account again; 0 if it may now, and then the try
        counts as a failure until `succeeded` says otherwise, so that many at once count too."""
        site, now = network(address), self._clock()
        own, all_ = f"address {site}", f"account {account}"
        with self._lock:
            wait = self._left(own, self._attempts, now)
            if (site, account) not in self._known:
                wait = max(wait, self._left(all_, self._attempts * ACCOUNT_FACTOR, now))
            if wait > 0:
                return wait
            for key in (own, all_):
                # What was used last goes to the end.
                self._failures[key] = found = self._failures.pop(key, deque())
                found.append(now)
            while len(self._failures) > KEY_LIMIT:
                del self._failures[next(iter(self._failures))]
            return 0.0

    def succeeded(self, address: str, account: str) -> None:
        """The login was right after all: this attempt is no failure."""
        site = network(address)
        with self._lock:
            self._known[(site, account)] = None
            while len(self._known) > KEY_LIMIT:
                del self._known[next(iter(self._known))]
            for key in (f"address {site}", f"account {account}"):
                if found := self._failures.get(key):
                    found.pop()

    def _left(self, key: str, limit: int, now: float) -> float:
        found = self._failures.get(key)
        while found and found[0] <= now - self._window:
            found.popleft()
        if not found or len(found) < limit:
            return 0.0
        return found[-limit] + self._window - now


def network(address: str) -> str:
    """The address as far as it tells one site from another."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Address(int(found) >> V6_BITS << V6_BITS))
