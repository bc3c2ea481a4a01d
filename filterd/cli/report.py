"""`filterd report`: a report by mail for admins."""

from __future__ import annotations

import socket
import sys
import time
from typing import Annotated

import typer

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, reported, settings
from filterd.config.load import Settings
from filterd.history import HistoryError
from filterd.quarantine import StoreError
from filterd.report.gathering import SiteReport
from filterd.report.sending import drawn, report_of, written
from filterd.report.sending import send as send_to_all

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A report by mail for admins: what came, from whom, to whom, and how filters did.",
)

DAYS_LIMIT = 366

DaysOption = Annotated[
    int,
    typer.Option("--days", min=1, max=DAYS_LIMIT, help="whole days before today that it is about"),
]


@app.command("send")
def send(days: DaysOption = 7, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Send it to the addresses in [report]; a timer or cron does that each day or week. Exit status
    75 if the MTA deferred one."""
    loaded, now = _checked(settings(config)), time.time()
    report, pictures = _made(loaded, days, now)
    with reported(Exit.UNAVAILABLE, OSError):
        results = send_to_all(loaded, report, socket.gethostname(), now, pictures)
    for address, result in results.items():
        if as_json:
            emit({"recipient": address, "outcome": result.outcome, "reply": result.reply})
        else:
            sys.stdout.write(f"{address}: {result.outcome} ({result.reply})\n")
    outcomes = {result.outcome for result in results.values()}
    if "later" in outcomes:
        raise typer.Exit(Exit.TEMPFAIL)
    if "refused" in outcomes:
        raise typer.Exit(Exit.UNAVAILABLE)


@app.command("show")
def show(days: DaysOption = 7, config: ConfigOption = None) -> None:
    """Print the mail, without sending it."""
    loaded, now = _checked(settings(config)), time.time()
    report, pictures = _made(loaded, days, now)
    to = loaded.report.to[0]
    data = written(loaded, report, to, socket.gethostname(), now, pictures)
    sys.stdout.buffer.write(data)


def _made(loaded: Settings, days: int, now: float) -> tuple[SiteReport, dict[str, bytes]]:
    with reported(Exit.UNAVAILABLE, HistoryError, StoreError, OSError):
        report = report_of(loaded, days, now)
    try:
        return report, drawn(loaded, report)
    except ImportError:
        sys.stderr.write(
            "filterd: without pictures: matplotlib is missing (pip install 'filterd[plot]', or "
            "plots = false in [report])\n"
        )
        return report, {}


def _checked(loaded: Settings) -> Settings:
    if not loaded.report.to:
        fail('report.to is not set; expected to = ["postmaster@mx.example"]', Exit.CONFIG)
    if not loaded.history.enabled:
        fail("the history is off; expected enabled = true in [history]", Exit.CONFIG)
    return loaded
