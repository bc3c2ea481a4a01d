"""`filterd replay`: judge stored mail again, and show what other settings would change."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from filterd.chain.headers import points
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
from filterd.cli.listing import shown
from filterd.cli.scan import ClientOption, HeloOption, assumed_client
from filterd.config.load import Settings
from filterd.mailfiles.mail_file import CorpusError
from filterd.message import Envelope, Recipient
from filterd.replay.cases import NOBODY, CaseError
from filterd.replay.compare import Comparison, UndecidedError
from filterd.replay.judged import JudgedSummary, Pair
from filterd.replay.wire import WireError

WIDTH = 150
"""Characters of a line where the output is not a terminal."""


def replay(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH|ID...", help="message, folder, mbox, Maildir, index, -, or quarantine id"
        ),
    ],
    config: ConfigOption = None,
    compare: Annotated[
        Path | None, typer.Option(metavar="OTHER.toml", help="settings that are to be compared")
    ] = None,
    against: Annotated[
        str,
        typer.Option(
            metavar="SOCKET", help="ask the daemon there; `daemon`: the one of the settings"
        ),
    ] = "",
    sender: Annotated[str, typer.Option("--from", help="reverse-path to assume for files")] = "",
    recipients: Annotated[
        list[str] | None, typer.Option("--to", help="recipient to assume; may be repeated")
    ] = None,
    client: ClientOption = "",
    helo: HeloOption = "",
    show_all: Annotated[
        bool, typer.Option("--all", help="also show messages with the same result")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Scan stored messages with two settings and show the differences.

    With --compare: the settings (or the daemon of --against) and those of OTHER.toml. With
    --against alone: the settings and that daemon. With neither: what was decided when a kept
    message came, and today's settings. Offline scans store nothing; to a daemon it is mail like
    any other.
    """
    loaded = settings(config)
    other = settings(compare) if compare is not None else None
    envelope = _assumed(sender, recipients or [], client, helo)
    found = _pairs(loaded, other, against, paths, envelope)
    summary = _told(found, show_all=show_all, as_json=as_json)
    if not summary.messages:
        fail("no message was found there", Exit.NO_INPUT)
    return Exit.OK


def _assumed(sender: str, recipients: list[str], client: str, helo: str) -> Envelope:
    return Envelope(
        sender,
        tuple(map(Recipient, recipients)) or NOBODY.recipients,
        assumed_client(client, helo) if client else replace(NOBODY.client, helo=helo),
    )


def _pairs(
    loaded: Settings, other: Settings | None, against: str, paths: list[str], envelope: Envelope
) -> Iterator[Pair]:
    """The messages on both sides; what goes wrong there ends the command."""
    with reported(Exit.UNAVAILABLE, OSError, ValueError, WireError):
        comparison = Comparison(loaded, other, against)
    with (
        closing(comparison),
        reported(Exit.USAGE, UndecidedError),
        reported(Exit.UNAVAILABLE, WireError),
        reported(Exit.NO_INPUT, CaseError, CorpusError, OSError),
    ):
        yield from comparison.pairs(paths, envelope, left_out)


def _told(found: Iterator[Pair], *, show_all: bool, as_json: bool) -> JudgedSummary:
    """Print the pairs and what they come to."""

    summary = JudgedSummary()
    shown = []
    for pair in found:
        summary.add(pair)
        if not (show_all or pair.differs):
            continue
        if as_json:
            emit(pair.to_json())
            sys.stdout.flush()
        else:
            shown.append(pair)
    if as_json:
        emit({"summary": summary.to_json()})
    elif summary.messages:
        _print(shown, summary)
    return summary


def _print(pairs: list[Pair], summary: JudgedSummary) -> None:
    def score(value: float | None) -> str:
        return "?" if value is None else points(value)

    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    if pairs:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("message", overflow="fold")
        table.add_column("before")
        table.add_column("after")
        table.add_column("score", justify="right")
        table.add_column("after", justify="right")
        table.add_column("what changed", overflow="fold")
        for pair in pairs:
            style = "[bold]" if pair.action_differs else "[dim]"
            why = [*pair.changes, *filter(None, (pair.before.note, pair.after.note))]
            table.add_row(
                shown(pair.message),
                pair.before.word,
                f"{style}{pair.after.word}[/]",
                score(pair.before.score),
                score(pair.after.score),
                shown(", ".join(why)),
            )
        console.print(table)
    same = summary.messages - summary.actions - summary.scores
    console.print(
        f"{summary.messages} messages: {summary.actions} get another answer, "
        f"{summary.scores} only other points or symbols, {same} are the same"
    )
    for (one, other), number in summary.moves.most_common():
        console.print(f"  {one} → {other}: {number}")
