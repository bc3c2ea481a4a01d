"""Sending a report to everybody who gets it, by SMTP to the MTA of the quarantine."""

from __future__ import annotations

from contextlib import closing
from functools import partial

from filterd.chain import marks
from filterd.config.assembly import open_history
from filterd.config.load import Settings
from filterd.quarantine import Store
from filterd.quarantine.submission import Server, SubmissionResult, submit
from filterd.report.composing import compose, digest_of
from filterd.report.gathering import SiteReport, gathered


def report_of(settings: Settings, days: int, moment: float) -> SiteReport:
    """What came in the whole days before. Raises HistoryError, StoreError."""
    with closing(Store(settings.quarantine)) as store, closing(open_history(settings)) as history:
        return gathered(history, store, days, moment)


def drawn(settings: Settings, report: SiteReport) -> dict[str, bytes]:
    """The pictures, none where the settings want none. Raises ImportError without matplotlib."""
    if not settings.report.plots:
        return {}
    from filterd.report.plots import pictures  # noqa: PLC0415  # loads matplotlib

    return pictures(report)


def written(
    settings: Settings,
    report: SiteReport,
    to: str,
    host: str,
    moment: float,
    pictures: dict[str, bytes],
) -> bytes:
    """The mail for one address."""
    base = settings.web.base if settings.web.url else ""
    return compose(report, settings.report.sender, to, host, moment, base=base, pictures=pictures)


def send(
    settings: Settings, report: SiteReport, host: str, moment: float, pictures: dict[str, bytes]
) -> dict[str, SubmissionResult]:
    """Send it; what became of each address's. Raises OSError for the key of marks."""
    quarantine = settings.quarantine
    server = Server(quarantine.release_host, quarantine.release_port, quarantine.release_timeout)
    key = marks.load_key(quarantine.folder)
    results: dict[str, SubmissionResult] = {}
    for to in settings.report.to:
        data = written(settings, report, to, host, moment, pictures)
        # Marked like a released message, so that our own filters do not hold it.
        mark = partial(marks.envelope_id, key, f"report-{digest_of(data)}", data)
        results |= submit(server, "", [to], data, mark)
    return results
