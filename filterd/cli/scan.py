"""`filterd scan`: the verdict of stored messages, offline, by the same pipeline as the daemon's."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from filterd.chain.filter import built
from filterd.chain.headers import points
from filterd.chain.pipeline import Pipeline
from filterd.chain.play import play
from filterd.chain.report import ScanReport
from filterd.chain.report_codec import plain
from filterd.chain.sentence import sentence
from filterd.chain.verdict import Action
from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, left_out, reported, settings
from filterd.config.assembly import build_pipeline, site_services
from filterd.config.load import Settings
from filterd.mailfiles.corpora import read_messages
from filterd.mailfiles.mail_file import CorpusError
from filterd.message import Client, Envelope, Recipient
from filterd.message.line_ends import with_crlf

SenderOption = Annotated[str, typer.Option("--from", help="reverse-path to assume")]
RecipientsOption = Annotated[
    list[str] | None, typer.Option("--to", help="recipient to assume; may be repeated")
]
ClientOption = Annotated[
    str, typer.Option(help='SMTP client to assume: an address, or "name[address]"')
]
HeloOption = Annotated[str, typer.Option(help="HELO name to assume")]
LoginOption = Annotated[str, typer.Option(help="SMTP AUTH identity to assume")]


def scan(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help="message, folder, mbox, Maildir, index, or - (stdin)"
        ),
    ],
    config: ConfigOption = None,
    sender: SenderOption = "",
    recipients: RecipientsOption = None,
    client: ClientOption = "",
    helo: HeloOption = "",
    login: LoginOption = "",
    as_json: JsonOption = False,
) -> int:
    """Scan stored messages and print their verdicts. Nothing is delivered, changed or stored.

    A scanner that cannot be reached is left out; standard error says so once. A path that cannot be
    read is left out, and the exit status is 66.
    """
    pipeline, not_asked = offline_pipeline(settings(config))
    envelope = assumed(sender, recipients, client, login, helo)
    unread: list[str] = []
    rows = results(pipeline, messages_of(paths, unread), envelope)
    with reported(Exit.NO_INPUT, OSError):
        if as_json:
            for row in rows:
                emit(row | {"not_asked": not_asked})
                sys.stdout.flush()
        else:
            _print_table(list(rows))
    return Exit.NO_INPUT if unread else Exit.OK


def offline_pipeline(loaded: Settings) -> tuple[Pipeline, dict[str, str]]:
    """The prepared chain of the settings, and why each filter is left out that depends on a server
    which is away; standard error says so. Ends the command if the chain cannot start."""
    kept, not_asked = without_unreachable(loaded)
    for name, why in not_asked.items():
        sys.stderr.write(f"filterd: {name} was not asked: {why}\n")
    pipeline = build_pipeline(kept, keeping=False)
    with reported(Exit.UNAVAILABLE, OSError, ValueError):
        pipeline.chain.prepare()
    return pipeline, not_asked


def assumed(
    sender: str, recipients: list[str] | None, client: str, login: str, helo: str = ""
) -> Envelope:
    """The envelope that the options say."""
    return Envelope(
        sender,
        tuple(Recipient(address) for address in recipients or ()),
        assumed_client(client, helo),
        macros={"{auth_authen}": login} if login else {},
    )


def assumed_client(text: str, helo: str = "") -> Client:
    """The client that is written as an address, or as MTAs write it, `name[address]`; without one
    mail that this host's `sendmail` command submits."""
    name, bracket, address = text.removesuffix("]").partition("[")
    if not bracket:
        name, address = "", text
    return Client(name or (f"[{address}]" if address else "localhost"), address, helo=helo)


def without_unreachable(loaded: Settings) -> tuple[Settings, dict[str, str]]:
    """The settings without the filters that depend on a server which is away now, and why each is
    left out. In the mail flow such a message would wait; who looks at a file wants to know what
    the other filters say of it."""
    away, services = {}, site_services(loaded)
    for name in loaded.chain.filters:
        probe = getattr(built(loaded.filters[name].own, services), "unreachable", None)
        if probe is not None and (why := probe()):
            away[name] = why
    kept = tuple(name for name in loaded.chain.filters if name not in away)
    return replace(loaded, chain=replace(loaded.chain, filters=kept)), away


def messages_of(paths: Iterable[str], unread: list[str]) -> Iterator[tuple[str, bytes]]:
    """Name and octets of each message at these paths. unread: is given the paths that cannot be
    read, in whole or from some message on; standard error says why."""
    for path in paths:
        try:
            for _label, name, data in read_messages(path, left_out):
                yield name, data
        except (CorpusError, OSError) as error:
            left_out(error)
            unread.append(path)


def results(
    pipeline: Pipeline, messages: Iterable[tuple[str, bytes]], envelope: Envelope
) -> Iterator[dict[str, Any]]:
    """One plain value a message, by its name and octets: what `filterd scan --json` prints."""
    for name, data in messages:
        yield as_row(name, play(pipeline, envelope, with_crlf(data)))


def as_row(name: str, report: ScanReport) -> dict[str, Any]:
    """The report as a plain value."""
    return {"file": name, "verdict": sentence(report), **plain(report)}


_STYLES = {
    Action.ACCEPT.word: "green",
    Action.QUARANTINE.word: "yellow",
    Action.DISCARD.word: "yellow",
    Action.TEMPFAIL.word: "magenta",
    Action.REJECT.word: "red",
}


def rules(outcomes: list[dict[str, Any]]) -> str:
    """The rule that decided; where recipients differ, what each of them gets and by which rule."""
    if len({(one["action"], one["rule"]) for one in outcomes}) == 1:
        return escape(str(outcomes[0]["rule"]))
    return escape(
        ", ".join(f"{one['recipient']}: {one['action']} ({one['rule']})" for one in outcomes)
    )


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("file", overflow="fold")
    table.add_column("action")
    table.add_column("score", justify="right")
    table.add_column("p", justify="right")
    table.add_column("rule", overflow="fold")
    table.add_column("why", overflow="fold")
    for row in rows:
        action = row["action"] + (
            " (labelled)" if row["labelled"] and row["action"] == "accept" else ""
        )
        p = "" if row["probability"] is None else f"{row['probability']:.3f}"
        table.add_row(
            row["file"],
            f"[{_STYLES[row['action']]}]{action}[/]",
            points(row["score"]),
            p,
            rules(row["outcomes"]),
            ", ".join(f"{s['name']} {points(s['score'])}" for s in row["symbols"]),
        )
    Console().print(table)
