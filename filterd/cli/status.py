"""`filterd status`: how daemon, filters, clamd, classifier and quarantine do."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, settings
from filterd.cli.listing import shown
from filterd.ops.scanners import age_in_words, clamd_in_words, stats_in_words
from filterd.ops.status import Status
from filterd.ops.status import status as found
from filterd.quarantine.caution import ADVICE
from filterd.system.display import size, to_the_second


def status(config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Show the state of filterd. Exit status 69 if the daemon does not answer."""
    told = found(settings(config))
    if as_json:
        emit(told.to_json())
    else:
        Console(highlight=False).print(_table(told))
    return Exit.OK if told.daemon.answers else Exit.UNAVAILABLE


def _of_itself(told: Status) -> str:
    daemon = told.daemon
    parts = [
        f"version {daemon.version}, pid {daemon.pid}, since {to_the_second(daemon.started or 0.0)}",
        f"{daemon.workers} workers, {daemon.idle} idle",
        f"{daemon.queue} messages waiting, {daemon.in_flight} in progress",
    ]
    if daemon.worker_deaths:
        parts.append(f"{daemon.worker_deaths} workers died")
    if daemon.network is not None:
        parts.append(
            f"workers have network access ({daemon.network})"
            if daemon.network
            else "workers have no network access"
        )
    if daemon.history_lost:
        parts.append(f"{daemon.history_lost} messages are not in the history")
    return "; ".join(parts)


def _table(told: Status) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    state = "answers" if told.daemon.answers else f"does not answer: {told.daemon.error}"
    table.add_row("daemon", f"{told.daemon.socket} {state}")
    if told.daemon.started is not None:
        table.add_row("", _of_itself(told))
    elif told.daemon.silent:
        table.add_row("", f"does not report its state: {shown(told.daemon.silent)}")
    flow = ", ".join(f"{number} {action}" for action, number in told.flow.messages.items())
    table.add_row("last hour", told.flow.error or flow or "no messages")
    refused = [
        f"{number} {action} at {stage}"
        for stage, numbers in told.daemon.refusals.items()
        for action, number in numbers.items()
    ]
    if refused:
        table.add_row("refused early", ", ".join(refused))
    for one in told.filters:
        kinds = ", ".join(f"{number} {kind}" for kind, number in one.errors.items())
        failed = f", {one.failures} failed" if one.failures else ""
        seen = f"{one.messages} messages, {one.milliseconds:.2f} ms each{failed}"
        known = one.messages or one.failures
        table.add_row(
            f"filter {one.name}",
            (seen if known else "no messages yet") + (f" ({kinds})" if kinds else ""),
        )
        if one.last_failure is not None:
            last = f"last {to_the_second(one.last_failure)}, {one.last_failure_id}: "
            table.add_row("", last + shown(one.last_failure_detail))
    for clamd in told.clamd:
        table.add_row("clamd", shown(clamd.error or clamd_in_words(clamd)))
        if clamd.stats is not None:
            table.add_row("", stats_in_words(clamd.stats))
    for one_scanner in told.scanners:
        age = age_in_words(one_scanner.days, one_scanner.freshness)
        told_of_it = ", ".join(filter(None, (f"{one_scanner.server} {one_scanner.engine}", age)))
        said = one_scanner.error or told_of_it
        table.add_row(f"scanner {one_scanner.name}", shown(said))
    for warning in told.warnings:
        table.add_row("warning", shown(warning))
    _of_model(told, table)
    kept = ", ".join(f"{n} {state}" for state, n in told.quarantine.messages.items())
    stored = f", {size(told.quarantine.octets)}" if kept else ""
    table.add_row("quarantine", told.quarantine.error or (kept or "empty") + stored)
    if told.quarantine.expiry:
        table.add_row("", f"expiry is postponed: {told.quarantine.expiry}; {ADVICE}")
    return table


def _of_model(told: Status, table: Table) -> None:
    model = told.model
    if model.error:
        table.add_row("model", model.error)
    else:
        missing = ""
        if model.missing_spam or model.missing_ham:
            missing = (
                f"; {model.missing_spam} spam and {model.missing_ham} ham are needed until the "
                "site's own model is used alone"
            )
        last = model.last_lesson(told.time)
        learned = f"learned {model.spam} spam, {model.ham} ham"
        table.add_row("model", f"{learned}{f', {last}' if last else ''}{missing}")
