"""`filterd status`: how daemon, filters, clamd, classifier and quarantine do."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, settings
from filterd.status import Status
from filterd.status import status as found


def status(config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Tell how filterd does. Status 69 if the daemon does not answer."""
    told = found(settings(config))
    if as_json:
        emit(told.to_json())
    else:
        Console(highlight=False).print(_table(told))
    return Exit.OK if told.daemon.answers else Exit.UNAVAILABLE


def _table(told: Status) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    state = "answers" if told.daemon.answers else f"does not answer: {told.daemon.error}"
    table.add_row("daemon", f"{told.daemon.socket} {state}")
    flow = ", ".join(f"{number} {action}" for action, number in told.flow.messages.items())
    table.add_row("last hour", told.flow.error or flow or "no messages")
    for one in told.filters:
        failed = f", {one.failures} failed" if one.failures else ""
        seen = f"{one.messages} messages, {one.milliseconds:.2f} ms each{failed}"
        table.add_row(f"filter {one.name}", seen if one.messages else "nothing seen yet")
    for clamd in told.clamd:
        age = "" if clamd.days is None else f", signatures {clamd.days} days old"
        number = "" if clamd.number is None else f"/{clamd.number}"
        table.add_row("clamd", clamd.error or f"{clamd.server} {clamd.engine}{number}{age}")
    model = told.model
    if model.error:
        table.add_row("model", model.error)
    else:
        missing = ""
        if model.missing_spam or model.missing_ham:
            missing = (
                f"; {model.missing_spam} spam and {model.missing_ham} ham are missing until the "
                "site's own model speaks alone"
            )
        table.add_row("model", f"learned {model.spam} spam, {model.ham} ham{missing}")
    kept = ", ".join(f"{n} {state}" for state, n in told.quarantine.messages.items())
    octets = f", {told.quarantine.octets / (1 << 20):.1f} MiB" if kept else ""
    table.add_row("quarantine", told.quarantine.error or (kept or "empty") + octets)
    return table
