"""`filterd dmarc`: aggregate reports, our own and those of others."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from filterd.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    emit,
    fail,
    left_out,
    reported,
    settings,
)
from filterd.cli.listing import WIDE, shown
from filterd.dmarc.feedback import AggregateReport
from filterd.dmarc.files import reports_at
from filterd.dmarc.run import (
    ReportingError,
    Sending,
    day_of,
    is_over,
    make_reports,
    remove_old,
    send_reports,
)
from filterd.dmarc.summary import ReportSummary, advice, summarize
from filterd.dmarc.values import sending_values, summary_values
from filterd.system.display import count, printable

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="DMARC aggregate reports: make and send our own, read those of others.",
)


@app.command("report")
def report(
    day: Annotated[
        str, typer.Argument(metavar="DAY", help="2026-11-28, or yesterday; in UTC, as the report")
    ],
    send: Annotated[bool, typer.Option("--send", help="send them to those who ask")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the aggregate reports of a day, one for each domain that asks for one (RFC 9990).

    They are files in a folder, and sent only with --send, each once however often this runs. Exit
    status 75 if one has to be sent later.
    """
    loaded, now = settings(config), time.time()
    with reported(Exit.USAGE, ValueError):
        wanted = day_of(day, now)
    if send and not is_over(wanted, now):
        fail(f"{wanted} is not over in UTC; it can be reported, but not sent", Exit.USAGE)
    with reported(Exit.CONFIG, ReportingError), reported(Exit.IO_ERROR, OSError):
        made = make_reports(loaded, wanted)
        remove_old(loaded, now)
        sendings = send_reports(loaded, made, now) if send else map(Sending, made)
        late = False
        for sending in sendings:
            late = late or any(one.outcome == "later" for one in sending.sent)
            if as_json:
                emit(sending_values(sending))
            else:
                _tell(sending)
    if not made and not as_json:
        sys.stdout.write(f"{wanted}: no mail of a domain that asks for reports\n")
    if late:
        raise typer.Exit(Exit.TEMPFAIL)


def _tell(sending: Sending) -> None:
    made = sending.made
    sys.stdout.write(
        f"{made.report.policy.domain}: {count(made.report.messages, 'message')}, "
        f"{count(len(made.report.records), 'record')}: {made.path}\n"
    )
    for one in sending.sent:
        sys.stdout.write(f"  {printable(one.address)}: {one.outcome} ({printable(one.reply)})\n")


@app.command("read")
def read(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="reports, messages, mailboxes, folders of them"),
    ],
    limit: Annotated[int, typer.Option(min=1, help="how many sources, failing ones first")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show what reports of others say: who sends in our name, whether it passes, what to do.

    A file is a report (.xml, .xml.gz, .zip), a message with one, or an mbox. Exit status 65 if
    something was left out, 66 if there was no report at all.
    """
    missing: list[str] = []
    with reported(Exit.NO_INPUT, OSError):
        summary = summarize(_reports(files, missing))
    if as_json:
        emit(summary_values(summary))
    elif summary.reports:
        _show(summary, limit)
    if not summary.reports:
        raise typer.Exit(Exit.NO_INPUT)
    if missing:
        raise typer.Exit(Exit.DATA)


def _reports(files: list[Path], missing: list[str]) -> Iterator[AggregateReport]:
    for path in files:
        for found in reports_at(path):
            if found.report is not None:
                yield found.report
                continue
            missing.append(found.name)
            left_out(ValueError(f"{shown(found.name)}: {found.trouble}"))


def _show(summary: ReportSummary, limit: int) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    repeated = f" ({summary.repeated} more came twice)" if summary.repeated else ""
    share = 100.0 * summary.passing / max(summary.messages, 1)
    console.print(
        f"{count(summary.reports, 'report')}{repeated}, {_day(summary.begin)} to "
        f"{_day(summary.end)}: {count(summary.messages, 'message')} from "
        f"{count(len(summary.sources), 'source')}, {share:.1f}% pass"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("source", no_wrap=True)
    table.add_column("From", no_wrap=True, overflow="ellipsis", max_width=40)
    for name in ("messages", "SPF+DKIM", "DKIM", "SPF", "fail"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("receivers", no_wrap=True, overflow="ellipsis", max_width=40)
    listed = summary.sources[:limit]
    for source in listed:
        table.add_row(
            str(source.address or "others"),
            shown(source.domain),
            *(
                f"{number:,}"
                for number in (
                    source.messages,
                    source.both,
                    source.dkim_only,
                    source.spf_only,
                    source.neither,
                )
            ),
            shown(_words(source.dispositions)),
        )
    console.print(table)
    console.print()
    for source in listed:
        console.print(f"- {shown(advice(source, summary.days))}", soft_wrap=True)
    if len(summary.sources) > limit:
        console.print(f"{len(summary.sources) - limit:,} more sources: --limit")


def _words(counted: Counter[str]) -> str:
    return ", ".join(f"{word} {many:,}" for word, many in counted.most_common())


def _day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
