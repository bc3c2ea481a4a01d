"""The host itself: its clock, and whether names can be looked up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from socket import getaddrinfo, gethostname

from filterd.config.assembly import open_history
from filterd.config.load import Settings
from filterd.doctor.findings import Finding, Level
from filterd.history import HistoryError, HistoryQuery
from filterd.system import clock as kernel_clock

AHEAD = 60.0
"""Seconds that the newest record may be ahead of the clock, before the clock was set back."""

RESOLVER_SECONDS = 3.0
"""For which the resolver may take to say anything; an MTA asks it for every client."""


def clock(settings: Settings) -> Iterator[Finding]:
    """Whether the clock is kept in time and did not go back: ids, expiry, links depend on it."""
    now = time.time()
    found = []
    if settings.history.enabled:
        try:
            newest = open_history(settings).search(HistoryQuery(limit=1)).rows
        except HistoryError as error:
            found.append(
                Finding(Level.WARN, "history", str(error), "make it readable for this user")
            )
            newest = ()
        if newest and newest[0].received > now + AHEAD:
            found.append(
                Finding(
                    Level.FAIL,
                    "clock",
                    f"the newest message is {newest[0].received - now:.0f} s ahead of it",
                    "set the clock; messages from that time are kept too long and listed last",
                )
            )
    if kernel_clock.is_unsynchronized():
        found.append(
            Finding(
                Level.WARN,
                "clock",
                "not synchronised",
                "run chrony or systemd-timesyncd",
            )
        )
    yield from found or [Finding(Level.OK, "clock", time.strftime("%Y-%m-%d %H:%M:%S %z"))]


def names(settings: Settings) -> Iterator[Finding]:
    """Whether the resolver answers: it is asked for this host's own name."""
    host = settings.labels.hostname or gethostname()
    said: list[str] = []

    def look() -> None:
        try:
            getaddrinfo(host, None)
        except (OSError, UnicodeError) as error:
            said.append(getattr(error, "strerror", None) or str(error))
        else:
            said.append("")

    thread = threading.Thread(target=look, daemon=True)
    started = time.monotonic()
    thread.start()
    thread.join(RESOLVER_SECONDS)
    if not said:
        yield Finding(
            Level.WARN,
            "names",
            f"no answer about {host} within {RESOLVER_SECONDS:g} s",
            "see /etc/resolv.conf; a caching resolver on this host helps the MTA and the filters",
        )
    elif said[0]:
        yield Finding(
            Level.WARN,
            "names",
            f"{host}: {said[0]}",
            "put the host's name into /etc/hosts or DNS, or set labels.hostname",
        )
    else:
        took = (time.monotonic() - started) * 1000
        yield Finding(Level.OK, "names", f"{host} is known ({took:.0f} ms)")
