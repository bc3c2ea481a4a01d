"""Commands that act on quarantined mail: release, delete, pin, learn, allow, block, expire …"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from filterd.chain.headers import points
from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, reported, who
from filterd.cli.quarantine.common import (
    IdArguments,
    ReasonOption,
    actions_of,
    command,
    perform,
    store_of,
)
from filterd.cli.quarantine.tables import outcome_line
from filterd.filters.senders import list as senders
from filterd.quarantine import expiry
from filterd.quarantine.caution import ADVICE
from filterd.quarantine.release import Releaser
from filterd.review.actions import ActionRequest, ActionResult, released
from filterd.system.display import count, size


@command("release")
def release(
    ids: IdArguments,
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS", help="only to this recipient, or to another; may be repeated"
        ),
    ] = None,
    attach: Annotated[bool, typer.Option("--attach", help="as an attachment")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="also to recipients who already have it, or may")
    ] = False,
    virus: Annotated[
        bool, typer.Option("--virus", help="even if it contains a virus; needs --reason")
    ] = False,
    learn: Annotated[
        bool,
        typer.Option("--learn", help="teach the site's model that it is ham, after the release"),
    ] = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand messages to the MTA, unchanged, with their original sender.

    Exit status 75 if the MTA does not accept one.
    """
    actions = actions_of(config)
    request = _request(
        reason,
        recipients=tuple(to or ()),
        form="attached" if attach else "original",
        again=again,
        viruses=virus,
    )
    complete = True
    for id in ids:
        (result,) = perform(actions, "release-ham" if learn else "release", [id], request)
        if not result.detail:
            fail(result.words, Exit.DATA)
        complete &= _print_release(id, result.detail["recipients"], as_json)
        if learned := result.detail.get("learned"):
            if not result.ok:
                fail(f"{id}: {learned}", Exit.CANNOT_CREATE)
            if as_json:
                emit({"id": id, "learned": learned})
            else:
                sys.stdout.write(f"{id}: {learned}\n")
    if not complete:
        raise typer.Exit(Exit.TEMPFAIL)


