"""`filterd notice`: notices by mail and webhooks, tried by hand."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, reported, settings
from filterd.config.load import Settings
from filterd.config.notices import KINDS, OF_MESSAGES, EventKind
from filterd.notices.compose import NoticeError, NoticeWriter
from filterd.notices.payload import payload
from filterd.notices.queue import NoticeQueue, QueuedNotice
from filterd.notices.run import writer_of
from filterd.notices.samples import sample
from filterd.notices.sending import Result, send, target_for_logs
from filterd.quarantine.settings import ADDRESS
from filterd.system.display import printable, when

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Notices by mail and webhooks: try them, see what waits.",
)

KindArgument = Annotated[str, typer.Argument(metavar="[KIND]", help=", ".join(KINDS))]


@app.command("test")
def test(
    kind: KindArgument = "held",
    to: Annotated[
        str, typer.Option("--to", metavar="ADDRESS", help="send it there, and to nobody else")
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a sample now to everybody who is told of such events (recipients by --to only).

    Exit status 75 if one has to be sent later, 69 if one was refused.
    """
    loaded, now, wanted = settings(config), time.time(), _kind(kind)
    if to and not ADDRESS.fullmatch(to):
        fail(f"{to!r} is not an address; expected postmaster@mx.example", Exit.USAGE)
    outcomes = set()
    with reported(Exit.UNAVAILABLE, NoticeError, OSError):
        items = [*_items(loaded, writer_of(loaded), wanted, to, now)]
        for item in items:
            result = send(loaded, item, now)
            outcomes.add(result.outcome)
            _tell(item, result, as_json=as_json)
    if not items:
        fail(f"nobody is told of {wanted} in [notices]; expected --to ADDRESS", Exit.CONFIG)
    if "refused" in outcomes:
        raise typer.Exit(Exit.UNAVAILABLE)
    if "later" in outcomes:
        raise typer.Exit(Exit.TEMPFAIL)


@app.command("show")
def show(
    kind: KindArgument = "held",
    recipient: Annotated[
        bool, typer.Option("--recipient", help="as a recipient would get it")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Print a sample notice by mail, without sending it."""
    loaded, now, wanted = settings(config), time.time(), _kind(kind)
    _needs_sender(loaded)
    if recipient and wanted not in OF_MESSAGES:
        fail(f"{wanted} has no recipient; expected {', '.join(OF_MESSAGES)}", Exit.USAGE)
    address = (loaded.notices.addresses(wanted) or ("postmaster@mx.example",))[0]
    with reported(Exit.CONFIG, NoticeError), reported(Exit.UNAVAILABLE, OSError):
        data = _message(writer_of(loaded), wanted, address, now, as_recipient=recipient)
    sys.stdout.write(data.decode("ascii").replace("\r\n", "\n"))


@app.command("queue")
def queue(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List what waits to be sent, with the time of the next try."""
    loaded = settings(config)
    with reported(Exit.IO_ERROR, OSError):
        waiting = NoticeQueue.of(loaded).everything()
    for due, item in waiting:
        target = printable(target_for_logs(item))
        if as_json:
            emit(
                {
                    "channel": item.channel,
                    "target": target,
                    "kind": item.kind,
                    "events": item.events,
                    "made": item.made,
                    "tries": item.tries,
                    "next": due,
                }
            )
        else:
            sys.stdout.write(
                f"{when(due)}  {item.kind:<9}{item.channel:<8} {target}  "
                f"({item.events} events, tried {item.tries} times)\n"
            )
    if not waiting and not as_json:
        sys.stdout.write("nothing waits\n")


def _kind(text: str) -> EventKind:
    found = next((kind for kind in KINDS if kind == text), None)
    if found is None:
        fail(f"{text!r} is not a kind of event; expected one of {', '.join(KINDS)}", Exit.USAGE)
    return found


def _needs_sender(loaded: Settings) -> None:
    if not loaded.notices.sender:
        fail("notices.sender is not set; expected postmaster@mx.example", Exit.CONFIG)


def _items(
    loaded: Settings, writer: NoticeWriter, kind: EventKind, to: str, now: float
) -> Iterator[QueuedNotice]:
    addresses = (to,) if to else loaded.notices.addresses(kind)
    if addresses:
        _needs_sender(loaded)
    for address in addresses:
        data = _message(writer, kind, address, now)
        yield QueuedNotice(
            "mail", address, secrets.token_hex(16), kind, 1, now, data.decode("ascii")
        )
    if to:
        return
    for hook in loaded.notices.webhooks:
        if kind in hook.events:
            body = payload(sample(kind, now), writer.host, subject=hook.subject, is_test=True)
            text = body.decode("ascii")
            yield QueuedNotice("webhook", hook.url, secrets.token_hex(16), kind, 1, now, text)


def _message(
    writer: NoticeWriter, kind: EventKind, address: str, now: float, *, as_recipient: bool = False
) -> bytes:
    event = sample(kind, now)
    recipient = address if as_recipient else None
    return writer.message(kind, address, [event], now, recipient=recipient, is_test=True)


def _tell(item: QueuedNotice, result: Result, *, as_json: bool) -> None:
    target = printable(target_for_logs(item))
    if as_json:
        emit({"target": target, "outcome": result.outcome, "reply": result.reply})
    else:
        sys.stdout.write(f"{target}: {result.outcome} ({printable(result.reply)})\n")
