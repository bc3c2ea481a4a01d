"""How often one may fail to log in: each account from each address, each address, each account.

The first limit is the narrow one, so that a person who mistypes, or attacks, one account leaves the
others behind the same address alone. The wider two are for attackers who try many accounts from one
address, or one account from many. Neither may lock people out: they do not hold for an address from
which the account was logged into before, and a browser that was logged in before (it shows a cookie
that nobody else can make) has a count of its own, whatever others do. Source: OWASP, "Slow Down
Online Guessing Attacks with Device Cookies".
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address

from filterd.message.envelope import ip

SITE_FACTOR = 10
"""Failures of one address with all accounts together, in those with one account."""

ACCOUNT_FACTOR = 4
"""Failures with one account from all addresses together, in those from one address."""

KEY_LIMIT = 10_000
"""Counts of each kind that are remembered; the longest unused go first."""

V6_BITS = 64
"""Leading bits of an IPv6 address that count: one site has at least that many to itself."""


class LoginThrottle:
    """Failures within a window. attempts: with one account from one address; window: seconds."""

    def __init__(
        self, attempts: int, window: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = {
            "pair": attempts,
            "device": attempts,
            "site": attempts * SITE_FACTOR,
            "account": attempts * ACCOUNT_FACTOR,
        }
        self._window = window
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, dict[tuple[str, ...], deque[float]]] = {
            kind: {} for kind in self._limits
        }
        self._known: dict[tuple[str, str], None] = {}

    def attempt(self, address: str, account: str, device: str = "") -> float:
        """Seconds until this address may try this account again; 0 if it may now, and then the try
        counts as a failure until `succeeded` or `undecided` says otherwise, so that many at once
        count too.

        device: of a browser that was logged into this account before (`Devices.known`).
        """
        site, now = network(address), self._clock()
        keys = _keys(site, account, device)
        with self._lock:
            was_here = (site, account) in self._known
            wait = max(
                self._left(kind, key, now)
                for kind, key in keys.items()
                if not (was_here and kind in ("site", "account"))
            )
            if wait > 0:
                return wait
            for kind, key in keys.items():
                counts = self._failures[kind]
                # What was used last goes to the end.
                counts[key] = found = counts.pop(key, deque(maxlen=self._limits[kind]))
                found.append(now)
                while len(counts) > KEY_LIMIT:
                    del counts[next(iter(counts))]
            return 0.0

    def succeeded(self, address: str, account: str, device: str = "") -> None:
        """The login was right after all: this attempt is not a failure."""
        site = network(address)
        with self._lock:
            self._known.pop((site, account), None)
            self._known[(site, account)] = None
            while len(self._known) > KEY_LIMIT:
                del self._known[next(iter(self._known))]
            self._take_back(site, account, device)

    def undecided(self, address: str, account: str, device: str = "") -> None:
        """Nobody could say whether the login was right: this attempt is not a failure, and no proof
        that the account was logged into from there."""
        with self._lock:
            self._take_back(network(address), account, device)

    def _take_back(self, site: str, account: str, device: str) -> None:
        for kind, key in _keys(site, account, device).items():
            if found := self._failures[kind].get(key):
                found.pop()

    def _left(self, kind: str, key: tuple[str, ...], now: float) -> float:
        found, limit = self._failures[kind].get(key), self._limits[kind]
        while found and found[0] <= now - self._window:
            found.popleft()
        if not found or len(found) < limit:
            return 0.0
        return found[-limit] + self._window - now


def _keys(site: str, account: str, device: str) -> Mapping[str, tuple[str, ...]]:
    if device:
        return {"device": (device, account)}
    return {"pair": (site, account), "site": (site,), "account": (account,)}


class Devices:
    """The cookies of browsers that were logged into an account: a random name and its HMAC."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.new(key, b"filterd web devices", "sha256").digest()

    def new(self, account: str) -> str:
        """The value of a cookie for a browser that has just logged in."""
        name = secrets.token_urlsafe(16)
        return f"{name}.{self._proof(account, name)}"

    def known(self, account: str, value: str) -> str:
        """The name of the browser that shows this value, empty if it is not one of this account."""
        name, _, proof = value[:200].partition(".")
        good = hmac.compare_digest(
            proof.encode("utf-8", "replace"), self._proof(account, name).encode()
        )
        return name if good else ""

    def _proof(self, account: str, name: str) -> str:
        told = f"{account}\0{name}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, told, hashlib.sha256).hexdigest()


def network(address: str) -> str:
    """The address as far as it tells one site from another."""
    found = ip(address)
    if isinstance(found, IPv6Address):
        found = IPv6Address(int(found) >> V6_BITS << V6_BITS)
    return address if found is None else str(found)
