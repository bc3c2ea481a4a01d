"""`filterd selftest`: does mail really go through the filters, here and now?

Four messages go through the daemon that the settings describe (the running one, or one started for
the test) behind an embedded MTA, and what comes out is compared with what the settings promise.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, settings
from filterd.cli.selftest_expected import Promises
from filterd.config.load import Settings, load
from filterd.config.sample import toml_value
from filterd.lab.programs import Lab, LabError, answers
from filterd.lab.samples import RECIPIENT, SENDER, sample
from filterd.mta.delivery.client import Result, send_all
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.server import MtaThread, running_mta
from filterd.mta.settings import MtaSettings
from filterd.ops.address import Address, AddressError
from filterd.ops.status import clamd_status

HOST = "mx.example"

SAMPLES: Mapping[str, str] = {"gtube": "gtube", "clamav": "eicar", "parts": "exe"}
"""The test message for each filter that has one."""


@dataclass(frozen=True)
class Came:
    """What came of one test message: the last reply, and the delivered copy if there is one."""

    result: Result
    delivered: bytes | None


def selftest(config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Send test messages through the daemon; say what was expected of each, and what came.

    Ends with 0 if all came as expected, 70 if not, 69 if daemon or MTA cannot be reached.
    """
    given = settings(config)
    with tempfile.TemporaryDirectory(prefix="filterd-selftest-") as name, Lab(Path(name)) as lab:
        loaded = given
        address = _address(given)
        own = not answers(_where(address))
        if own and given.source is None:
            loaded = _own_settings(Path(name), given)
            address = _address(loaded)
        promises = Promises(loaded)
        expected = {sample: promises.of(sample, HOST) for sample in _samples(loaded)}
        if own:
            arguments = ["run"] + ([f"--config={loaded.source}"] if loaded.source else [])
            try:
                lab.filterd("daemon", *arguments, ready=lambda: answers(_where(address)))
            except LabError as error:
                fail(str(error), Exit.UNAVAILABLE)
        came = _run(Path(name), address.text, list(expected))
    rows = [
        {
            "message": sample,
            "expected": one.words,
            "came": _in_words(came[sample]),
            "ok": one.holds(came[sample].result, came[sample].delivered),
        }
        for sample, one in expected.items()
    ]
    _print(rows, "a daemon started for the test" if own else "the running daemon", as_json)
    for text in _remarks(given, loaded, promises):
        sys.stderr.write(f"filterd: {text}\n")
    return Exit.OK if all(row["ok"] for row in rows) else Exit.SOFTWARE


def _address(loaded: Settings) -> Address:
    try:
        return Address.parse(loaded.daemon.socket)
    except AddressError as error:
        fail(f"daemon.socket: {error}", Exit.CONFIG)


def _where(address: Address) -> Path | tuple[str, int]:
    return address.path or (address.host, address.port)


OWN_SETTINGS = """\
[daemon]
socket = {socket}
socket_mode = 0o600
spool = {spool}
[workers]
count = 1
[chain]
filters = {filters}
[quarantine]
folder = {quarantine}
"""


def _own_settings(folder: Path, given: Settings) -> Settings:
    """Settings for a test without a file: the defaults, with all that is written in a folder of
    the test's own, and without the virus scanner if there is none."""
    filters = [name for name in given.chain.filters if name != "clamav" or _scanner_answers(given)]
    file = folder / "filterd.toml"
    file.write_text(
        OWN_SETTINGS.format(
            socket=toml_value(f"unix:{folder}/socket"),
            spool=toml_value(folder / "daemon-spool"),
            quarantine=toml_value(folder / "quarantine"),
            filters=toml_value(filters),
        ),
        "utf-8",
    )
    return load(file)


def _scanner_answers(loaded: Settings) -> bool:
    return any(not one.error for one in clamd_status(loaded))


def _samples(loaded: Settings) -> list[str]:
    """The messages that the chain can be asked about."""
    chain = loaded.chain.filters
    return ["clean", *(sample for name, sample in SAMPLES.items() if name in chain)]


def _remarks(given: Settings, loaded: Settings, promises: Promises) -> Iterator[str]:
    """What the table does not say."""
    for name in SAMPLES:
        if name not in given.chain.filters:
            yield f"{name} is not in [chain] filters and was not tested"
        elif name not in loaded.chain.filters:
            yield f"no clamd answers at the usual place, so {name} was not tested"
        elif loaded.filters[name].link.dry_run:
            yield f"{name} only observes (dry_run), so its opinion changes nothing"
    for name, why in promises.left_out.items():
        yield f"{name} could not be asked what to expect: {why}"


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
