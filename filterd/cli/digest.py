"""`filterd digest`: mail to recipients about what is held for them."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, reported, settings
from filterd.config.load import Settings
from filterd.digest.compose import DigestError
from filterd.digest.ledger import DigestLedger, name
from filterd.digest.run import HOUR, digest_for, send_now, site_of, waiting
from filterd.quarantine import Store, StoreError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Mail to recipients about what is held for them.",
)

HoursOption = Annotated[
    float | None,
    typer.Option("--hours", help="list the last HOURS hours (default: since the last digest)"),
]


@app.command("send")
def send(
    hours: HoursOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Send the digests now. Exit status 75 if the MTA deferred one."""
    loaded = _checked(settings(config))
    with reported(Exit.UNAVAILABLE, DigestError, StoreError, OSError):
        results = send_now(loaded, time.time(), hours)
    for recipient, result in results.items():
        if as_json:
            emit({"recipient": recipient, "outcome": result.outcome, "reply": result.reply})
        else:
            sys.stdout.write(f"{recipient}: {result.outcome} ({result.reply})\n")
    if not results and not as_json:
        sys.stdout.write("nothing new for anybody\n")
    if any(result.outcome == "later" for result in results.values()):
        raise typer.Exit(Exit.TEMPFAIL)


@app.command("show")
def show(
    recipient: Annotated[str, typer.Argument(metavar="ADDRESS")],
    hours: Annotated[float, typer.Option("--hours", help="list the last HOURS hours")] = 24.0,
    config: ConfigOption = None,
) -> None:
    """Print the digest that somebody would get, without sending it; its links work."""
    loaded = _checked(settings(config))
    now = time.time()
    with reported(Exit.UNAVAILABLE, DigestError, StoreError, OSError):
        store = Store(loaded.quarantine)
        due = waiting(DigestLedger(store.index), loaded, now - hours * HOUR, now).get(
            name(recipient)
        )
        if due is None:
            fail(f"nothing is held for {recipient}", Exit.NO_INPUT)
        sys.stdout.buffer.write(digest_for(site_of(loaded), store, due, now))


def _checked(loaded: Settings) -> Settings:
    if "@" not in loaded.digest.sender:
        fail("digest.sender is not set; expected postmaster@mx.example", Exit.CONFIG)
    return loaded
