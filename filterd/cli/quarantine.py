"""`filterd quarantine`: what is kept, and why."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, settings
from filterd.labels import points
from filterd.quarantine import Entry, Store, StoreError
from filterd.quarantine.store import UnknownIdError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="List and show quarantined mail.",
)  # fmt: skip

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="from a reply, a log line or `list`")]


@app.command("list")
def list_(
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option(min=1, help="how many, newest first")] = 50,
    reason: Annotated[
        str, typer.Option(help="only spam, virus, banned, policy, discarded, stripped or failed")
    ] = "",
    text: Annotated[str, typer.Option(help="only with this in sender, recipients, subject")] = "",
    as_json: JsonOption = False,
) -> None:
    """List what is kept, newest first."""
    store = Store(settings(config).quarantine)
    try:
        rows = store.index.newest(limit, reason=reason, text=text)
    except StoreError as error:
        fail(str(error), Exit.IO_ERROR)
    if as_json:
        for row in rows:
            emit(row.to_json())
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "received", "reason", "from", "to", "subject"):
        table.add_column(name, overflow="ellipsis", no_wrap=name in ("id", "received", "reason"))
    table.add_column("score", justify="right")
    for row in rows:
        when = datetime.fromtimestamp(row.received).astimezone()
        table.add_row(
            row.id, f"{when:%Y-%m-%d %H:%M}", row.virus or row.reason, escape(row.sender or "<>"),
            escape(", ".join(row.recipients)), escape(row.subject), points(row.score),
        )  # fmt: skip
    Console().print(table if rows else "the quarantine is empty")


@app.command()
def show(id: IdArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one message's envelope, verdict and reasons."""
    store = Store(settings(config).quarantine)
    entry = _get(store, id)
    if as_json:
        emit({**entry.to_json(), "path": str(store.path(id))})
        return
    Console(highlight=False).print(_description(entry, str(store.path(id))))


@app.command()
def raw(id: IdArgument, config: ConfigOption = None) -> None:
    """Write the message's exact bytes to standard output."""
    store = Store(settings(config).quarantine)
    _get(store, id)
    sys.stdout.buffer.write(store.path(id).read_bytes())


@app.command()
def fsck(
    config: ConfigOption = None,
    repair: Annotated[bool, typer.Option(help="make the index agree with the files")] = True,
    as_json: JsonOption = False,
) -> None:
    """Compare the files with the index, and mend the index. Status 65 if files are damaged."""
    store = Store(settings(config).quarantine)
    try:
        report = store.fsck(repair=repair)
    except StoreError as error:
        fail(str(error), Exit.IO_ERROR)
    if as_json:
        emit({
            "checked": report.checked, "added": report.added, "stale": report.stale,
            "damaged": [{"id": id, "reason": reason} for id, reason in report.damaged],
        })  # fmt: skip
    else:
        done = "" if repair else " (not repaired)"
        sys.stdout.write(
            f"{report.checked} messages; missing in the index: {len(report.added)}{done}; "
            f"in the index without files: {len(report.stale)}{done}; "
            f"damaged: {len(report.damaged)}\n"
        )
        for id, reason in report.damaged:
            sys.stdout.write(f"damaged {id}: {reason}\n")
    if report.damaged:
        raise typer.Exit(Exit.DATA)


def _get(store: Store, id: str) -> Entry:
    try:
        return store.get(id)
    except (UnknownIdError, ValueError) as error:
        fail(str(error.args[0] if error.args else error), Exit.NO_INPUT)
    except StoreError as error:
        fail(str(error), Exit.IO_ERROR)


def _description(entry: Entry, path: str) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    client = f"{entry.client_name} [{entry.client_address}] helo={entry.helo}"
    for name, value in (
        ("id", entry.id),
        ("received", f"{entry.received.astimezone():%Y-%m-%d %H:%M:%S %z}"),
        ("queue-id", entry.queue_id),
        ("client", client),
        ("sender", entry.sender or "<>"),
        ("recipients", ", ".join(entry.recipients)),
        ("held for", ", ".join(entry.held_for) or "nobody (a copy)"),
        ("message-id", entry.message_id),
        ("from", entry.header_from),
        ("subject", entry.subject),
        ("size", f"{entry.size} octets"),
        ("reason", entry.reason),
        ("answer", entry.action),
        ("virus", entry.virus),
        ("score", f"{points(entry.score)} (labelled from {points(entry.required)})"),
    ):
        if value:
            table.add_row(name, escape(value))
    for symbol in entry.symbols:
        table.add_row(
            "symbol", escape(f"{points(symbol.score):>7}  {symbol.name}  {symbol.detail}")
        )
    for part in entry.removed:
        table.add_row("removed", escape(f"{part.filename}: {part.reason}"))
    table.add_row("file", escape(path))
    return table
