"""`filterd mta`: run the embedded MTA, send mail to a server, look after held messages.

Each command imports what it needs itself, so that the queue is listed without rules and maps.
"""

from __future__ import annotations

import asyncio
import dataclasses
import getpass
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

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
from filterd.mta.mail.entry import QueueEntry
from filterd.mta.queue.spool import Spool, SpoolError
from filterd.system import privileges

if TYPE_CHECKING:
    from filterd.mta.delivery.client import SendResult

app = typer.Typer(
    help="The embedded reference MTA.", no_args_is_help=True, pretty_exceptions_enable=False
)
queue_app = typer.Typer(help="Messages in the MTA's queue.", no_args_is_help=True)
app.add_typer(queue_app, name="queue")

CfOption = Annotated[
    Path | None, typer.Option("--cf", metavar="FILE", help="run with this sendmail.cf")
]
McOption = Annotated[
    Path | None, typer.Option("--mc", metavar="FILE", help="the same, from a sendmail.mc by m4")
]
MacrosOption = Annotated[
    Path | None,
    typer.Option(
        "--macros",
        metavar="DIR",
        help="where sendmail's m4 files are (default: where distributions install them)",
    ),
]
FlavourOption = Annotated[
    Literal["sendmail", "postfix"] | None, typer.Option(help="the MTA to behave as")
]
FilterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="'NAME, S=…, F=…, T=…'",
        help="a milter, as sendmail's INPUT_MAIL_FILTER has it, or 'NAME: {…}' as Postfix's "
        "smtpd_milters; may be repeated",
    ),
]
SpoolOption = Annotated[Path | None, typer.Option("--spool", help="folder of the queue")]

CF_LIMIT = 8 << 20
"""Octets of a sendmail.cf; a stock one has 60,000."""


@app.command()
def run(
    config: ConfigOption = None,
    cf: CfOption = None,
    mc: McOption = None,
    macros: MacrosOption = None,
    port: Annotated[int | None, typer.Option(help="port to listen on; 0: any free one")] = None,
    spool: SpoolOption = None,
    mail: Annotated[Path | None, typer.Option(help="folder of the mailboxes")] = None,
    hostname: Annotated[str | None, typer.Option(help="the MTA's own name")] = None,
    flavour: FlavourOption = None,
    filters: FilterOption = None,
    passwords: Annotated[
        Path | None,
        typer.Option(
            "--passwords",
            metavar="FILE",
            help="users who may log in, as [mta] passwords has them; with --cf in place of SASL",
        ),
    ] = None,
    allow_programs: Annotated[
        bool,
        typer.Option(
            "--allow-programs",
            help="run programs that a sendmail.cf names for maps (class program) and classes (F|)",
        ),
    ] = False,
    faults: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="'NAME: FAULT at STAGE'",
            help="replace NAME by a filter that misbehaves, e.g. 'f1: close at body'",
        ),
    ] = None,
) -> None:
    """Run the MTA in the foreground until SIGTERM or SIGINT."""
    from filterd.cli import mta_run  # noqa: PLC0415

    source = mta_run.ConfigSource(
        config=config,
        cf=cf,
        mc=mc,
        macros=macros,
        port=port,
        spool=spool,
        mail=mail,
        hostname=hostname,
        flavour=flavour,
        filters=tuple(filters or ()),
        passwords=passwords,
        allow_programs=allow_programs,
    )
    mta_run.run(source, faults or [])


