"""`filterd demo`: the whole path on sample mail, and one table of what happened.

clamd, the filter daemon and the reference MTA run as programs of their own below one folder, on
loopback. Mail goes in by SMTP; what came of each message is read where an admin would read it: the
SMTP reply, the daemon's log, the mailbox, the quarantine.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from filterd.chain.headers import points
from filterd.cli.common import Exit, fail, left_out
from filterd.config.load import load
from filterd.config.sample import sample as settings_sample
from filterd.lab.programs import Lab, LabError, answers, free_port
from filterd.lab.samples import RECIPIENT, SENDER, samples
from filterd.mailfiles.corpora import read_messages
from filterd.mailfiles.mail_file import CorpusError
from filterd.mta.delivery.client import Result, send_all
from filterd.quarantine import QuarantineSettings, Store, StoreError

MARKER = ".filterd-demo"
"""The file that says that a folder is the demo's own, to be emptied by the next run."""

CONNECTIONS = 4
"""SMTP connections at a time for people's own mail."""

WIDTH = 150
"""Characters of a line where the output is no terminal."""

SETTLE_LIMIT = 60.0
"""Seconds that the MTA has to deliver what it accepted."""

_RECEIVED_ID = re.compile(rb"\bid (\S+?);?\s")


@dataclass
class Fate:
    """What came of one message."""

    name: str
    result: Result
    facts: dict[str, Any] = field(default_factory=dict)
    mailbox: Path | None = None
    kept: Path | None = None


def demo(
    mail: Annotated[
        str | None, typer.Option(help="send this as well: message, folder, mbox, Maildir, index")
    ] = None,
    folder: Annotated[Path, typer.Option(help="folder for everything")] = Path("demo"),
) -> int:
    """Send sample mail through the embedded MTA and the daemon; show what happened to each."""
    _prepare(folder)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    started = time.monotonic()
    with Lab(folder) as lab:
        try:
            port = _start(lab, console)
        except LabError as error:
            fail(str(error), Exit.UNAVAILABLE)
        shown = asyncio.run(_send(port, ((s.name, s.data) for s in samples()), 1))
        own: list[Result] = []
        if mail is not None:
            own = _send_own(port, mail)
        _settle(folder)
    about = {s.name: s.about for s in samples()}
    console.print(_table(_fates(folder, shown), about))
    problem = False
    if own:
        problem = _summary(console, _fates(folder, own))
    console.print(
        f"\nAll of it is in [bold]{folder}[/]: mailboxes in mail/, the quarantine in quarantine/, "
        f"logs and filterd.toml. It took {time.monotonic() - started:.1f} s. Next, try:\n"
        f"  .venv/bin/filterd quarantine list --config {folder}/filterd.toml\n"
        f"  .venv/bin/filterd scan --config {folder}/filterd.toml FILE\n"
        f"  .venv/bin/filterd init DIR",
        highlight=False,
    )
    return Exit.SOFTWARE if problem else Exit.OK


def _prepare(folder: Path) -> None:
    """An empty folder of our own. Never empties one that the demo did not make."""
    try:
        if folder.exists():
            if not (folder / MARKER).exists() and any(folder.iterdir()):
                fail(
                    f"{folder} exists and was not made by the demo; name another --folder",
                    Exit.USAGE,
                )
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        (folder / MARKER).touch()
    except OSError as error:
        fail(
            f"cannot create {folder} anew: {error.strerror}. If another user (root by sudo?) left "
            "it, remove it as that user, or name another --folder",
            Exit.CANNOT_CREATE,
        )


