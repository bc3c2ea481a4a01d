"""Making the reports of a day from the history, and sending them by the MTA of the quarantine.

A report has the same id, the same file name and the same times whenever it is made. Each address
stands alone: what the MTA defers for one is tried again for that one.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from functools import partial
from pathlib import Path
from time import monotonic

from filterd import __version__
from filterd.auth.questions import Questions
from filterd.chain import marks
from filterd.config.assembly import open_history, site_state
from filterd.config.load import Settings
from filterd.dmarc.collecting import Collected, collect
from filterd.dmarc.composing import compose, file_name
from filterd.dmarc.destinations import Destination, destinations
from filterd.dmarc.feedback import AggregateReport
from filterd.dmarc.ledger import REFUSED, SENT, Ledger
from filterd.dmarc.writing import write_report
from filterd.quarantine.submission import Server, submit
from filterd.resolver.lookups import DnsLookups
from filterd.resolver.resolver import Resolver
from filterd.system.durable import make_folder, write_atomically

WANTING = "mailto:"
"""Stands in every record of a message whose domain wants reports by mail."""

QUESTIONS_LIMIT = 100
"""Questions to the DNS about the addresses of one domain."""

NAME_LIMIT = 240
"""Octets of a file's name: NAME_MAX is 255, and while it is written its name is longer."""

_NAME = re.compile(r"(?:[^!/]++![^!/]++![0-9]++![0-9]++!)?+[0-9a-f]{24}\.xml\.gz")
_DAY = 86400
_BEFORE = {SENT: ("before", "it was sent"), REFUSED: ("refused", "it was refused before")}


class ReportingError(Exception):
    """Reports that cannot be made or sent; the text names the setting."""


