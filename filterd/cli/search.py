"""`filterd search`: one search over kept mail and the history."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from filterd.chain.headers import points
from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, reported, settings, who
from filterd.cli.listing import WIDE, shown
from filterd.config.assembly import open_history
from filterd.history import HistoryError
from filterd.quarantine import StoreError
from filterd.review.access import Access
from filterd.review.actions import ReviewActions
from filterd.review.reviewer import Reviewer
from filterd.review.search_words import SearchError, read
from filterd.system.display import when_short

FIXED = 60
"""Columns that id, time, state and points take, with the gaps between them."""


def search(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="WORD...",
            help="words, '\"phrases\"', from: to: subject: id: client: file: virus: symbol: "
            "action: reason: state: since: until:",
        ),
    ],
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option(help="how many, newest first")] = 50,
    after: Annotated[str, typer.Option(help="`next` of the previous page")] = "",
    as_json: JsonOption = False,
) -> int:
    """Find messages of quarantine and history, newest first; all words and conditions must fit."""
    from filterd.review.search import search as find  # noqa: PLC0415  (loads the database)

    loaded = settings(config)
    with reported(Exit.USAGE, SearchError):
        wanted = read(" ".join(map(_phrase, words)))
    access = Access(ReviewActions(loaded), Reviewer(who(), "admin"), "api")
    history = open_history(loaded)
    with reported(Exit.USAGE, SearchError), reported(Exit.IO_ERROR, HistoryError, StoreError):
        page = find(access, history, wanted, limit=limit, after=after)
    if as_json:
        for one in page.results:
            emit(one.to_json())
        if page.next:
            emit({"next": page.next})
        return Exit.OK
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    if not page.results:
        console.print("no matching messages")
    else:
        room = max((console.width - FIXED) // 3 - 2, 6)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("id", "received", "state", "from", "to", "subject"):
            width = room if name in ("from", "to", "subject") else None
            table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=width)
        table.add_column("score", justify="right", no_wrap=True)
        for one in page.results:
            table.add_row(
                one.id,
                when_short(one.received),
                one.what,
                shown(one.header_from or one.sender or "<>"),
                shown(", ".join(one.recipients)),
                shown(one.subject),
                points(one.score),
            )
        console.print(table)
    if page.next:
        console.print(f"there is more: --after {shlex.quote(page.next)}")
    return Exit.OK


def _phrase(word: str) -> str:
    """An argument with blanks in it as a phrase: the shell has taken its quotation marks away."""
    if not any(one.isspace() for one in word) or '"' in word:
        return word
    name, colon, value = word.partition(":")
    return f'{name}:"{value}"' if colon and name.isalpha() else f'"{word}"'
