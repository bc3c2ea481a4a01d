"""What is done with quarantined mail: release, retry, delete, pin, learn, allow, block, expire."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, settings
from filterd.cli.learn import who
from filterd.cli.quarantine.common import IdArguments, ReasonOption, command, store_of
from filterd.cli.quarantine.tables import outcome_line
from filterd.filters import senders
from filterd.quarantine import Store
from filterd.quarantine.journal import What


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

    releaser = Releaser(store_of(config))
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

    if not _told(Releaser(store_of(config)).retry(), as_json):
        raise typer.Exit(Exit.TEMPFAIL)


@command("delete")
def delete(ids: IdArguments, reason: ReasonOption = "", config: ConfigOption = None) -> None:
    """Delete messages' bytes; their description and history stay for a while."""
    store = store_of(config)
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
    store = store_of(config)
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


@command("allow")
def allow(
    ids: IdArguments,
    everybody: Annotated[
        bool, typer.Option("--for-all", help="for all recipients, not only this message's")
    ] = False,
    off: Annotated[bool, typer.Option("--off", help="take the entry out again")] = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Allow the senders of these messages: from now on they get negative points."""
    _list_senders("allow", ids, everybody, off, reason, config)


@command("block")
def block(
    ids: IdArguments,
    everybody: Annotated[
        bool, typer.Option("--for-all", help="for all recipients, not only this message's")
    ] = False,
    off: Annotated[bool, typer.Option("--off", help="take the entry out again")] = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Block the senders of these messages: from now on they get points."""
    _list_senders("block", ids, everybody, off, reason, config)


@command("expire")
def expire(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would go")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove what has expired by age, number or size; pinned messages stay."""
    from filterd.quarantine import expiry  # noqa: PLC0415

    report = expiry.expire(store_of(config), who=who(), dry_run=dry_run)
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


def _list_senders(
    kind: senders.Kind, ids: list[str], everybody: bool, off: bool, reason: str,
    config: Path | None,
) -> None:  # fmt: skip
    loaded = settings(config)
    store = Store(loaded.quarantine)
    entry = loaded.filters.get("senders")
    path = (entry.own if entry is not None else senders.Senders()).file
    if "senders" not in loaded.chain.filters:
        sys.stderr.write(
            'warning: "senders" is not in [chain] filters, so the list has no effect\n'
        )
    for id in ids:
        found = store.get(id)
        recipients = [senders.EVERYBODY] if everybody else (found.held_for or found.recipients)
        for recipient in recipients:
            if not found.sender:
                fail(f"{id} has the null sender, which stands for many", Exit.DATA)
            one = senders.Entry(kind, found.sender, recipient)
            try:
                changed = senders.change(path, one, remove=off)
            except OSError as error:
                fail(f"{path}: {error.strerror}", Exit.CANNOT_CREATE)
            word: What = "unlisted" if off else "allowed" if kind == "allow" else "blocked"
            if changed:
                store.note(word, id, who(), f"{one} {reason}".rstrip())
            sys.stdout.write(f"{one}: {word if changed else 'nothing to change'}\n")


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
