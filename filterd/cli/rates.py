"""`filterd rates`: whose mail is held, and letting it through again."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, reported, settings, who
from filterd.cli.listing import WIDE, shown
from filterd.config.assembly import site_state
from filterd.filters.rates.counting import RateCounts
from filterd.quarantine import Store, StoreError
from filterd.state.facts import StateError

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Accounts and clients whose mail is held, since too much of it was refused.",
)


@app.command("list")
def list_(
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option(min=1, help="how many, newest first")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List whose mail is held, newest first."""
    with reported(Exit.UNAVAILABLE, StateError):
        found = RateCounts(site_state(settings(config))).all_held(time.time(), limit)
    if as_json:
        for one in found:
            emit(asdict(one))
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    if not found:
        console.print("no mail is held for its rate of refused messages")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("by", "name", "since", "until", "why"):
        table.add_column(name, overflow="fold")
    for one in found:
        times = (
            f"{datetime.fromtimestamp(t).astimezone():%m-%d %H:%M}" for t in (one.since, one.until)
        )
        table.add_row(shown(one.by), shown(one.party), *times, shown(one.why))
    console.print(table)


@app.command()
def free(
    by: Annotated[str, typer.Argument(help="user, client, network, sender or sender_domain")],
    name: Annotated[str, typer.Argument(help="as `list` shows it")],
    config: ConfigOption = None,
) -> None:
    """Let somebody's mail through again, and begin to count from nothing.

    What was held stays in the quarantine: `filterd quarantine list --symbol ACCOUNT_HELD`, then
    `release`. Exit status 66 if no mail of that name is held.
    """
    loaded = settings(config)
    with reported(Exit.UNAVAILABLE, StateError):
        was_held = RateCounts(site_state(loaded)).free(by, name)
    if not was_held:
        fail(f"no mail of {by} {name} is held", Exit.NO_INPUT)
    with reported(Exit.IO_ERROR, StoreError):
        note = f"rates: mail of {by} {name} goes through again"
        Store(loaded.quarantine).note("allowed", "", who(), note)
    sys.stdout.write(f"mail of {by} {name} goes through again\n")
