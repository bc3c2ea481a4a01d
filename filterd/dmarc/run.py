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
from filterd.auth.questions import DnsQuestions
from filterd.chain import marks
from filterd.config.assembly import open_history, site_state
from filterd.config.load import Settings
from filterd.dmarc.collecting import Collected, collect
from filterd.dmarc.composing import compose, file_name
from filterd.dmarc.destinations import Destination, destinations
from filterd.dmarc.feedback import AggregateReport
from filterd.dmarc.ledger import REFUSED, SENT, ReportLedger
from filterd.dmarc.writing import write_report
from filterd.quarantine.submission import Server, SubmissionResult, submit
from filterd.resolver.lookups import DnsLookups
from filterd.resolver.resolver import Resolver
from filterd.system.durable import make_folder, write_atomically

WANTING = "mailto:"
"""Stands in every record of a message whose domain wants reports by mail."""

QUESTIONS_LIMIT = 100
"""Questions to the DNS about the addresses of one domain."""

UNREACHED_LIMIT = 3
"""Connections to the MTA that fail one after the other, until the rest of the reports waits: each
may take half a minute, and a day has a thousand addresses."""

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
        oldest = history.oldest()
    finally:
        history.close()
    folder = folder_of(settings)
    make_folder(folder)
    made = []
    for domain in sorted(found):
        report = _report(settings, found[domain], begin, oldest)
        name = file_name(report, dmarc.receiver)
        path = folder / (name if len(name) <= NAME_LIMIT else f"{report.id}.xml.gz")
        # What a power cut takes is made again from the history.
        write_atomically(path, [_packed(report)], synced=False)
        made.append(Made(report, found[domain], path))
    return made


def _report(
    settings: Settings, collected: Collected, begin: int, oldest: float | None
) -> AggregateReport:
    """oldest: when the first message came that the history knows."""
    dmarc, end = settings.dmarc, begin + _DAY - 1
    named = f"{dmarc.receiver}!{collected.domain}!{begin}!{end}"
    errors = []
    if collected.record.damaged:
        errors.append(f"tags that cannot be used: {', '.join(sorted(collected.record.damaged))}")
    if collected.left_out:
        errors.append(f"{collected.left_out} messages are left out: too many different ones")
    if oldest is not None and oldest > begin:
        # Earlier ones have made room for later ones, or the site is new.
        since = datetime.fromtimestamp(oldest, UTC)
        errors.append(f"messages before {since:%Y-%m-%dT%H:%M:%SZ} are not counted")
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
    settings: Settings, made: list[Made], now: float, questions: DnsQuestions | None = None
) -> Iterator[Sending]:
    """Send reports to whom their domains name, each once, whoever asks for it how often.

    now: when this begins; what is sent later is sent at its own time. questions: asks the DNS about
    others' domains; by default the resolver of the settings. Where the MTA cannot be reached, the
    rest waits without being tried. Raises StateError, OSError.
    """
    if not made:
        return
    began = monotonic()
    quarantine = settings.quarantine
    server = Server(quarantine.release_host, quarantine.release_port, quarantine.release_timeout)
    mta = _Mta(server, marks.load_key(quarantine.folder))
    state = site_state(settings)
    resolver = Resolver(settings.resolver)
    try:
        ledger = ReportLedger(state)
        for one in made:
            asked = questions or DnsLookups(resolver, limit=QUESTIONS_LIMIT)
            sending = Sending(one)
            for destination in destinations(one.collected, asked):
                moment = now + monotonic() - began
                sending.sent.append(_send(settings, mta, ledger, one, destination, moment))
            yield sending
    finally:
        resolver.close()
        state.close()


class _Mta:
    """Takes the reports, until it cannot be reached. key: of the marks."""

    def __init__(self, server: Server, key: bytes) -> None:
        self._server = server
        self._key = key
        self._failed = 0
        self.trouble = ""
        """Why it is not tried any more, `""` as long as it is."""

    def take(self, report: AggregateReport, address: str, data: bytes) -> SubmissionResult:
        """Hand a report in. Marked like a released message, so that our own filters do not hold
        it, and sign it."""
        mark = partial(marks.envelope_id, self._key, f"report-{report.id}", data, outbound=True)
        result = submit(self._server, report.email, [address], data, mark)[address]
        self._failed = 0 if result.reached else self._failed + 1
        if self._failed >= UNREACHED_LIMIT:
            self.trouble = f"not tried, the MTA cannot be reached: {result.reply}"
        return result


def _send(
    settings: Settings,
    mta: _Mta,
    ledger: ReportLedger,
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
    if mta.trouble:
        return Sent(address, "later", mta.trouble)
    before = ledger.claim(report.id, address, now)
    if before:
        return Sent(address, *_BEFORE.get(before, ("later", "another process is sending it")))
    result = mta.take(
        report, address, compose(report, settings.dmarc.receiver, address, packed, now)
    )
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
