"""Whether virus scanners answer, take what they are sent, and are up to date; and freshclam."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filterd.config.load import Settings
from filterd.doctor.findings import Finding, Level
from filterd.filters.parts.settings import PartsSettings
from filterd.filters.scanners.freshness import Freshness
from filterd.filters.scanners.settings import ScannersSettings
from filterd.ops.scanners import (
    PROBE_SECONDS,
    ClamdPlace,
    ClamdStatus,
    age_in_words,
    clamd_places,
    clamd_status,
    scanner_status,
    stats_in_words,
    unused_clamd,
)
from filterd.scanners.clamd.conf import conf_of
from filterd.scanners.clamd.server import ClamdError
from filterd.scanners.databases import Databases, SignatureFileError, updater_state
from filterd.scanners.hashes import HashList, HashListError
from filterd.system.display import size

LEVELS = {
    Freshness.FRESH: Level.OK,
    Freshness.OLD: Level.WARN,
    Freshness.STALE: Level.FAIL,
    Freshness.UNKNOWN: Level.WARN,
}
"""What the age of signatures means."""


def clamd(settings: Settings) -> Iterator[Finding]:
    """Whether each answers, takes what it is sent, and is up to date; and one that nobody asks."""
    if unused := unused_clamd(settings):
        advice = "add clamav to [chain] filters, then `filterd reload`"
        yield Finding(Level.WARN, "clamd", unused, advice)
    for place, one in zip(clamd_places(settings), clamd_status(settings), strict=True):
        if one.error:
            yield Finding(
                Level.FAIL,
                "clamd",
                one.error,
                f"start clamd, check its address in filters.{place.filter}, and put the daemon's "
                "user into its group",
            )
            continue
        yield _age(one)
        if one.stats is not None:
            yield Finding(Level.OK, "clamd", f"{one.server}: {stats_in_words(one.stats)}")
        if one.refuses:
            names = " and ".join(one.refuses)
            yield Finding(Level.OK, "clamd", f"{one.server} works and does not take {names}")
        yield from _sizes(settings, place)
        yield from _limits(settings, place)


def _age(one: ClamdStatus) -> Finding:
    told = f"{one.server}: {one.engine}, {age_in_words(one.days, one.freshness)}"
    if one.freshness.is_bad:
        return Finding(
            LEVELS[one.freshness], "clamd", told, "freshclam is not running; see its log"
        )
    if one.days is not None:
        return Finding(Level.OK, "clamd", told)
    if "VERSION" in one.refuses:
        return Finding(
            Level.WARN,
            "clamd",
            f"{one.server} does not say how old its signatures are",
            "set `databases` to the folder of its signatures, if it is on this host, or "
            "EnableVersionCommand in clamd.conf",
        )
    return Finding(
        Level.WARN, "clamd", f"{one.server}: {one.engine} without a daily database", "run freshclam"
    )


def _sizes(settings: Settings, place: ClamdPlace) -> Iterator[Finding]:
    """Whether clamd takes what the filter sends. A larger message is scanned by nobody."""
    try:
        takes = place.server.takes(place.size_limit, PROBE_SECONDS)
    except ClamdError as error:
        yield Finding(Level.WARN, "clamd", str(error), "see clamd's log")
        return
    if not takes:
        yield Finding(
            Level.WARN,
            "clamd",
            f"{place.server} takes less than size_limit, {size(place.size_limit)}",
            f"raise StreamMaxLength in clamd.conf, or lower filters.{place.filter}.size_limit",
        )
    largest = settings.daemon.max_message_size
    if largest > place.size_limit:
        yield Finding(
            Level.OK,
            "clamd",
            f"mail of {size(place.size_limit)} to {size(largest)} is not scanned: too_large says "
            "what happens",
        )


def _limits(settings: Settings, place: ClamdPlace) -> Iterator[Finding]:
    """Whether clamd is silent about what it does not scan, where its settings are on this host."""
    conf = None if place.server.port else conf_of(place.server.host)
    if conf is None:
        return
    if not conf.alerts:
        yield Finding(
            Level.WARN,
            "clamd",
            f"{place.server} calls content beyond its limits clean",
            f"set `AlertExceedsMax yes` in {conf.path}",
        )
    scanned = min(conf.file_size, conf.scan_size)
    parts = settings.in_chain(PartsSettings).values()
    unpacked = min((own.archive_size for own in parts), default=None)
    if unpacked is not None and unpacked <= scanned:
        return
    if unpacked is None:
        advice = "add the filter parts to the chain, which holds archives beyond its archive_size"
    else:
        advice = (
            f"set MaxFileSize and MaxScanSize in {conf.path} to {-(-unpacked >> 20)}M, or lower "
            f"archive_size of the filter parts, which holds what is beyond, to {scanned}"
        )
    yield Finding(
        Level.WARN,
        "clamd",
        f"{place.server} scans {size(scanned)} of a file in an archive, and ClamAV 1.4 says "
        "nothing of the rest where the archive is a ZIP",
        advice,
    )


def others(settings: Settings) -> Iterator[Finding]:
    """Whether each scanner that is not a clamd answers and is up to date; and lists of sums."""
    for one in scanner_status(settings, is_tried=True):
        about = f"filters.{one.filter}.{one.kind}"
        if one.error:
            advice = "start it, or correct its address or command; see its log"
            yield Finding(Level.FAIL, about, f"{one.name}: {one.error}", advice)
            continue
        age = age_in_words(one.days, one.freshness)
        told = ", ".join(filter(None, (f"{one.name}: {one.engine}", age)))
        if one.freshness.is_bad:
            yield Finding(LEVELS[one.freshness], about, told, "update its signatures")
        else:
            yield Finding(Level.OK, about, told)
    yield from _folders(settings)
    for name, own in settings.in_chain(ScannersSettings).items():
        for path in (*own.known_bad, *own.known_good):
            try:
                HashList(Path(path)).check()
            except HashListError as error:
                yield Finding(Level.FAIL, f"filters.{name}", str(error), "correct that file")


def _folders(settings: Settings) -> Iterator[Finding]:
    """Folders of signatures that cannot be read: what changes there goes unnoticed."""
    folders = {place.databases: place.filter for place in clamd_places(settings)}
    for name, own in settings.in_chain(ScannersSettings).items():
        folders |= {one.databases: name for one in (*own.icap, *own.command)}
    for folder, name in folders.items():
        try:
            if folder is not None:
                Databases(folder).read()
        except SignatureFileError as error:
            advice = "correct `databases`, or let the daemon's user read that folder"
            yield Finding(Level.WARN, f"filters.{name}", str(error), advice)


def freshclam(settings: Settings) -> Iterator[Finding]:
    """What freshclam's log says, where a clamd of this host has one."""
    logs: dict[Path, ClamdPlace] = {}
    for place in clamd_places(settings):
        if place.updater_log is not None:
            logs.setdefault(place.updater_log, place)
    for log, place in logs.items():
        yield from _updater(log, place)


def _updater(log: Path, place: ClamdPlace) -> Iterator[Finding]:
    try:
        state = updater_state(log)
    except SignatureFileError as error:
        is_set = place.freshclam_log is not None
        yield Finding(
            Level.WARN if is_set else Level.OK,
            "freshclam",
            str(error),
            "put this user into the group adm, or run this as root" if is_set else "",
        )
        return
    if state.started is None:
        # Debian rotates the log and starts an empty one: only a log that was named has to say more.
        if place.freshclam_log is not None:
            yield Finding(
                Level.WARN, "freshclam", f"{log}: no update is noted there", "start freshclam"
            )
        return
    days = max((datetime.now(UTC) - state.started).days, 0)
    freshness = place.limits.freshness(days)
    if freshness is not Freshness.FRESH:
        yield Finding(
            LEVELS[freshness],
            "freshclam",
            f"{log}: last looked for signatures {days} days ago",
            "start it: systemctl enable --now clamav-freshclam",
        )
    elif state.trouble:
        yield Finding(
            Level.WARN, "freshclam", f"{log}: {state.trouble}", "see its log for the reason"
        )
    else:
        yield Finding(
            Level.OK, "freshclam", f"looked for signatures {state.started:%Y-%m-%d %H:%M} UTC"
        )
