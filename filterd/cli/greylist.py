"""`filterd greylist`: what waits to be sent again, and letting it in."""

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
from filterd.config.load import Settings
from filterd.quarantine import Store, StoreError
from filterd.review.greylist import WaitingMail
from filterd.review.reviewer import Reviewer
from filterd.state.facts import StateError

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Mail of strangers that waits to be sent again: list it, let it in.",
)

_ADMIN = Reviewer("", "admin")
"""Who may run commands on the settings sees and does everything."""


@app.command("list")
def list_(
    config: ConfigOption = None,
    text: Annotated[str, typer.Option(help="a part of network, sender or recipient")] = "",
    limit: Annotated[int, typer.Option(min=1, help="how many, newest first")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what waits, newest first."""
    now = time.time()
    with reported(Exit.UNAVAILABLE, StateError):
        found = _waiting(settings(config)).waiting(_ADMIN, limit, text)
    if as_json:
        for one in found:
            emit(asdict(one))
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    if not found:
        console.print("nothing is waiting")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "since", "tried", "passes", "client", "from", "to"):
        table.add_column(name, no_wrap=name == "id", overflow="fold")
    for one in found:
        table.add_row(
            one.id,
            _clock(one.since),
            f"{one.attempts} times, last {_clock(one.tried)}" if one.attempts > 1 else "once",
            "when it is sent again" if one.passes <= now else f"from {_clock(one.passes)}",
            shown(one.client),
            shown(one.sender or "<>"),
            shown(one.recipient),
        )
    console.print(table)


@app.command()
def allow(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="as `list` shows them")
    ] = None,
    client: Annotated[
        str,
        typer.Option(help="all mail of this address, network or big sender"),
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Let mail in when it is next sent, without waiting for the delay.

    The sender's server decides when that is. Exit status 66 if an id does not wait.
    """
    if not ids and not client:
        fail(
            "nothing to let in; expected ids from `filterd greylist list`, or --client", Exit.USAGE
        )
    waiting, missing = _waiting(settings(config)), []
    with reported(Exit.UNAVAILABLE, StateError), reported(Exit.IO_ERROR, StoreError):
        if client:
            with reported(Exit.USAGE, ValueError):
                identity = waiting.allow_client(_ADMIN, client, who())
            sys.stdout.write(f"{identity}: all its mail passes\n")
        for one in waiting.allow(_ADMIN, ids or (), who()):
            if one.ok:
                sys.stdout.write(f"{one.id}: {one.words}\n")
            else:
                missing.append(f"{one.id} {one.words}")
    if missing:
        fail("\n".join(missing), Exit.NO_INPUT)


def _waiting(loaded: Settings) -> WaitingMail:
    return WaitingMail(loaded, Store(loaded.quarantine))


def _clock(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment).astimezone():%m-%d %H:%M:%S}"