def _start(lab: Lab, console: Console) -> int:
    """Start clamd, daemon and MTA; return the MTA's port. Raises LabError."""
    clamd = lab.clamd()
    if clamd is None:
        console.print("clamd is not installed: no virus scan")
    root = lab.folder.resolve()
    socket = root / "filterd.sock"
    port = free_port()
    names = ["senders", "gtube", "parts", *(["clamav"] if clamd else []), "bayes"]
    text = settings_sample(
        {
            "daemon": {
                "socket": f"unix:{socket}",
                "spool": root / "spool",
                "log_format": "json",
            },
            "chain": {"filters": names},
            "quarantine": {"folder": root / "quarantine"},
            "filters.bayes": {"models": root / "models"},
            "filters.senders": {"file": root / "senders.list"},
            "mta": {
                "port": port,
                "hostname": "mx.example",
                "mail": root / "mail",
                "spool": root / "mta-spool",
            },
            **({"filters.clamav": {"server": f"unix:{clamd}"}} if clamd else {}),
        }
    )
    # The array's own commented lines stay where they are; its one row comes at the end of the file.
    row = f'\n[[mta.filters]]\nname = "filterd"\nsocket = "unix:{socket}"\nflags = "T"\n'
    config = lab.folder / "filterd.toml"
    config.write_text(text + row, encoding="utf-8")
    load(config)
    lab.filterd("daemon", "run", f"--config={config}", ready=lambda: answers(socket))
    lab.filterd(
        "mta", "mta", "run", f"--config={config}", ready=lambda: answers(("127.0.0.1", port))
    )
    return port


async def _send(port: int, messages: Iterable[tuple[str, bytes]], connections: int) -> list[Result]:
    results: list[Result] = []
    await send_all(
        messages,
        results.append,
        host="127.0.0.1",
        port=port,
        sender=SENDER,
        recipients=[RECIPIENT],
        connections=connections,
    )
    order = {name: number for number, (name, _) in enumerate((s.name, s) for s in samples())}
    return sorted(results, key=lambda result: order.get(result.name, 0))


def _send_own(port: int, mail: str) -> list[Result]:
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

            return asyncio.run(_send(port, messages(), CONNECTIONS))
    except CorpusError as error:
        fail(str(error), Exit.NO_INPUT)


def _settle(folder: Path) -> None:
    """Wait until the MTA's queue is empty."""
    deadline = time.monotonic() + SETTLE_LIMIT
    spool = folder / "mta-spool"
    while any(p.is_file() for p in spool.rglob("*")) and time.monotonic() < deadline:
        time.sleep(0.1)


def _fates(folder: Path, results: list[Result]) -> list[Fate]:
    """Put reply, log line, mailbox and quarantine together, by queue-id and id."""
    by_queue_id: dict[str, dict[str, Any]] = {}
    by_id: dict[str, dict[str, Any]] = {}
    for line in (folder / "daemon.log").read_text(errors="replace").splitlines():
        if '"event": "message"' in line:
            facts = json.loads(line)
            by_queue_id[facts.get("queue_id", "")] = by_id[facts["id"]] = facts
    delivered = {}
    for path in (folder / "mail").rglob("new/*"):
        with path.open("rb") as file:
            if found := _RECEIVED_ID.search(file.read(2048)):
                delivered[found[1].decode("ascii", "replace")] = path
    store = Store(QuarantineSettings(folder / "quarantine"))
    fates = []
    for result in results:
        fate = Fate(result.name, result)
        words = re.findall(r"[\w.-]+", result.reply)
        if named := re.search(r"\(id=(\w+)\)", result.reply):
            fate.facts = by_id.get(named[1], {})
        else:
            fate.facts = next((by_queue_id[w] for w in words if w in by_queue_id), {})
        fate.mailbox = next((delivered[w] for w in words if w in delivered), None)
        if fate.facts.get("stored"):
            try:
                fate.kept = store.path(fate.facts["id"])
            except (LookupError, StoreError):
                fate.kept = None
        fates.append(fate)
    return fates


def _what(fate: Fate) -> str:
    """The outcome in a word."""
    action = str(fate.facts.get("action", ""))
    if action == "accept":
        if fate.facts.get("removed"):
            return "stripped"
        return "labelled" if fate.facts.get("labelled") else "delivered"
    if not fate.facts and fate.result.code:
        # Before the daemon had the message, or because the daemon hung up on what no filter takes.
        return f"{'refused' if fate.result.code >= 500 else 'delayed'} by the MTA itself"
    past = {"quarantine": "quarantined", "reject": "rejected", "tempfail": "delayed"}
    return past.get(action, action) or "no answer"


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
        what = _what(fate)
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
    counts = Counter(_what(fate) for fate in fates)
    lost = [
        fate
        for fate in fates
        if (fate.result.accepted and fate.mailbox is None and fate.kept is None)
        or (fate.result.accepted and not fate.facts)
    ]
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
