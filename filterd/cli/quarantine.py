"""`filterd quarantine`: what is kept, why, and what is to become of it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, settings
from filterd.cli.learn import who
from filterd.cli.quarantine_tables import (
    description,
    event_table,
    message_table,
    outcome_line,
    stats_table,
)
from filterd.quarantine import GoneError, Store, StoreError, UnknownIdError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="List, show, release and delete quarantined mail.",
)  # fmt: skip

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="from a reply, a log line or `list`")]
IdArguments = Annotated[list[str], typer.Argument(metavar="ID...", help="one or more ids")]
ReasonOption = Annotated[str, typer.Option("--reason", "-m", help="why, for the audit trail")]


def command(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command, with the store's errors as one line and an exit status."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            from filterd.quarantine.query import QueryError  # noqa: PLC0415
            from filterd.quarantine.release import ReleaseError  # noqa: PLC0415

            try:
                function(*args, **kwargs)
            except (UnknownIdError, GoneError) as error:
                fail(str(error), Exit.NO_INPUT)
            except QueryError as error:
                fail(str(error), Exit.USAGE)
            except ReleaseError as error:
                fail(str(error), Exit.DATA)
            except StoreError as error:
                fail(str(error), Exit.IO_ERROR)
            except ValueError as error:
                fail(str(error), Exit.NO_INPUT)

        app.command(name)(guarded)
        return guarded

    return register


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
        str, typer.Option(help="held, releasing, released, failed, copy, deleted or expired")
    ] = "",
    symbol: Annotated[str, typer.Option(help="a symbol's whole name")] = "",
    virus: Annotated[str, typer.Option(help="a part of the virus name")] = "",
    since: Annotated[str, typer.Option(metavar="DATE", help="2026-11-23 or with T12:00")] = "",
    until: Annotated[str, typer.Option(metavar="DATE", help="before this moment")] = "",
    score_from: Annotated[float | None, typer.Option(help="points, at least")] = None,
    score_to: Annotated[float | None, typer.Option(help="points, at most")] = None,
    pinned: Annotated[bool | None, typer.Option(help="only pinned ones, or only others")] = None,
    limit: Annotated[int, typer.Option(help="how many, newest first")] = 50,
    after: Annotated[str, typer.Option(help="the `next` of the page before")] = "",
    as_json: JsonOption = False,
) -> None:
    """List what is kept, newest first; all conditions must hold."""
    from filterd.quarantine.query import Query  # noqa: PLC0415

    page = _store(config).index.search(
        Query(
            sender, recipient, domain, subject, text, reason, state, symbol, virus,
            _moment(since), _moment(until), score_from, score_to, pinned, limit, after,
        )
    )  # fmt: skip
    if as_json:
        for row in page.rows:
            emit(row.to_json())
        if page.next:
            emit({"next": page.next})
        return
    console = Console(highlight=False)
    console.print(message_table(page.rows) if page.rows else "nothing of that is in the quarantine")
    if page.next:
        console.print(f"there is more: --after {page.next}")


@command("show")
def show(id: IdArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one message: envelope, verdict, reasons, and what was done with it."""
    store = _store(config)
    entry, standing = store.get(id), store.standing(id)
    events = [event.to_json() for event in store.journal.events(id)]
    store.note("viewed", id, who())
    if as_json:
        emit(
            {
                **entry.to_json(),
                "path": str(store.path(id)),
                "state": standing.state,
                "pinned": standing.pinned,
                "deliveries": [
                    {"recipient": d.recipient, "state": d.state, "reply": d.reply,
                     "queue_id": d.queue_id, "attempts": d.attempts}
                    for d in standing.deliveries
                ],
                "events": events,
            }
        )  # fmt: skip
        return
    Console(highlight=False).print(description(entry, standing, str(store.path(id))))


@command("raw")
def raw(
    id: IdArgument,
    part: Annotated[
        int, typer.Option(min=0, metavar="N", help="only the N-th removed part, from 1")
    ] = 0,
    config: ConfigOption = None,
) -> None:
    """Write the message's exact bytes to standard output."""
    store = _store(config)
    data = store.part(id, part) if part else store.read(id)
    store.note("exported", id, who(), f"part {part}" if part else "")
    sys.stdout.buffer.write(data)


@command("release")
def release(
    ids: IdArguments,
    to: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="only to this one, or to another; may be repeated"),
    ] = None,
    attach: Annotated[bool, typer.Option("--attach", help="as an attachment")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="also to those who have it, or may have it")
    ] = False,
    virus: Annotated[
        bool, typer.Option("--virus", help="although it has a virus; needs --reason")
    ] = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand messages to the MTA, unchanged, with their own sender. Status 75 if any is not taken."""
    from filterd.quarantine.release import Releaser  # noqa: PLC0415

    releaser = Releaser(_store(config))
    complete = True
    for id in ids:
        outcomes = releaser.release(
            id, to or (), who=who(), note=reason, form="attached" if attach else "original",
            again=again, virus=virus,
        )  # fmt: skip
        complete &= _told(((id, outcome) for outcome in outcomes), as_json)
    if not complete:
        raise typer.Exit(Exit.TEMPFAIL)


@command("retry")
def retry(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Try again the releases that the MTA put off and that are due."""
    from filterd.quarantine.release import Releaser  # noqa: PLC0415

    if not _told(Releaser(_store(config)).retry(), as_json):
        raise typer.Exit(Exit.TEMPFAIL)


@command("delete")
def delete(ids: IdArguments, reason: ReasonOption = "", config: ConfigOption = None) -> None:
    """Delete messages' bytes; their description and history stay for a while."""
    store = _store(config)
    for id in ids:
        freed = store.delete(id, who(), reason)
        sys.stdout.write(f"{id}: {freed} octets deleted\n" if freed else f"{id}: was gone\n")


