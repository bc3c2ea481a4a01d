"""The state of every virus scanner of the chain, host by host."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from filterd.config.load import Settings
from filterd.filters.clamav.settings import ClamAVSettings
from filterd.filters.scanners.freshness import Freshness
from filterd.filters.scanners.programs import of_command
from filterd.filters.scanners.settings import ScannersSettings
from filterd.scanners.answer import Scanner, ScannerError, Unavailable
from filterd.scanners.clamd.scanner import ClamdScanner
from filterd.scanners.clamd.server import ClamdError, ClamdServer, RefusedError
from filterd.scanners.clamd.stats import ClamdStats
from filterd.scanners.icap.scanner import IcapScanner, IcapServer
from filterd.scanners.verified import Verified

PROBE_SECONDS = 2.0
"""For an answer of a scanner."""

SIGNATURES_SECONDS = 10.0
"""For what a scanner says of itself; a program that reads its signatures first takes a while."""


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
class ScannerStatus:
    """A scanner that is not a clamd, on one host. filter, name: where the settings have it. kind:
    `icap` or `command`. server: its address or name. engine: what it scans with, as it says. days,
    freshness: of its signatures, where it says. error: why it does not answer."""

    filter: str
    name: str
    kind: str
    server: str
    engine: str = ""
    days: int | None = None
    freshness: Freshness = Freshness.UNKNOWN
    error: str = ""


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
    for place in _clamd_places(settings):
        if place.server not in seen:
            seen.add(place.server)
            yield place


def _clamd_places(settings: Settings) -> Iterator[ClamdPlace]:
    for name, own in settings.in_chain(ClamAVSettings).items():
        for server in own.servers:
            yield ClamdPlace(
                name,
                server,
                own.databases,
                own.warn_days,
                own.fail_days,
                own.size_limit,
                own.freshclam_log,
            )
    for name, several in settings.in_chain(ScannersSettings).items():
        for one in several.clamd:
            folder = Path(one.databases) if one.databases else None
            for address in one.server:
                server = ClamdServer.parse(address, one.ca)
                days = several.warn_days, several.fail_days
                yield ClamdPlace(name, server, folder, *days, one.size_limit)


def scanner_status(settings: Settings) -> tuple[ScannerStatus, ...]:
    """What each scanner of the chain says that is not a clamd."""
    found = []
    for name, several in settings.in_chain(ScannersSettings).items():
        for icap in several.icap:
            for address in icap.server:
                server = IcapServer.parse(address, icap.ca)
                asked: Scanner = IcapScanner(server, PROBE_SECONDS, method=icap.method)
                if icap.verify_seconds:
                    asked = Verified(asked, 0)
                found.append(_one(asked, name, icap.name, "icap", several, is_tried=True))
        for command in several.command:
            program = of_command(command)
            found.append(_one(program, name, command.name, "command", several, is_tried=False))
    return tuple(found)


def _one(
    scanner: Scanner, filter: str, name: str, kind: str, own: ScannersSettings, *, is_tried: bool
) -> ScannerStatus:
    """is_tried: look whether it answers about content as well."""
    where = ScannerStatus(filter, name, kind, scanner.name)
    try:
        found = scanner.signatures(time.monotonic() + SIGNATURES_SECONDS)
    except ScannerError as error:
        if kind == "command":
            # That it does not say what it scans with does not keep it from scanning.
            return replace(where, engine=scanner.name)
        return replace(where, error=str(error))
    if is_tried:
        answer = scanner.scan(b"filterd", time.monotonic() + PROBE_SECONDS)
        if isinstance(answer, Unavailable):
            return replace(where, error=answer.why)
    freshness = Freshness.of(found.days, own.warn_days, own.fail_days)
    return replace(where, engine=str(found), days=found.days, freshness=freshness)


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
