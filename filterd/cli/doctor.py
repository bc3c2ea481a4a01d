"""`filterd doctor`: look at everything that filterd needs, and say what to do about the rest."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from filterd.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    PostfixOption,
    SendmailOption,
    emit,
    reported,
    settings,
)
from filterd.doctor.diagnosis import diagnose
from filterd.doctor.findings import Level
from filterd.doctor.mta import Mtas
from filterd.doctor.senders import senders
from filterd.message.address import AddressPatternError, checked_domains
from filterd.system.display import printable


def doctor(
    config: ConfigOption = None,
    sendmail: SendmailOption = None,
    postfix: PostfixOption = None,
    domain: Annotated[
        list[str] | None,
        typer.Option(help="look only at what the DNS says of this domain of senders; repeatable"),
    ] = None,
    selector: Annotated[
        list[str] | None,
        typer.Option(help="a DKIM selector of these domains, besides the settings' own"),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Check settings, permissions, sockets, MTA, clamd, model, store, disk, clock, names, and the
    records of senders' domains.

    Nothing is changed. Exit status 69 if something has to be fixed.
    """

    # A mistake in the settings ends the command here, with file, line and key, and status 78.
    loaded, selectors = settings(config, only_looks=True), selector or []
    if domain:
        with reported(Exit.USAGE, AddressPatternError):
            checked_domains(domain)
        findings = list(senders(loaded, domain, selectors))
    else:
        findings = diagnose(loaded, Mtas(sendmail, postfix), selectors)
    if as_json:
        for one in findings:
            emit({"level": one.level, "about": one.about, "found": one.found, "do": one.advice})
    else:
        for one in findings:
            advice = f"\n        → {printable(one.advice)}" if one.advice else ""
            sys.stdout.write(f"{one.level:<5} {one.about}: {printable(one.found)}{advice}\n")
    failed = any(one.level == Level.FAIL for one in findings)
    return Exit.UNAVAILABLE if failed else Exit.OK