@app.command()
def test(
    addresses: Annotated[
        list[str] | None, typer.Argument(metavar="ADDRESS...", help="addresses to resolve")
    ] = None,
    config: ConfigOption = None,
    cf: CfOption = None,
    mc: McOption = None,
    macros: MacrosOption = None,
    flavour: FlavourOption = None,
    filters: FilterOption = None,
    mx: Annotated[bool, typer.Option("--mx", help="look up the MX of other hosts in DNS")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show where mail for an address would go, and each filter's settings, without running.

    Exit status 67 if an address is undeliverable.
    """
    from filterd.cli import mta_resolve, mta_run  # noqa: PLC0415

    source = mta_run.ConfigSource(
        config=config,
        cf=cf,
        mc=mc,
        macros=macros,
        flavour=flavour,
        filters=tuple(filters or ()),
    )
    mta_resolve.test(source, addresses or [], mx=mx, as_json=as_json)


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
    },
)
def bt(context: typer.Context) -> None:
    """sendmail's address test mode: `filterd mta bt -C FILE [-d…] [-M…] [-O…]`, then `?`."""
    from filterd.cli import mta_bt  # noqa: PLC0415

    raise typer.Exit(mta_bt.bt(context.args))


@app.command()
def build(
    mc: Annotated[Path, typer.Argument(metavar="FILE", help="the sendmail.mc")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="write the sendmail.cf there"),
    ] = None,
    macros: MacrosOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="say what each directive means and makes")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="only say what is wrong and would change")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a sendmail.cf of a sendmail.mc by m4, and report mistakes by line of the mc.

    Without --output the sendmail.cf is printed. Exit status 78, and nothing is written, if
    sendmail could not start with the result.
    """
    from filterd.cli import mta_build  # noqa: PLC0415

    mta_build.run(mc, output, macros, explain=explain, dry_run=dry_run, as_json=as_json)


@app.command()
def trace(
    addresses: Annotated[list[str], typer.Argument(metavar="ADDRESS...", help="what to trace")],
    cf: Annotated[Path | None, typer.Option("--cf", metavar="FILE", help="a sendmail.cf")] = None,
    mc: Annotated[
        Path | None, typer.Option("--mc", metavar="FILE", help="a sendmail.mc, built by m4")
    ] = None,
    macros: MacrosOption = None,
    sender: Annotated[bool, typer.Option("--sender", help="as a sender's address")] = False,
    kind: Annotated[
        Literal["envelope", "header"], typer.Option("--as", help="where the address stands")
    ] = "envelope",
    mailer: Annotated[
        str | None,
        typer.Option("--mailer", metavar="NAME", help="how this mailer sees it, not where it goes"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show every rule that matches an address: its line, what each wildcard took, each lookup.

    Exit status 67 if an address goes nowhere.
    """
    from filterd.cli import mta_trace  # noqa: PLC0415
    from filterd.cli.mta_rules import read_rules  # noqa: PLC0415

    if (cf is None) == (mc is None):
        fail("expected either --cf FILE or --mc FILE", Exit.USAGE)
    file = read_rules(cf or mc or Path(), macros, is_mc=mc is not None)
    asked = mta_trace.question(sender=sender, kind=kind, mailer=mailer)
    raise typer.Exit(mta_trace.trace(file, addresses, asked, as_json=as_json))


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="a sendmail.cf, or a .mc")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="the same, changed")],
    addresses: Annotated[
        list[str] | None,
        typer.Argument(metavar="ADDRESS...", help="addresses; `-` reads them, one a line"),
    ] = None,
    macros: MacrosOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which addresses two configurations treat differently, as recipients and as senders.

    Exit status 1 if some do.
    """
    from filterd.cli import mta_diff  # noqa: PLC0415
    from filterd.cli.mta_rules import read_rules  # noqa: PLC0415

    given = [
        address
        for one in addresses or []
        for address in (map(str.strip, sys.stdin) if one == "-" else [one])
        if address
    ]
    if not given:
        fail("expected addresses, or `-` for those on standard input", Exit.USAGE)
    files = read_rules(old, macros), read_rules(new, macros)
    raise typer.Exit(mta_diff.diff(*files, given, as_json=as_json))


@app.command()
def send(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="message, folder, mbox, Maildir, index"),
    ],
    to: Annotated[list[str], typer.Option("--to", help="recipient; may be repeated")],
    sender: Annotated[str, typer.Option("--from", help="reverse-path")] = "",
    server: Annotated[str, typer.Option(metavar="HOST:PORT", help="where to")] = "127.0.0.1:2525",
    connections: Annotated[int, typer.Option(min=1, max=1000, help="connections at a time")] = 1,
    helo: Annotated[str, typer.Option(help="name to greet with")] = "client.example",
    as_json: JsonOption = False,
) -> None:
    """Send stored mail by SMTP and report each reply.

    Exit status 75 if a message got no final answer (2xx or 5xx).
    """
    from filterd.mta.delivery.client import send_all  # noqa: PLC0415

    host, colon, port = server.rpartition(":")
    if not colon or not port.isdecimal():
        fail(f"--server {server!r}: expected HOST:PORT", Exit.USAGE)
    classes: Counter[int] = Counter()

    def report(result: SendResult) -> None:
        classes[result.code // 100] += 1
        _print_result(result, as_json)

    with reported(Exit.NO_INPUT, OSError, ValueError):
        asyncio.run(
            send_all(
                _messages(paths),
                report,
                host=host,
                port=int(port),
                sender=sender,
                recipients=to,
                helo=helo,
                connections=connections,
            )
        )
    if not as_json:
        words = {2: "accepted", 4: "deferred", 5: "refused", 0: "not sent"}
        sys.stderr.write(
            ", ".join(f"{classes[key]} {word}" for key, word in words.items() if classes[key])
            + "\n"
        )
    if not classes:
        fail("no message found", Exit.NO_INPUT)
    if classes[4] or classes[0] or classes[3]:
        raise typer.Exit(Exit.TEMPFAIL)


def _messages(paths: list[str]) -> Iterator[tuple[str, bytes]]:
    # Here, because the corpus readers bring numpy with them, which `mta run` has no use for.
    from filterd.mailfiles.corpora import read_messages  # noqa: PLC0415
    from filterd.mailfiles.mail_file import CorpusError  # noqa: PLC0415

    try:
        for path in paths:
            for _label, name, data in read_messages(path, left_out):
                yield name, data
    except CorpusError as error:
        raise ValueError(str(error)) from None


def _print_result(result: SendResult, as_json: bool) -> None:
    if as_json:
        emit({**dataclasses.asdict(result), "refused": [list(one) for one in result.refused]})
        return
    mended = " (lone CR or LF made CRLF)" if result.normalised else ""
    sys.stdout.write(f"{result.name}: {result.stage}: {result.reply}{mended}\n")
    for recipient, reply in result.refused:
        sys.stdout.write(f"  <{recipient}>: {reply}\n")


@app.command()
def passwd(
    file: Annotated[Path, typer.Argument(help="the file that [mta] passwords names")],
    user: Annotated[str, typer.Argument(help="who may log in")],
) -> None:
    """Set a user's password, read from the terminal or standard input."""
    from filterd.mta.smtp.sasl import set_password  # noqa: PLC0415

    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    privileges.act_as_owner([file, file.parent])
    with reported(Exit.USAGE, ValueError), reported(Exit.IO_ERROR, OSError):
        set_password(file, user, password)


