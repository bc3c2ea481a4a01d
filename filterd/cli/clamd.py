"""`filterd clamd`: its state, and having it read its signatures again."""

from __future__ import annotations

import sys
from dataclasses import asdict

import typer

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, settings
from filterd.ops.scanners import clamd_in_words, clamd_status, reload_signatures, stats_in_words
from filterd.system.display import printable

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Show each clamd of the chain, or make it read its signatures again.",
)


@app.command()
def reload(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Make every clamd of the chain read its signatures again (RELOAD).

    Mail goes on meanwhile. Exit status 69 if one cannot be asked or refuses.
    """
    worst = Exit.OK
    for server, error in reload_signatures(settings(config)):
        if error:
            worst = Exit.UNAVAILABLE
        if as_json:
            emit({"server": server, "error": error})
        elif error:
            sys.stderr.write(f"filterd: {printable(error)}\n")
        else:
            sys.stdout.write(f"{server} reads its signatures again\n")
    sys.exit(worst)


@app.command()
def stats(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show version, signatures, threads, queue and memory of every clamd of the chain.

    Exit status 69 if one does not answer.
    """
    worst = Exit.OK
    for one in clamd_status(settings(config)):
        if one.error:
            worst = Exit.UNAVAILABLE
        if as_json:
            emit(asdict(one))
            continue
        if one.error:
            sys.stderr.write(f"filterd: {printable(one.error)}\n")
            continue
        told = "" if one.stats is None else f", {stats_in_words(one.stats)}"
        sys.stdout.write(f"{printable(clamd_in_words(one))}{told}\n")
    sys.exit(worst)
