"""Looking at the quarantine: list, show, raw, stats, audit, export, fsck."""

from __future__ import annotations

import contextlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from filterd.chain.sentence import sentence
from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, settings, who
from filterd.cli.listing import WIDE, moment, print_timeline, tell_trouble
from filterd.cli.quarantine.common import (
    IdArgument,
    IdArguments,
    actions_of,
    command,
    store_of,
)
from filterd.cli.quarantine.tables import description, event_table, message_table, stats_table
from filterd.config.assembly import open_history
from filterd.history import History, HistoryError
from filterd.maillog.log import MailLog
from filterd.quarantine.query import NEWEST_FIRST, Query
from filterd.review.actions import ActionRequest
from filterd.review.timeline import timeline
from filterd.system import privileges

if TYPE_CHECKING:
    from filterd.history.recovery import Recovery


@command("list")
def list_(
    config: ConfigOption = None,
    sender: Annotated[str, typer.Option(help="a part of the envelope sender")] = "",
    recipient: Annotated[str, typer.Option(help="a part of a recipient")] = "",
    domain: Annotated[str, typer.Option(help="domain of the sender or of a recipient")] = "",
    subject: Annotated[str, typer.Option(help="a part of the subject")] = "",
    text: Annotated[str, typer.Option(help="in sender, recipients, subject, ids, client")] = "",
    reason: Annotated[
        str, typer.Option(help="spam, virus, banned, policy, discarded, stripped or failed")
    ] = "",
    state: Annotated[
        str,
        typer.Option(help="held, releasing, released, failed, copy, deleted, expired, or waiting"),
    ] = "",
    symbol: Annotated[str, typer.Option(help="a symbol's whole name")] = "",
    virus: Annotated[str, typer.Option(help="a part of the virus name")] = "",
    since: Annotated[str, typer.Option(metavar="DATE", help="2026-11-23 or with T12:00")] = "",
    until: Annotated[str, typer.Option(metavar="DATE", help="before this time")] = "",
    score_from: Annotated[float | None, typer.Option(help="points, at least")] = None,
    score_to: Annotated[float | None, typer.Option(help="points, at most")] = None,
    pinned: Annotated[
        bool | None, typer.Option(help="only pinned messages, or only others")
    ] = None,
    sort: Annotated[
        str, typer.Option(help="received, score, sender or size; with -, greatest first")
    ] = NEWEST_FIRST,
    limit: Annotated[int, typer.Option(help="how many")] = 50,
    after: Annotated[str, typer.Option(help="`next` of the previous page")] = "",
    as_json: JsonOption = False,
) -> None:
    """List what is kept, newest first or as --sort says; all conditions must hold."""
    page = store_of(config).index.search(
        Query(
            sender,
            recipient,
            domain,
            subject,
            text,
            reason,
            state,
            symbol,
            virus,
            moment(since),
            moment(until),
            score_from,
            score_to,
            pinned,
            limit,
            after,
            sort=sort,
        )
    )
    if as_json:
        for row in page.rows:
            emit(row.to_json())
        if page.next:
            emit({"next": page.next})
        return
    # Not on a terminal (`| grep`), nothing has to be squeezed into a window.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    console.print(message_table(page.rows, console.width) if page.rows else "no matching messages")
    if page.next:
        console.print(f"there is more: --after {shlex.quote(page.next)}")


