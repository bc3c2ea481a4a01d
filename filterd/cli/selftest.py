"""`filterd selftest`: does mail really go through the filters, here and now?

Four messages go through the daemon that the settings describe (the running one, or one started for
the test) behind an embedded MTA, and what comes out is compared with what the settings promise.
What the daemon kept of them is taken out of the quarantine again.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, reported, settings
from filterd.history import HistoryError
from filterd.lab.expected import Expected, Promises
from filterd.lab.programs import Lab, LabError, answers
from filterd.lab.selftest import (
    HOST,
    POSTMASTERS,
    Came,
    clear,
    known_recipient,
    new_mark,
    own_settings,
    remarks,
    run,
    samples_for,
    through,
)
from filterd.quarantine import StoreError
from filterd.smtp.client import SmtpError
from filterd.system.address import ListenAddress


def selftest(
    config: ConfigOption = None,
    server: Annotated[
        str,
        typer.Option(
            "--through",
            metavar="HOST:PORT",
            help="through this MTA, which asks the daemon, in place of the embedded one",
        ),
    ] = "",
    recipient: Annotated[
        str,
        typer.Option(
            "--to", metavar="ADDRESS", help="who gets them from that MTA; else postmaster, or root"
        ),
    ] = "",
    as_json: JsonOption = False,
) -> int:
    """Send test messages through the daemon; show what was expected of each and what happened.

    What goes through another MTA stays where that delivers it. Exit status 70 if a result differs,
    69 if daemon or MTA cannot be reached.
    """
    given = settings(config)
    place = _place(server) if server else None
    with (
        tempfile.TemporaryDirectory(prefix="filterd-selftest-") as folder,
        Lab(Path(folder)) as lab,
    ):
        loaded = given
        address = given.daemon.address
        own = not answers(_where(address))
        if own and place is not None:
            fail(f"the daemon does not answer at {address.text}", Exit.UNAVAILABLE)
        if own and given.source is None:
            loaded = own_settings(Path(folder), given)
            address = loaded.daemon.address
        promises = Promises(loaded)
        expected = {name: promises.of(name, HOST) for name in samples_for(loaded)}
        if own:
            arguments = ["run"] + ([f"--config={loaded.source}"] if loaded.source else [])
            try:
                lab.filterd("daemon", *arguments, ready=lambda: answers(_where(address)))
            except LabError as error:
                fail(str(error), Exit.UNAVAILABLE)
        mark = new_mark()
        try:
            if place is None:
                came = run(Path(folder), address.text, list(expected), mark)
            else:
                to = recipient or known_recipient(place)
                if to != (recipient or POSTMASTERS[0]):
                    sys.stderr.write(f"filterd: {_NO_POSTMASTER}\n")
                came = through(loaded, place, list(expected), mark, to)
        except OSError as error:
            fail(f"the embedded MTA cannot run: {error}", Exit.UNAVAILABLE)
        except (SmtpError, HistoryError) as error:
            fail(str(error), Exit.UNAVAILABLE)
        finally:
            with reported(Exit.UNAVAILABLE, StoreError):
                clear(loaded, mark)
    rows = [
        {
            "message": sample,
            "expected": one.words,
            "came": came[sample].words,
            "ok": _holds(one, came[sample]),
        }
        for sample, one in expected.items()
    ]
    _print(rows, "a daemon started for the test" if own else "the running daemon", as_json)
    for text in remarks(given, loaded, promises):
        sys.stderr.write(f"filterd: {text}\n")
    return Exit.OK if all(row["ok"] for row in rows) else Exit.SOFTWARE


_NO_POSTMASTER = (
    "the MTA does not know postmaster, so root gets the test mail; mail to postmaster has to be "
    "accepted (RFC 5321, 4.5.1): add `postmaster: root` to its aliases and run newaliases"
)


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        fail(f"--through is {text!r}, expected HOST:PORT", Exit.USAGE)
    return host.strip("[]"), int(port)


def _holds(expected: Expected, came: Came) -> bool:
    if came.note is not None:
        return not came.note and came.result.code == expected.code
    return expected.holds(came.result, came.delivered)


def _where(address: ListenAddress) -> Path | tuple[str, int]:
    return address.path or (address.host, address.port)


def _print(rows: list[dict[str, Any]], where: str, as_json: bool) -> None:
    if as_json:
        for row in rows:
            emit(row)
        return
    table = Table(box=None, pad_edge=False, header_style="bold", title=f"Through {where}")
    for column in ("", "message", "expected", "came"):
        table.add_column(column)
    for row in rows:
        mark = "[green]ok[/]" if row["ok"] else "[red]NOT[/]"
        table.add_row(mark, row["message"], row["expected"], escape(row["came"]))
    Console().print(table)