@command("retry")
def retry(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Try again the releases that the MTA deferred and that are due."""
    complete = True
    for id, outcome in Releaser(store_of(config)).retry():
        complete &= _print_release(id, released(id, [outcome]).detail["recipients"], as_json)
    if not complete:
        raise typer.Exit(Exit.TEMPFAIL)


@command("delete")
def delete(
    ids: IdArguments,
    now: Annotated[
        bool, typer.Option("--now", help="remove the bytes at once: no `undelete` afterwards")
    ] = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Delete messages; for `undelete_hours` they can be brought back. Description and history stay
    for a while."""
    _print(perform(actions_of(config), "delete", ids, _request(reason, at_once=now)))


@command("undelete")
def undelete(ids: IdArguments, reason: ReasonOption = "", config: ConfigOption = None) -> None:
    """Bring deleted messages back, as they were."""
    results = perform(actions_of(config), "undelete", ids, _request(reason))
    _print([one for one in results if one.ok])
    for one in results:
        if not one.ok:
            fail(one.words, Exit.NO_INPUT)


@command("pin")
def pin(
    ids: IdArguments,
    off: Annotated[bool, typer.Option("--off", help="unpin: let it expire again")] = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Keep messages from expiring."""
    perform(actions_of(config), "unpin" if off else "pin", ids, _request(reason))


@command("learn")
def learn(
    kind: Annotated[str, typer.Argument(metavar="spam|ham", help="class of the messages")],
    ids: IdArguments,
    owners: Annotated[
        list[str] | None,
        typer.Option(
            "--for",
            metavar="ADDRESS",
            help="teach this recipient's own model, or with @DOMAIN a domain's, not the site's",
        ),
    ] = None,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Teach the site's model what these messages are."""
    if kind not in ("spam", "ham"):
        fail(f"{kind!r}: expected spam or ham", Exit.USAGE)
    own: tuple[str, ...] = ()
    if owners:
        from filterd.bayes.site.recipient_folder import owner_of  # noqa: PLC0415  (numpy)

        with reported(Exit.USAGE, ValueError):
            own = tuple(map(owner_of, owners))
    _print(perform(actions_of(config), kind, ids, _request(reason, own_models=own)))


@command("rescan")
def rescan(ids: IdArguments, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Scan kept messages again, with the chain as it is today; nothing is changed."""
    actions = actions_of(config)
    for id in ids:
        before, now = actions.store.get(id), actions.rescan(id)
        if as_json:
            symbols = [{"name": s.name, "score": s.score} for s in now.symbols]
            emit(
                {
                    "id": id,
                    "action": now.action.word,
                    "score": now.score,
                    "virus": now.virus or None,
                    "symbols": symbols,
                    "before": {"action": before.action, "score": before.score},
                }
            )
        else:
            found = ", ".join(f"{s.name} {points(s.score)}" for s in now.symbols)
            sys.stdout.write(
                f"{id}: {before.action} {points(before.score)} then, "
                f"{now.action.word} {points(now.score)} now: {found}\n"
            )


@command("allow")
def allow(
    ids: IdArguments,
    everybody: Annotated[
        bool, typer.Option("--for-all", help="for all recipients, not only this message's")
    ] = False,
    unproven: Annotated[
        bool,
        typer.Option(
            "--unproven", help="also for mail that does not prove to come from these senders"
        ),
    ] = False,
    off: Annotated[bool, typer.Option("--off", help="remove the entry again")] = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Allow the senders of these messages: from now on they get negative points, if their mail
    proves to come from them (where the filter auth checks that)."""
    request = _request(reason, everybody=everybody, unproven=unproven, off=off)
    _list_senders("allow", ids, request, config)


@command("block")
def block(
    ids: IdArguments,
    everybody: Annotated[
        bool, typer.Option("--for-all", help="for all recipients, not only this message's")
    ] = False,
    off: Annotated[bool, typer.Option("--off", help="remove the entry again")] = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Block the senders of these messages: from now on they get points."""
    _list_senders("block", ids, _request(reason, everybody=everybody, off=off), config)


@command("expire")
def expire(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only list what would be deleted")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", help="do not ask, even where clock or number of messages give reason to"
        ),
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove what has expired by age, number or size; pinned messages stay."""
    store = store_of(config)
    if not (yes or dry_run or as_json) and sys.stdin.isatty():
        doubt = expiry.expire(store, who=who(), dry_run=True).doubt
        yes = bool(doubt) and typer.confirm(f"{doubt}; delete them?")
    report = expiry.expire(store, who=who(), dry_run=dry_run, confirmed=yes)
    if as_json:
        emit(
            {
                "expired": [{"id": e.id, "why": e.why, "size": e.size} for e in report.expired],
                "octets": report.octets,
                "forgotten": report.forgotten,
                "failed": [{"id": id, "reason": why} for id, why in report.failed],
                "doubt": report.doubt,
            }
        )
    else:
        for one in report.expired:
            sys.stdout.write(f"{one.id} {one.why} {size(one.size)}\n")
        verb = "would expire" if dry_run else "expired"
        sys.stdout.write(
            f"{count(len(report.expired), 'message')} {verb}, {size(report.octets)}; "
            f"{count(report.forgotten, 'old description')} forgotten\n"
        )
        for id, why in report.failed:
            sys.stderr.write(f"filterd: {id} stays: {why}\n")
    if report.doubt and not dry_run:
        fail(f"expiry is postponed: {report.doubt}; {ADVICE}", Exit.DATA)
    if report.doubt and not as_json:
        sys.stdout.write(f"this needs confirmation: {report.doubt}\n")
    if report.failed:
        raise typer.Exit(Exit.IO_ERROR)


def _list_senders(
    kind: senders.Kind, ids: list[str], request: ActionRequest, config: Path | None
) -> None:
    actions = actions_of(config)
    for id in ids:
        (result,) = perform(actions, kind, [id], request)
        if not result.ok:
            fail(result.words, Exit.DATA)
        sys.stdout.write(result.words.replace("; ", "\n") + "\n")


def _request(reason: str, **options: Any) -> ActionRequest:
    return ActionRequest(who(), "quarantine", reason, **options)


def _print(results: list[ActionResult]) -> None:
    for one in results:
        sys.stdout.write(f"{one.id}: {one.words}\n")


def _print_release(id: str, recipients: list[dict[str, Any]], as_json: bool) -> bool:
    """Print what became of a release; True if it was taken for each recipient."""
    for one in recipients:
        if as_json:
            emit({"id": id, **one})
        else:
            Console(highlight=False).print(escape(outcome_line(id, one)), soft_wrap=True)
    return all(one["state"] == "released" for one in recipients)
