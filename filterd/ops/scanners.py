"""The state of every virus scanner of the chain, host by host."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from filterd.config.load import Settings
from filterd.filters.clamav.settings import ClamAVSettings
from filterd.filters.scanners.build import command, icap_hosts
from filterd.filters.scanners.freshness import AgeLimits, Freshness
from filterd.filters.scanners.settings import ScannersSettings
from filterd.scanners.answer import GivenUp, Scanner, ScannerError, Signatures, Unavailable
from filterd.scanners.clamd.conf import installed
from filterd.scanners.clamd.scanner import ClamdScanner
from filterd.scanners.clamd.server import ClamdError, ClamdServer, CommandRefusedError
from filterd.scanners.clamd.stats import ClamdStats
from filterd.scanners.databases import SignatureFileError, updater_state
from filterd.system.address import AddressError, ListenAddress

PROBE_SECONDS = 2.0
"""For an answer of a scanner."""

FRESHCLAM_LOG = Path("/var/log/clamav/freshclam.log")
"""Where Debian's freshclam writes."""

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
    """A clamd of the settings, and what these say of it. name: of the scanner within its filter;
    several servers of one name stand in for each other."""

    filter: str
    name: str
    server: ClamdServer
    databases: Path | None
    limits: AgeLimits
    size_limit: int
    freshclam_log: Path | None = None

    @property
    def updater_log(self) -> Path | None:
        """The log of the freshclam that feeds it: the one that is named, or Debian's for a clamd of
        this host, if there is one."""
        if self.freshclam_log is not None:
            return self.freshclam_log
        return FRESHCLAM_LOG if not self.server.port and FRESHCLAM_LOG.exists() else None


@dataclass(frozen=True, slots=True)
class LocalClamd:
    """The clamd that is installed on this host. size: octets of a stream that it takes at most.
    answers: somebody listens on its socket."""

    conf: Path
    socket: Path
    size: int
    answers: bool


def local_clamd() -> LocalClamd | None:
    """The clamd of this host, None if none is installed."""
    conf = installed()
    if conf is None:
        return None
    try:
        ListenAddress.parse(f"unix:{conf.socket}").reach(PROBE_SECONDS)
    except (OSError, AddressError):
        answers = False
    else:
        answers = True
    return LocalClamd(conf.path, Path(conf.socket), conf.stream_size, answers)


def unused_clamd(settings: Settings) -> str:
    """That clamd is installed here and no filter of the chain asks a scanner, else nothing."""
    kinds = (ClamAVSettings, ScannersSettings)
    if any(settings.in_chain(kind) for kind in kinds) or (conf := installed()) is None:
        return ""
    return f"clamd is installed ({conf.path}), and no filter of [chain] scans for viruses"


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
                "clamd",
                server,
                own.databases,
                own.limits,
                own.size_limit,
                own.freshclam_log,
            )
    for name, several in settings.in_chain(ScannersSettings).items():
        for one in several.clamd:
            limits = one.limits(several.limits)
            for server in one.servers:
                yield ClamdPlace(name, one.name, server, one.databases, limits, one.size_limit)


def scanner_status(settings: Settings, *, is_tried: bool = False) -> tuple[ScannerStatus, ...]:
    """What each scanner of the chain says that is not a clamd. is_tried: have programs scan
    something, which may take them seconds; servers always do."""
    found = []
    for name, several in settings.in_chain(ScannersSettings).items():
        for icap in several.icap:
            for asked in icap_hosts(replace(icap, silence=PROBE_SECONDS, preview=False)):
                where = ScannerStatus(name, icap.name, "icap", asked.name)
                limits = icap.limits(several.limits)
                found.append(_one(asked, where, limits, PROBE_SECONDS))
        for own in several.command:
            where = ScannerStatus(name, own.name, "command", own.name)
            if shutil.which(own.arguments[0]) is None:
                error = f"there is no program {own.arguments[0]}"
                found.append(replace(where, error=error))
                continue
            seconds = own.seconds if is_tried else 0.0
            found.append(_one(command(own), where, own.limits(several.limits), seconds))
    return tuple(found)


def _one(
    scanner: Scanner, where: ScannerStatus, limits: AgeLimits, seconds: float
) -> ScannerStatus:
    """seconds: for a scan of something harmless; 0: it is not tried."""
    try:
        found = scanner.signatures(time.monotonic() + SIGNATURES_SECONDS)
    except ScannerError as error:
        if where.kind != "command":
            return replace(where, error=str(error))
        # That it does not say what it scans with does not keep it from scanning.
        found = Signatures(scanner.name)
    if seconds:
        answer = scanner.scan(b"filterd", time.monotonic() + seconds)
        if isinstance(answer, Unavailable | GivenUp):
            return replace(where, error=answer.why)
    freshness = limits.freshness(found.days)
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
    except CommandRefusedError:
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
    if days is None and refuses:
        number, days = _by_updater(place)
    stats = None
    try:
        stats = server.stats(PROBE_SECONDS)
    except CommandRefusedError:
        refuses.append("STATS")
    except ClamdError:
        pass  # not of a known form
    return ClamdStatus(
        name,
        engine or "ClamAV",
        number,
        days,
        freshness=place.limits.freshness(days),
        stats=stats,
        refuses=tuple(refuses),
        filter=place.filter,
    )


def _by_updater(place: ClamdPlace) -> tuple[int | None, int | None]:
    """Number and age of the daily database by freshclam's log, None where that does not say."""
    if place.updater_log is None:
        return None, None
    try:
        state = updater_state(place.updater_log)
    except SignatureFileError:
        return None, None  # it is readable for few; doctor says so
    return state.number, state.days


def reload_signatures(settings: Settings) -> Iterator[tuple[str, str]]:
    """Have each clamd of the chain read its signatures again: its address, and what went wrong."""
    for place in clamd_places(settings):
        try:
            place.server.reload(PROBE_SECONDS)
        except ClamdError as error:
            yield str(place.server), str(error)
        else:
            yield str(place.server), ""


def age_in_words(days: int | None, freshness: Freshness) -> str:
    """`signatures 20 days old, too old`, empty where the age is unknown."""
    if days is None:
        return ""
    judged = {Freshness.OLD: ", old", Freshness.STALE: ", too old"}.get(freshness, "")
    return f"signatures {days} day{'s' if days != 1 else ''} old{judged}"


def clamd_in_words(one: ClamdStatus) -> str:
    """Address, engine, number and age of the signatures."""
    number = "" if one.number is None else f"/{one.number}"
    age = age_in_words(one.days, one.freshness)
    return ", ".join(filter(None, (f"{one.server} {one.engine}{number}", age)))


def stats_in_words(stats: ClamdStats) -> str:
    """`2 of 12 threads at work, 0 scans waiting, 1314 MB`."""
    memory = "" if stats.memory is None else f", {stats.memory / 1e6:.0f} MB"
    busy = max(stats.live - stats.idle, 0)
    return f"{busy} of {stats.most} threads at work, {stats.queue} scans waiting{memory}"