@command("show")
def show(id: IdArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one message: envelope, verdict, reasons, and what was done with it."""
    store = store_of(config)
    entry, delivery_state = store.get(id), store.delivery_state(id)
    events = list(store.journal.events(id))
    log = MailLog(settings(config).maillog)
    told = timeline(entry, entry.received.timestamp(), events, log)
    store.note("viewed", id, who())
    if as_json:
        emit(
            {
                **entry.to_json(),
                "verdict": sentence(entry),
                "path": str(store.path(id)),
                "state": delivery_state.state,
                "pinned": delivery_state.pinned,
                "deliveries": [
                    {
                        "recipient": d.recipient,
                        "state": d.state,
                        "reply": d.reply,
                        "queue_id": d.queue_id,
                        "attempts": d.attempts,
                    }
                    for d in delivery_state.deliveries
                ],
                "events": [event.to_json() for event in events],
                "timeline": [step.to_json() for step in told.steps],
            }
        )
        tell_trouble(told)
        return
    Console(highlight=False).print(description(entry, delivery_state, str(store.path(id))))
    print_timeline(told)


@command("raw")
def raw(
    id: IdArgument,
    part: Annotated[
        int, typer.Option(min=0, metavar="N", help="only the N-th removed part, from 1")
    ] = 0,
    config: ConfigOption = None,
) -> None:
    """Write the exact bytes of a message, or of a copy of recent mail, to standard output."""
    data = actions_of(config).download(id, ActionRequest(who()), part)
    sys.stdout.buffer.write(data)


@command("stats")
def stats(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Count what is kept, by reason and state."""
    counts = store_of(config).index.counts()
    if as_json:
        for reason, state, number, octets in counts:
            emit({"reason": reason, "state": state, "messages": number, "octets": octets})
        return
    Console(highlight=False).print(stats_table(counts) if counts else "the quarantine is empty")


@command("audit")
def audit(
    id: Annotated[str, typer.Argument(metavar="[ID]", help="only this message")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who did what, when and why, oldest first."""
    events = list(store_of(config).journal.events(id or None))
    if as_json:
        for event in events:
            emit(event.to_json())
        return
    Console(highlight=False).print(
        event_table(events) if events else "nothing was done with it yet"
    )


@command("export")
def export(
    ids: IdArguments,
    folder: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="where the files go; must exist")
    ],
    config: ConfigOption = None,
) -> None:
    """Copy messages and their descriptions into a folder, as ID.eml and ID.json."""
    store = store_of(config)
    for id in ids:
        data, entry = store.read(id), store.get(id)
        files = {f"{id}.eml": data, f"{id}.json": entry.encode()}
        try:
            with privileges.as_caller():
                _write_aside(folder, files)
            # Nobody has the message before the journal says so, and the journal says nothing of
            # one that could not be written.
            store.note("exported", id, who(), str(folder))
            with privileges.as_caller():
                for name in files:
                    (folder / (name + _ASIDE)).replace(folder / name)
        except OSError as error:
            fail(f"{error.filename}: {error.strerror}", Exit.CANNOT_CREATE)


_ASIDE = ".part"
"""The end of a file's name until all files of its message are written."""


def _write_aside(folder: Path, files: dict[str, bytes]) -> None:
    """Write files under other names; none of them stays if one cannot be written. Raises
    OSError."""
    try:
        for name, data in files.items():
            (folder / (name + _ASIDE)).write_bytes(data)
    except OSError as error:
        for name in files:
            with contextlib.suppress(OSError):
                (folder / (name + _ASIDE)).unlink()
        # A full disk is told without a name.
        error.filename = error.filename or str(folder / next(iter(files)))
        raise


@command("fsck")
def fsck(
    config: ConfigOption = None,
    repair: Annotated[bool, typer.Option(help="make the index agree with the files")] = True,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="set the index aside and rebuild it in any case")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare files, journal and index, and repair the index.

    An index or a history that cannot be used is set aside and rebuilt. Exit status 65 if files are
    damaged.
    """
    store = store_of(config)
    report = store.fsck(repair=repair, rebuild=rebuild)
    fault, recovery = _history(open_history(settings(config)), repair=repair)
    if as_json:
        emit(
            {
                "checked": report.checked,
                "added": report.added,
                "stale": report.stale,
                "restated": report.restated,
                "finished": report.finished,
                "damaged": [{"id": id, "reason": reason} for id, reason in report.damaged],
                "index": {"fault": report.fault, "aside": report.aside},
                "history": {
                    "fault": fault,
                    "aside": recovery.aside if recovery else "",
                    "saved": recovery.saved if recovery else None,
                    "lost": recovery.lost if recovery else None,
                },
            }
        )
    else:
        done = "" if repair else " (not repaired)"
        if report.fault:
            kept = f"; it is kept as {report.aside}, a new one was made" if report.aside else done
            sys.stdout.write(f"the index could not be used: {report.fault}{kept}\n")
        sys.stdout.write(
            f"{report.checked} messages; missing in the index: {len(report.added)}{done}; "
            f"in the index without files: {len(report.stale)}{done}; "
            f"with another state than the journal's: {len(report.restated)}{done}; "
            f"damaged: {len(report.damaged)}\n"
        )
        if report.finished:
            sys.stdout.write(f"deletions that were left half done: {len(report.finished)}{done}\n")
        for id, reason in report.damaged:
            sys.stdout.write(f"damaged {id}: {reason}\n")
        if fault:
            sys.stdout.write(f"the history could not be used: {recovery or fault + done}\n")
    if report.damaged:
        raise typer.Exit(Exit.DATA)


def _history(history: History, *, repair: bool) -> tuple[str, Recovery | None]:
    """Why the history cannot be used, and what was done about it."""
    from filterd.history.recovery import recover  # noqa: PLC0415  (loads the database)

    try:
        fault = history.trouble()
        return fault, recover(history) if fault and repair else None
    except HistoryError as error:
        fail(str(error), Exit.IO_ERROR)
