"""`filterd selftest`: does mail really go through the filters, here and now?

Four messages go through the daemon that the settings describe (the running one, or one started for
the test) behind an embedded MTA, and what comes out is compared with what the settings promise.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, settings
from filterd.cli.lab import Lab, LabError, answers
from filterd.config import Settings
from filterd.daemon.address import Address, AddressError
from filterd.message import Client, Envelope, Recipient
from filterd.mta.input_filter import InputMailFilter
from filterd.mta.send import Result, send_all
from filterd.mta.server import MtaThread, running_mta
from filterd.mta.settings import MtaSettings
from filterd.policy import Policy
from filterd.samples import RECIPIENT, SENDER, sample
from filterd.verdict import Action, Symbol, Verdict

HOST = "mx.example"


@dataclass(frozen=True)
class Came:
    """What came of one test message: the last reply, and the delivered copy if there is one."""

    result: Result
    delivered: bytes | None


@dataclass(frozen=True)
class Check:
    """One test message. expected: in words. holds: whether what came is that."""

    name: str
    expected: str
    holds: Callable[[Came], bool]


def selftest(config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Send test messages through the daemon; say what was expected of each, and what came.

    Ends with 0 if all came as expected, 70 if not, 69 if daemon or MTA cannot be reached.
    """
    loaded = settings(config)
    try:
        address = Address.parse(loaded.daemon.socket)
    except AddressError as error:
        fail(f"daemon.socket: {error}", Exit.CONFIG)
    where: Path | tuple[str, int] = address.path or (address.host, address.port)
    with tempfile.TemporaryDirectory(prefix="filterd-selftest-") as name, Lab(Path(name)) as lab:
        own = not answers(where)
        if own:
            arguments = ["run"] + ([f"--config={loaded.source}"] if loaded.source else [])
            try:
                lab.filterd("daemon", *arguments, ready=lambda: answers(where))
            except LabError as error:
                fail(str(error), Exit.UNAVAILABLE)
        checks = list(_checks(loaded))
        came = _run(Path(name), address.text, [check.name for check in checks])
    rows = [
        {
            "message": check.name,
            "expected": check.expected,
            "came": _in_words(came[check.name]),
            "ok": check.holds(came[check.name]),
        }
        for check in checks
    ]
    _print(rows, "a daemon started for the test" if own else "the running daemon", as_json)
    for name in _left_out(loaded):
        sys.stderr.write(f"filterd: {name} is not in [chain] filters and was not tested\n")
    return Exit.OK if all(row["ok"] for row in rows) else Exit.SOFTWARE


def _checks(loaded: Settings) -> list[Check]:
    """The messages that the chain can be asked about, and what the settings promise for each."""
    chain = loaded.chain.filters
    checks = [Check("clean", "250, delivered without a spam flag", _delivered_clean)]
    envelope = Envelope(SENDER, (Recipient(RECIPIENT),), Client("localhost", "127.0.0.1"))
    policy = Policy(loaded.policy)
    if "gtube" in chain:
        symbol = Symbol("GTUBE", loaded.filters["gtube"].own.score)
        checks.append(
            _by_action("gtube", policy.decide(Verdict(symbols=(symbol,)), envelope).action)
        )
    if "clamav" in chain:
        checks.append(_by_action("eicar", Action.REJECT))
    if "parts" in chain:
        action = loaded.filters["parts"].own.action
        if action == "strip":
            checks.append(Check("exe", "250, delivered without its attachment", _stripped))
        elif action in ("reject", "quarantine"):
            checks.append(_by_action("exe", Action[action.upper()]))
    return checks


def _by_action(name: str, action: Action) -> Check:
    if action is Action.REJECT:
        return Check(name, "refused with 5xx", lambda came: came.result.code // 100 == 5)
    if action is Action.ACCEPT:
        return Check(name, "250, delivered", lambda came: came.delivered is not None)
    return Check(
        name,
        "250, not delivered",
        lambda came: came.result.code == 250 and came.delivered is None,
    )


def _left_out(loaded: Settings) -> list[str]:
    return [name for name in ("gtube", "clamav", "parts") if name not in loaded.chain.filters]


def _delivered_clean(came: Came) -> bool:
    header = (came.delivered or b"").partition(b"\n\n")[0].lower()
    return came.delivered is not None and b"\nx-spam-flag: yes" not in b"\n" + header


def _stripped(came: Came) -> bool:
    gone = b"tool.exe" not in (came.delivered or b"").partition(b"was removed")[2]
    return came.delivered is not None and b"was removed" in came.delivered and gone


def _run(folder: Path, socket: str, names: list[str]) -> dict[str, Came]:
    """Send the samples through an MTA with the daemon as its filter."""
    mta_settings = MtaSettings(
        port=0,
        hostname=HOST,
        filters=(InputMailFilter("filterd", socket, "T"),),
        mail=folder / "mail",
        spool=folder / "spool",
    )
    came = {}
    try:
        with running_mta(mta_settings) as mta:
            for name in names:
                before = set(mta.mailbox(RECIPIENT.partition("@")[0]))
                result = _send(mta, name)
                mta.settle()
                new = set(mta.mailbox(RECIPIENT.partition("@")[0])) - before
                came[name] = Came(result, new.pop().read_bytes() if new else None)
    except OSError as error:
        fail(f"the embedded MTA cannot run: {error}", Exit.UNAVAILABLE)
    return came


def _send(mta: MtaThread, name: str) -> Result:
    results: list[Result] = []
    message = sample(name)
    asyncio.run(
        send_all(
            [(name, message.data)],
            results.append,
            host="127.0.0.1",
            port=mta.port,
            sender=SENDER,
            recipients=[RECIPIENT],
        )
    )
    return results[0]


def _in_words(came: Came) -> str:
    place = "delivered" if came.delivered is not None else "not delivered"
    return f"{came.result.reply} ({place})"


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
