"""`filterd demo`: the whole path on sample mail, and one table of what happened.

clamd, the filter daemon and the reference MTA run as programs of their own below one folder, on
loopback. Mail goes in by SMTP; what became of each message is read where an admin would read it:
the SMTP reply, the daemon's log, the mailbox, the quarantine.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from filterd.chain.headers import points
from filterd.cli.common import Exit, fail, left_out
from filterd.lab.demo import Fate, fates, prepare, send, settle, start
from filterd.lab.programs import Lab, LabError
from filterd.lab.samples import samples
from filterd.mailfiles.corpora import read_messages
from filterd.mailfiles.mail_file import CorpusError
from filterd.mta.delivery.client import SendResult

CONNECTIONS = 4
"""SMTP connections at a time for people's own mail."""

WIDTH = 150
"""Characters of a line where the output is not a terminal."""


def demo(
    mail: Annotated[
        str | None, typer.Option(help="send this as well: message, folder, mbox, Maildir, index")
    ] = None,
    folder: Annotated[Path, typer.Option(help="folder for everything")] = Path("demo"),
) -> int:
    """Send sample mail through the embedded MTA and the daemon; show what happened to each."""
    try:
        prepare(folder)
    except OSError as error:
        fail(
            f"cannot create {folder} again: {error.strerror}. If another user (root by sudo?) left "
            "it, remove it as that user, or name another --folder",
            Exit.CANNOT_CREATE,
        )
    except ValueError as error:
        fail(f"{error}; name another --folder", Exit.USAGE)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    started = time.monotonic()
    with Lab(folder) as lab:
        try:
            port, has_clamd = start(lab)
        except LabError as error:
            fail(str(error), Exit.UNAVAILABLE)
        if not has_clamd:
            console.print("clamd is not installed: no virus scan")
        shown = asyncio.run(send(port, ((s.name, s.data) for s in samples()), 1))
        own: list[SendResult] = []
        if mail is not None:
            own = _send_own(port, mail)
        settle(folder)
    about = {s.name: s.about for s in samples()}
    console.print(_table(fates(folder, shown), about))
    problem = False
    if own:
        problem = _summary(console, fates(folder, own))
    console.print(
        f"\nAll of it is in [bold]{folder}[/]: mailboxes in mail/, the quarantine in quarantine/, "
        f"logs and filterd.toml. It took {time.monotonic() - started:.1f} s. Next, try:\n"
        f"  .venv/bin/filterd quarantine list --config {folder}/filterd.toml\n"
        f"  .venv/bin/filterd scan --config {folder}/filterd.toml FILE\n"
        f"  .venv/bin/filterd init DIR",
        highlight=False,
    )
    return Exit.SOFTWARE if problem else Exit.OK


def _send_own(port: int, mail: str) -> list[SendResult]:
    """Send people's own mail with a progress bar on a terminal."""
    try:
        total = sum(1 for _ in read_messages(mail, lambda _why: None))
        with Progress(
            "sending",
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            disable=not sys.stderr.isatty(),
            console=Console(stderr=True),
        ) as progress:
            task = progress.add_task("", total=total)

            def messages() -> Iterator[tuple[str, bytes]]:
                for _label, name, data in read_messages(mail, left_out):
                    progress.advance(task)
                    yield name, data

            return asyncio.run(send(port, messages(), CONNECTIONS))
    except CorpusError as error:
        fail(str(error), Exit.NO_INPUT)


def _table(fates: list[Fate], about: dict[str, str]) -> Table:
    table = Table(header_style="bold", title="What happened", title_justify="left")
    for name in ("message", "SMTP reply", "action"):
        table.add_column(name)
    table.add_column("score", justify="right")
    table.add_column("why")
    table.add_column("where it is now", overflow="fold")
    styles = {
        "delivered": "green",
        "labelled": "yellow",
        "stripped": "yellow",
        "quarantined": "magenta",
        "rejected": "red",
    }
    for fate in fates:
        what = fate.outcome
        facts = fate.facts
        why = facts.get("virus") or str(facts.get("symbols", "")).replace(",", "\n")
        places = [str(p) for p in (fate.mailbox, fate.kept) if p is not None]
        table.add_row(
            f"[bold]{fate.name}[/]\n{about.get(fate.name, '')}",
            escape(fate.result.reply),
            f"[{styles.get(what, 'white')}]{what}[/]",
            points(float(facts.get("score", 0))),
            escape(str(why)),
            escape("\n".join(map(_short, places)) or "not delivered: the sender has it"),
        )
    return table


def _short(path: str) -> str:
    """A Maildir file's name is long; its beginning is enough to find it."""
    head, _, tail = path.rpartition("/")
    return f"{head}/{tail[:24]}{'…' if len(tail) > 24 else ''}"


def _summary(console: Console, fates: list[Fate]) -> bool:
    """Account for people's own mail, id by id. True if a message is not accounted for."""
    counts = Counter(fate.outcome for fate in fates)
    lost = [fate for fate in fates if fate.is_lost]
    unanswered = [fate for fate in fates if not fate.result.code]
    console.print(
        f"\nYour mail: {len(fates)} messages sent = "
        + " + ".join(f"{count} {what}" for what, count in counts.most_common())
    )
    for fate in lost[:10]:
        console.print(
            f"[red]not accounted for:[/] {escape(fate.name)}: {escape(fate.result.reply)}"
        )
    for fate in unanswered[:10]:
        console.print(f"[red]not answered:[/] {escape(fate.name)}: {escape(fate.result.reply)}")
    if not lost and not unanswered:
        console.print(
            "Every message that was accepted is in a mailbox or in the quarantine; "
            "every other one was refused with a reply."
        )
    return bool(lost or unanswered)