# sendmail's databases, with its own option letters

_RAW = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": ["--help"]}


@app.command(context_settings=_RAW)
def makemap(
    context: typer.Context,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-N -d -e -f -o -r -s -u -v] [-C CF] [-D CHAR] [-t CHAR] TYPE NAME",
            help="the letters of sendmail's makemap; TYPE is hash, btree, cdb or cf",
        ),
    ] = None,
) -> None:
    """Make a database of the lines on standard input, as sendmail's makemap does, and with -u the
    lines of a database. The file is in place at once and whole."""
    from filterd.mta.maps.makemap import makemap  # noqa: PLC0415

    raw = [*(arguments or []), *context.args]
    raise typer.Exit(makemap(raw, sys.stdin.buffer, sys.stdout.buffer, sys.stderr.buffer))


@app.command()
def newaliases(
    cf: Annotated[Path, typer.Option("-C", "--cf", metavar="FILE", help="the sendmail.cf")] = Path(
        "/etc/mail/sendmail.cf"
    ),
    alias_file: Annotated[
        str | None, typer.Option("-A", "--alias-file", help="used in the place of AliasFile")
    ] = None,
) -> None:
    """Make the alias databases that a sendmail.cf names, as sendmail's newaliases does."""
    from filterd.mta.maps.newaliases import NewAliases  # noqa: PLC0415
    from filterd.mta.sendmail.cf_files import parse_cf  # noqa: PLC0415
    from filterd.system.bounded import read_regular  # noqa: PLC0415

    with reported(Exit.NO_INPUT, OSError):
        text = read_regular(cf, CF_LIMIT).decode("utf-8", "surrogateescape")
    parsed = parse_cf(text, str(cf))
    for problem in parsed.problems:
        sys.stdout.write(f"{problem}\n")
    if alias_file is not None:
        parsed.options["AliasFile"] = [alias_file]

    def say(message: str) -> None:
        sys.stdout.buffer.write(f"{message}\n".encode("utf-8", "surrogateescape"))

    status = NewAliases(parsed, say).run()
    sys.stdout.flush()
    raise typer.Exit(parsed.status or status)


# The queue


def _spool(config: Path | None, spool: Path | None) -> Spool:
    folder = spool or settings(config, lambda loaded: [loaded.mta.spool]).mta.spool
    privileges.act_as_owner([folder])
    if not folder.is_dir():
        fail(f"{folder}: no such folder; expected the MTA's spool", Exit.NO_INPUT)
    return Spool(folder)


def _row(entry: QueueEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "from": entry.sender,
        "to": [target.address for target in entry.targets],
        "arrived": entry.arrived,
        "attempts": entry.attempts,
        "held": entry.held,
        "trouble": entry.trouble,
    }


@queue_app.command("list")
def list_(
    config: ConfigOption = None, spool: SpoolOption = None, as_json: JsonOption = False
) -> None:
    """List messages that wait for delivery, and those that are held (quarantined)."""
    with reported(Exit.DATA, SpoolError):
        found = _spool(config, spool)
        rows = [_row(entry) for entry in (*found.entries(), *found.held())]
    for row in rows:
        if as_json:
            emit(row)
            continue
        why = f"held: {row['held']}" if row["held"] is not None else row["trouble"]
        sys.stdout.write(f"{row['id']}  <{row['from']}>  {', '.join(row['to'])}  {why}\n")


IdsArgument = Annotated[list[str], typer.Argument(metavar="ID...", help="queue ids")]


@queue_app.command()
def release(ids: IdsArgument, config: ConfigOption = None, spool: SpoolOption = None) -> None:
    """Release held messages: a running MTA delivers them within seconds."""
    with reported(Exit.DATA, SpoolError):
        found = _spool(config, spool)
        for id in ids:
            found.release(found.find_held(id))
            sys.stdout.write(f"{id} released\n")


@queue_app.command()
def delete(ids: IdsArgument, config: ConfigOption = None, spool: SpoolOption = None) -> None:
    """Delete held messages."""
    with reported(Exit.DATA, SpoolError):
        found = _spool(config, spool)
        for id in ids:
            found.remove(found.find_held(id))
            sys.stdout.write(f"{id} deleted\n")
