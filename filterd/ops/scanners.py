"""The state of every virus scanner of the chain, host by host."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from filterd.config.load import Settings
from filterd.filters.clamav.settings import ClamAVSettings
from filterd.filters.scanners.freshness import Freshness
from filterd.scanners.answer import ScannerError
from filterd.scanners.clamd.scanner import ClamdScanner
from filterd.scanners.clamd.server import ClamdError, ClamdServer, RefusedError
from filterd.scanners.clamd.stats import ClamdStats

PROBE_SECONDS = 2.0
"""For an answer of a scanner."""


@dataclass(frozen=True, slots=True)
class ClamdStatus:
    """One clamd. engine, number: what it scans with. days: age of its signatures, None if it does
    not say; freshness: what that means by the settings' limits. stats: what it says to STATS, None
    if it does not. refuses: commands that it does not take. error: why it does not answer."""

    server: str
    engine: str = ""
    number: int | None = None
    days: int | None = None
    error: str = ""
    freshness: Freshness = Freshness.UNKNOWN
    stats: ClamdStats | None = None
    refuses: tuple[str, ...] = ()
    filter: str = "clamav"


@dataclass(frozen=True, slots=True)
class ClamdPlace:
    """A clamd of the settings, and what these say of it."""

    filter: str
    server: ClamdServer
    databases: Path | None
    warn_days: float
    fail_days: float
    size_limit: int
    freshclam_log: Path | None = field(default=None)


def clamd_places(settings: Settings) -> Iterator[ClamdPlace]:
    """Every clamd of the chain. Two filters may share one; the first one's settings count."""
    seen = set()
    for name, own in settings.in_chain(ClamAVSettings).items():
        for server in own.servers:
            if server not in seen:
                seen.add(server)
                yield ClamdPlace(
                    name,
                    server,
                    own.databases,
                    own.warn_days,
                    own.fail_days,
                    own.size_limit,
                    own.freshclam_log,
                )


def clamd_status(settings: Settings) -> tuple[ClamdStatus, ...]:
    """What each clamd of the chain says."""
    return tuple(map(_one_clamd, clamd_places(settings)))


def _one_clamd(place: ClamdPlace) -> ClamdStatus:
    server, name = place.server, str(place.server)
    refuses: list[str] = []
    engine, number, days = "", None, None
    try:
        found = server.version(PROBE_SECONDS)
    except RefusedError:
        # It works; that it does not say more is its administrator's choice.
        refuses.append("VERSION")
        try:
            server.ping(PROBE_SECONDS)
        except ClamdError as error:
            return ClamdStatus(name, error=str(error), filter=place.filter)
    except ClamdError as error:
        return ClamdStatus(name, error=str(error), filter=place.filter)
    else:
        engine, number, days = found.engine.removeprefix("ClamAV "), found.number, found.days
    if days is None and place.databases is not None:
        scanner = ClamdScanner(server, PROBE_SECONDS, databases=place.databases)
        try:
            found = scanner.signatures(time.monotonic() + PROBE_SECONDS)
        except ScannerError:
            pass
        else:
            engine, number, days = found.engine.removeprefix("ClamAV "), found.number, found.days
    stats = None
    try:
        stats = server.stats(PROBE_SECONDS)
    except RefusedError:
        refuses.append("STATS")
    except ClamdError:
        pass  # not of a known form
    return ClamdStatus(
        name,
        engine or "ClamAV",
        number,
        days,
        freshness=Freshness.of(days, place.warn_days, place.fail_days),
        stats=stats,
        refuses=tuple(refuses),
        filter=place.filter,
    )


def reload_signatures(settings: Settings) -> Iterator[tuple[str, str]]:
    """Have each clamd of the chain read its signatures again: its address, and what went wrong."""
    for place in clamd_places(settings):
        try:
            place.server.reload(PROBE_SECONDS)
        except ClamdError as error:
            yield str(place.server), str(error)
        else:
            yield str(place.server), ""


def stats_in_words(stats: ClamdStats) -> str:
    """`2 of 12 threads at work, 0 scans waiting, 1314 MB`."""
    memory = "" if stats.memory is None else f", {stats.memory / 1e6:.0f} MB"
    busy = max(stats.live - stats.idle, 0)
    return f"{busy} of {stats.most} threads at work, {stats.queue} scans waiting{memory}"