@command("pin")
def pin(
    ids: IdArguments,
    off: Annotated[bool, typer.Option("--off", help="let it expire again")] = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Keep messages from expiring."""
    store = _store(config)
    for id in ids:
        store.pin(id, who(), reason, pinned=not off)


@command("learn")
def learn(
    kind: Annotated[str, typer.Argument(metavar="spam|ham", help="what the messages are")],
    ids: IdArguments,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Teach the site's model what these messages are."""
    from filterd.bayes.folder import ModelFolder  # noqa: PLC0415
    from filterd.bayes.journal import JournalError  # noqa: PLC0415
    from filterd.bayes.learner import Learner  # noqa: PLC0415
    from filterd.bayes.store import ModelFileError  # noqa: PLC0415
    from filterd.cli.learn import bayes_filter  # noqa: PLC0415
    from filterd.message import Message  # noqa: PLC0415

    if kind not in ("spam", "ham"):
        fail(f"{kind!r} is neither spam nor ham", Exit.USAGE)
    loaded = settings(config)
    store = Store(loaded.quarantine)
    messages = [(id, Message(store.read(id))) for id in ids]
    try:
        with Learner(ModelFolder(bayes_filter(loaded).models), who(), "quarantine") as learner:
            outcomes = [(id, learner.learn(m, spam=kind == "spam")) for id, m in messages]
    except (ModelFileError, JournalError) as error:
        fail(str(error), Exit.CANNOT_CREATE)
    for id, outcome in outcomes:
        store.note("learned", id, who(), f"{kind} {reason}".rstrip())
        sys.stdout.write(f"{id}: {outcome.value} as {kind}\n")


@command("expire")
def expire(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would go")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove what has expired by age, number or size; pinned messages stay."""
    from filterd.quarantine import expiry  # noqa: PLC0415

    report = expiry.expire(_store(config), who=who(), dry_run=dry_run)
    if as_json:
        emit(
            {
                "expired": [{"id": e.id, "why": e.why, "size": e.size} for e in report.expired],
                "octets": report.octets,
                "forgotten": report.forgotten,
                "failed": [{"id": id, "reason": why} for id, why in report.failed],
            }
        )
    else:
        for one in report.expired:
            sys.stdout.write(f"{one.id} {one.why} {one.size}\n")
        verb = "would go" if dry_run else "expired"
        sys.stdout.write(
            f"{len(report.expired)} messages {verb}, {report.octets} octets; "
            f"{report.forgotten} old descriptions forgotten\n"
        )
        for id, why in report.failed:
            sys.stderr.write(f"filterd: {id} stays: {why}\n")
    if report.failed:
        raise typer.Exit(Exit.IO_ERROR)


@command("stats")
def stats(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Count what is kept, by reason and state."""
    counts = _store(config).index.counts()
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
    events = list(_store(config).journal.events(id or None))
    if as_json:
        for event in events:
            emit(event.to_json())
        return
    Console(highlight=False).print(event_table(events) if events else "nothing was done yet")


@command("export")
def export(
    ids: IdArguments,
    folder: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="where the files go; must exist")
    ],
    config: ConfigOption = None,
) -> None:
    """Copy messages and their descriptions into a folder, as ID.eml and ID.json."""
    store = _store(config)
    for id in ids:
        data, entry = store.read(id), store.get(id)
        store.note("exported", id, who(), str(folder))
        try:
            (folder / f"{id}.eml").write_bytes(data)
            (folder / f"{id}.json").write_bytes(entry.encode())
        except OSError as error:
            fail(f"{error.filename}: {error.strerror}", Exit.CANNOT_CREATE)


@command("fsck")
def fsck(
    config: ConfigOption = None,
    repair: Annotated[bool, typer.Option(help="make the index agree with the files")] = True,
    as_json: JsonOption = False,
) -> None:
    """Compare files, journal and index, and mend the index. Status 65 if files are damaged."""
    report = _store(config).fsck(repair=repair)
    if as_json:
        emit({
            "checked": report.checked, "added": report.added, "stale": report.stale,
            "restated": report.restated,
            "damaged": [{"id": id, "reason": reason} for id, reason in report.damaged],
        })  # fmt: skip
    else:
        done = "" if repair else " (not repaired)"
        sys.stdout.write(
            f"{report.checked} messages; missing in the index: {len(report.added)}{done}; "
            f"in the index without files: {len(report.stale)}{done}; "
            f"with another state than the journal's: {len(report.restated)}{done}; "
            f"damaged: {len(report.damaged)}\n"
        )
        for id, reason in report.damaged:
            sys.stdout.write(f"damaged {id}: {reason}\n")
    if report.damaged:
        raise typer.Exit(Exit.DATA)


def _store(config: Path | None) -> Store:
    return Store(settings(config).quarantine)


def _moment(text: str) -> float | None:
    """Local time, `2026-11-23` or `2026-11-23T12:00`, as seconds since 1970."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError:
        fail(f"{text!r} is no date; right would be 2026-11-23 or 2026-11-23T12:00", Exit.USAGE)


def _told(found: Any, as_json: bool) -> bool:
    """Print what became of releases; True if each was taken."""
    complete = True
    for id, outcome in found:
        complete &= outcome.state == "released"
        if as_json:
            emit(
                {"id": id, "recipient": outcome.recipient, "state": outcome.state,
                 "reply": outcome.reply, "queue_id": outcome.queue_id, "done": outcome.done}
            )  # fmt: skip
        else:
            Console(highlight=False).print(escape(outcome_line(id, outcome)), soft_wrap=True)
    return complete