@dataclass(frozen=True, slots=True)
class Made:
    """A report that was made. collected: what it was made of. path: where it is, in gzip."""

    report: AggregateReport
    collected: Collected
    path: Path


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a report at one address.

    outcome: `sent`, `later` (try again), `refused` (never), `unknown` (the MTA did not say whether
    it took it; not tried again), `before` (it was sent before). reply: the MTA's words, or why.
    """

    address: str
    outcome: str
    reply: str = ""


@dataclass(slots=True)
class Sending:
    """What became of one report."""

    made: Made
    sent: list[Sent] = field(default_factory=list)


def day_of(text: str, now: float) -> date:
    """The day, in UTC, that somebody means: `2026-11-28`, `yesterday` or `today`. Raises
    ValueError."""
    today = datetime.fromtimestamp(now, UTC).date()
    match text:
        case "today":
            return today
        case "yesterday":
            return today - timedelta(days=1)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day; expected 2026-11-28 or yesterday") from None
    if day > today:
        raise ValueError(f"{day} has not come yet")
    return day


def is_over(day: date, now: float) -> bool:
    """Whether all mail of the day has come."""
    return now >= _begin(day) + _DAY


def _begin(day: date) -> int:
    return int(datetime.combine(day, clock_time(), UTC).timestamp())


def folder_of(settings: Settings) -> Path:
    """Where reports are kept."""
    return settings.dmarc.folder or settings.quarantine.folder / "dmarc-reports"


def make_reports(settings: Settings, day: date) -> list[Made]:
    """Make the reports of a day (UTC) and put them into the folder, by domain.

    Raises ReportingError, HistoryError, OSError.
    """
    dmarc = settings.dmarc
    if not dmarc.email or not dmarc.org_name.strip():
        raise ReportingError(
            "[dmarc] org_name and email are not set; they stand in every report, expected "
            'org_name = "Example Ltd", email = "dmarc-reports@mx.example"'
        )
    if not settings.history.enabled:
        raise ReportingError("[history] enabled is false, so there is nothing to report")
    begin = _begin(day)
    history = open_history(settings)
    try:
        found = collect(history.between(begin, begin + _DAY, WANTING))
    finally:
        history.close()
    folder = folder_of(settings)
    make_folder(folder)
    made = []
    for domain in sorted(found):
        report = _report(settings, found[domain], begin)
        name = file_name(report, dmarc.receiver)
        path = folder / (name if len(name) <= NAME_LIMIT else f"{report.id}.xml.gz")
        # What a power cut takes is made again from the history.
        write_atomically(path, [_packed(report)], synced=False)
        made.append(Made(report, found[domain], path))
    return made


def _report(settings: Settings, collected: Collected, begin: int) -> AggregateReport:
    dmarc, end = settings.dmarc, begin + _DAY - 1
    named = f"{dmarc.receiver}!{collected.domain}!{begin}!{end}"
    errors = []
    if collected.record.damaged:
        errors.append(f"tags that cannot be used: {', '.join(sorted(collected.record.damaged))}")
    if collected.left_out:
        errors.append(f"{collected.left_out} messages are left out: too many different ones")
    return AggregateReport(
        organization=dmarc.org_name,
        email=dmarc.email,
        contact=dmarc.contact,
        # RFC 9990 §3.1.4: the same as in the file's name, where it is letters and digits.
        id=hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()[:24],
        begin=begin,
        end=end,
        errors=tuple(errors),
        generator=f"filterd {__version__}",
        policy=collected.policy,
        records=tuple(collected.records()),
    )


def _packed(report: AggregateReport) -> bytes:
    # The time in gzip's header would make each one different.
    return gzip.compress(b"".join(write_report(report)), mtime=0)


def send_reports(
    settings: Settings, made: list[Made], now: float, questions: Questions | None = None
) -> Iterator[Sending]:
    """Send reports to whom their domains name, each once, whoever asks for it how often.

    now: when this begins; what is sent later is sent at its own time. questions: asks the DNS about
    others' domains; by default the resolver of the settings. Raises StateError, OSError.
    """
    if not made:
        return
    began = monotonic()
    quarantine = settings.quarantine
    server = Server(quarantine.release_host, quarantine.release_port, quarantine.release_timeout)
    key = marks.load_key(quarantine.folder)
    state = site_state(settings)
    resolver = Resolver(settings.resolver)
    try:
        ledger = Ledger(state)
        for one in made:
            asked = questions or DnsLookups(resolver, limit=QUESTIONS_LIMIT)
            sending = Sending(one)
            for destination in destinations(one.collected, asked):
                moment = now + monotonic() - began
                sending.sent.append(_send(settings, server, key, ledger, one, destination, moment))
            yield sending
    finally:
        resolver.close()
        state.close()


def _send(
    settings: Settings,
    server: Server,
    key: bytes,
    ledger: Ledger,
    made: Made,
    destination: Destination,
    now: float,
) -> Sent:
    address, report = destination.address, made.report
    if destination.trouble:
        outcome = "later" if destination.temporary else "refused"
        return Sent(address, outcome, destination.trouble)
    packed = made.path.read_bytes()
    own_limit = int(settings.dmarc.max_megabytes * 1_000_000)
    limit = own_limit if destination.limit is None else min(destination.limit, own_limit)
    if len(packed) > limit:
        return Sent(address, "refused", f"the report has {len(packed)} bytes, at most {limit} go")
    before = ledger.claim(report.id, address, now)
    if before:
        return Sent(address, *_BEFORE.get(before, ("later", "another process is sending it")))
    data = compose(report, settings.dmarc.receiver, address, packed, now)
    # Marked like a released message, so that our own filters do not hold it, and sign it.
    name = f"report-{report.id}"
    mark = partial(marks.envelope_id, key, name, data, outbound=True)
    result = submit(server, report.email, [address], data, mark)[address]
    if result.outcome == "later":
        ledger.give_back(report.id, address)
    else:
        settled = REFUSED if result.outcome == "refused" else SENT
        ledger.settle(report.id, address, settled, now)
    return Sent(address, result.outcome, result.reply)


def remove_old(settings: Settings, now: float) -> int:
    """Delete reports from the folder that were made too long ago; how many. Raises OSError."""
    days = settings.dmarc.keep_days
    folder, gone = folder_of(settings), 0
    if not days or not folder.is_dir():
        return 0
    for path in folder.iterdir():
        if not _NAME.fullmatch(path.name):
            continue
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_mtime < now - days * _DAY:
                path.unlink()
                gone += 1
    return gone
