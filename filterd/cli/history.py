"""`filterd history`: every message of the last days, kept or not, and what became of it."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from filterd.chain.headers import points
from filterd.chain.report import remaining
from filterd.chain.sentence import sentence
from filterd.chain.stages import COMMANDS
from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, reported, settings
from filterd.cli.following import follow
from filterd.cli.listing import WIDE, moment, print_timeline, shown, tell_trouble
from filterd.config.assembly import check_filter_name, open_history
from filterd.config.load import Settings
from filterd.history import History, HistoryError, HistoryQuery, Record
from filterd.maillog.log import MailLog
from filterd.quarantine import Store, StoreError
from filterd.review.timeline import timeline
from filterd.system.display import exactly, printable

FIXED = 60
"""Columns that id, time, action and score take, with the gaps between them."""


app = typer.Typer(
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="List the messages of the last days, newest first; all conditions must hold.",
)


@app.callback()
def history(
    context: typer.Context,
    config: ConfigOption = None,
    sender: Annotated[str, typer.Option(help="a part of the envelope sender")] = "",
    recipient: Annotated[str, typer.Option(help="a part of a recipient")] = "",
    domain: Annotated[str, typer.Option(help="domain of the sender or of a recipient")] = "",
    text: Annotated[str, typer.Option(help="in sender, recipients, subject, ids, client")] = "",
    action: Annotated[
        str, typer.Option(help="accept, quarantine, discard, tempfail or reject")
    ] = "",
    symbol: Annotated[str, typer.Option(help="a symbol's whole name")] = "",
    failed: Annotated[str, typer.Option(help="a filter that failed")] = "",
    since: Annotated[str, typer.Option(metavar="DATE", help="2026-11-23 or with T12:00")] = "",
    until: Annotated[str, typer.Option(metavar="DATE", help="before this time")] = "",
    limit: Annotated[int, typer.Option(help="how many, newest first")] = 50,
    after: Annotated[str, typer.Option(help="`next` of the previous page")] = "",
    follows: Annotated[
        bool, typer.Option("--follow", "-f", help="then print each message as it comes")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the messages of the last days, newest first; all conditions must hold."""
    if context.invoked_subcommand is not None:
        return
    loaded = _settings(config)
    with reported(Exit.USAGE, ValueError):
        check_filter_name("failed", failed, loaded)
    records = open_history(loaded)
    query = HistoryQuery(
        text=text,
        sender=sender,
        recipient=recipient,
        domain=domain,
        action=action,
        symbol=symbol,
        failed=failed,
        since=moment(since),
        until=moment(until),
        limit=limit,
        after=after,
    )
    if follows:
        if until or after:
            fail("--follow has no end, so it takes neither --until nor --after", Exit.USAGE)
        _follow(records, query, as_json=as_json)
        return
    with reported(Exit.IO_ERROR, HistoryError), reported(Exit.USAGE, ValueError):
        page = records.search(query)
    if not page.rows and not records.file.exists():
        fail(f"{records.file}: no messages recorded yet", Exit.NO_INPUT)
    if as_json:
        for record in page.rows:
            emit(record.to_json())
        if page.next:
            emit({"next": page.next})
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    if not page.rows:
        console.print("no matching messages")
        return
    room = max((console.width - FIXED) // 3 - 2, 6)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, width in (
        ("id", None),
        ("received", None),
        ("action", None),
        ("from", room),
        ("to", room),
        ("subject", room),
    ):
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=width)
    table.add_column("score", justify="right", no_wrap=True)
    for row in page.rows:
        when = datetime.fromtimestamp(row.received).astimezone()
        table.add_row(
            row.id,
            f"{when:%m-%d %H:%M:%S}",
            shown(row.action),
            shown(row.sender or "<>"),
            shown(", ".join(row.recipients)),
            shown(_subject(row)),
            points(row.score),
        )
    console.print(table)
    if page.next:
        console.print(f"there is more: --after {page.next}")


def _follow(records: History, query: HistoryQuery, *, as_json: bool) -> None:
    """Print until somebody interrupts it."""
    with reported(Exit.IO_ERROR, HistoryError), reported(Exit.USAGE, ValueError):
        for record in follow(records, query):
            if as_json:
                emit(record.to_json())
            else:
                when = datetime.fromtimestamp(record.received).astimezone()
                people = f"{record.sender or '<>'} → {', '.join(record.recipients)}"
                words = f"{printable(people)}  {printable(_subject(record))}"
                sys.stdout.write(
                    f"{when:%m-%d %H:%M:%S}  {record.id}  {record.action.word:<10} "
                    f"{points(record.score):>6}  {words}\n"
                )
            sys.stdout.flush()


@app.command("show")
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="from a reply, a log line or the list")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the record of one message and its timeline, to what the MTA's log says of it."""
    loaded = _settings(config)
    with reported(Exit.IO_ERROR, HistoryError):
        found = open_history(loaded).search(HistoryQuery(id=id, limit=1)).rows
    if not found:
        fail(f"no message {printable(id, 64)} in the history", Exit.NO_INPUT)
    record = found[0]
    with reported(Exit.IO_ERROR, StoreError):
        events = list(Store(loaded.quarantine).journal.events(id))
    told = timeline(record, record.received, events, MailLog(loaded.maillog))
    if as_json:
        steps = [step.to_json() for step in told.steps]
        emit({**record.to_json(), "verdict": sentence(record), "timeline": steps})
        tell_trouble(told)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in (
        ("verdict", sentence(record)),
        ("id", record.id),
        ("received", exactly(record.received)),
        ("queue-id", record.queue_id),
        ("client", record.client),
        ("sender", record.sender or "<>"),
        ("recipients", ", ".join(record.recipients)),
        ("message-id", record.message_id),
        ("subject", _subject(record)),
        ("size", f"{record.size} bytes"),
        ("answer", record.action),
        ("score", f"{points(record.score)} (labelled from {points(record.required)})"),
        ("symbols", " ".join(f"{one.name} {points(one.score)}" for one in record.symbols)),
    ):
        if value:
            table.add_row(name, shown(value))
    for label, text in remaining(record):
        table.add_row(label.lower(), shown(text))
    Console(highlight=False).print(table)
    print_timeline(told)


def _settings(config: Path | None) -> Settings:
    loaded = settings(config)
    if not loaded.history.enabled:
        fail("[history] enabled is false, so nothing is recorded", Exit.UNAVAILABLE)
    return loaded


def _subject(row: Record) -> str:
    """The Subject; of a refusal before there was a message, where it was, and how many more."""
    if not row.stage:
        return row.subject
    more = f", and {row.repeated:,} more" if row.repeated else ""
    return f"(at {COMMANDS[row.stage]}{more})"
