"""Finds the state of daemon, filters, clamd, classifier and quarantine, and the last hour's flow.

All is read from files and sockets, so that it works for a daemon that is not well, too. What
cannot be found out says why, and the rest is reported all the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from filterd.config.assembly import open_history
from filterd.config.load import Settings
from filterd.config.processes import DaemonSettings
from filterd.history import HistoryError, HistoryQuery
from filterd.ops.control import ask
from filterd.ops.dns_lists import dns_list_status
from filterd.ops.json_socket import AskError
from filterd.ops.scanners import (
    PROBE_SECONDS,
    ClamdStatus,
    ScannerStatus,
    clamd_status,
    scanner_status,
    unused_clamd,
)
from filterd.quarantine import Store, StoreError
from filterd.quarantine.caution import state_of

WINDOW = 3600.0
"""Seconds of the flow that is told."""

SAMPLE = 1000
"""Messages, the newest ones, over which filters' times and failures are told."""

LOOK_BACK = 86400.0
"""Seconds in which a filter's last failure is looked for."""


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """socket: as in the settings. answers: somebody takes connections there. error: why not.

    The rest is what the daemon says of itself, None and empty if its control socket does not
    answer. started: seconds since 1970; settings_read: when it read its settings. workers, idle:
    processes. network: why workers can reach the network, empty if they cannot. queue: messages
    that wait for a worker. in_flight: messages without an answer yet.
    worker_deaths, messages (by action), refusals (before there was a message, by stage and
    action): since it started. history_lost: messages that are not in
    the history. silent: why it does not say.
    """

    socket: str
    answers: bool
    error: str = ""
    version: str = ""
    pid: int | None = None
    started: float | None = None
    workers: int | None = None
    idle: int | None = None
    queue: int | None = None
    in_flight: int | None = None
    worker_deaths: int | None = None
    network: str | None = None
    history_lost: int | None = None
    settings_read: float | None = None
    messages: Mapping[str, int] = field(default_factory=dict)
    refusals: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    silent: str = ""


@dataclass(frozen=True, slots=True)
class FilterStatus:
    """One filter of the chain, since the daemon started if that says so, else over the newest
    messages of the history. milliseconds: mean of one message. errors: failures by kind, where the
    daemon says. last_failure: when (seconds since 1970), of which message, and why, within
    `LOOK_BACK` or since it started."""

    name: str
    messages: int
    failures: int
    milliseconds: float
    errors: Mapping[str, int] = field(default_factory=dict)
    last_failure: float | None = None
    last_failure_id: str = ""
    last_failure_detail: str = ""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """The site's own model. generation: 0 for none. missing_spam, missing_ham: messages until it
    is used alone. share: of it in the blend with the starter model, 0 to 1. changed: when the
    version in force was made, by a lesson or by taking one back, as ISO 8601; empty for none."""

    generation: int = 0
    spam: int = 0
    ham: int = 0
    missing_spam: int = 0
    missing_ham: int = 0
    share: float = 0.0
    error: str = ""
    changed: str = ""

    def days_unchanged(self, now: float) -> int | None:
        """Whole days since then; None for no model. now: seconds since 1970."""
        if not self.changed:
            return None
        then = datetime.fromisoformat(self.changed).timestamp()
        return max(0, int((now - then) // 86400))

    def last_lesson(self, now: float) -> str:
        """`last lesson 20 days ago`, empty for no model."""
        days = self.days_unchanged(now)
        if days is None:
            return ""
        return (
            f"last lesson {days} day{'s' if days != 1 else ''} ago" if days else "last lesson today"
        )


@dataclass(frozen=True, slots=True)
class QuarantineStatus:
    """messages: kept, by state. octets: of all that is kept. expiry: why nothing expires, empty if
    all is well."""

    messages: Mapping[str, int] = field(default_factory=dict)
    octets: int = 0
    error: str = ""
    expiry: str = ""


@dataclass(frozen=True, slots=True)
class FlowStatus:
    """Messages by action in the last `seconds`."""

    seconds: float = WINDOW
    messages: Mapping[str, int] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """All of it, at the moment `time` (seconds since 1970). warnings: what should not stay so."""

    time: float
    daemon: DaemonStatus
    filters: tuple[FilterStatus, ...]
    clamd: tuple[ClamdStatus, ...]
    model: ModelStatus
    quarantine: QuarantineStatus
    flow: FlowStatus
    scanners: tuple[ScannerStatus, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The status as a plain value, the time as ISO 8601 in UTC."""
        plain = asdict(self)
        plain["time"] = datetime.fromtimestamp(self.time, UTC).isoformat()
        return plain


Counts = Sequence[tuple[str, str, int, int]]
"""Messages and octets in the quarantine, by reason and state."""


def status(
    settings: Settings, clock: Callable[[], float] = time.time, counts: Counts | None = None
) -> Status:
    """The state of the filterd with these settings; takes up to `PROBE_SECONDS` for each server
    that is silent. counts: the store's, if the caller has them."""
    from filterd.ops.model import model_status  # noqa: PLC0415  (numpy: metrics do without)

    now = clock()
    flow, filters = _flow(settings, now)
    daemon = daemon_status(settings.daemon)
    if daemon.answers:
        daemon, filters = _asked(settings, daemon, filters)
    return Status(
        now,
        daemon,
        filters,
        clamd_status(settings),
        model_status(settings),
        quarantine_status(settings) if counts is None else _summed(settings, counts),
        flow,
        scanner_status(settings),
        tuple(filter(None, [unused_clamd(settings), *_resting(settings, now)])),
    )


def _resting(settings: Settings, now: float) -> list[str]:
    """A sentence for each DNS list that is switched off for a while."""
    return [
        f"DNS list {one.zone} is not asked for {one.until - now:.0f} s: {one.why}"
        for one in dns_list_status(settings, now)
        if one.why
    ]


def daemon_status(settings: DaemonSettings) -> DaemonStatus:
    """Whether anything accepts connections at `daemon.socket`."""
    try:
        settings.address.reach(PROBE_SECONDS)
    except OSError as error:
        return DaemonStatus(settings.socket, False, error.strerror or str(error))
    return DaemonStatus(settings.socket, True)


def _asked(
    settings: Settings, daemon: DaemonStatus, filters: tuple[FilterStatus, ...]
) -> tuple[DaemonStatus, tuple[FilterStatus, ...]]:
    """The same with what the daemon says of itself."""
    try:
        told = ask(settings, "status", PROBE_SECONDS)
    except AskError as error:
        return dataclasses.replace(daemon, silent=str(error)), filters
    names = [f.name for f in dataclasses.fields(DaemonStatus) if f.name in told]
    daemon = dataclasses.replace(daemon, **{name: told[name] for name in names})
    own = told.get("filters", {})
    found = []
    for one in filters:
        # Settings that were not reloaded yet may name a filter that the daemon does not have.
        counts = own.get(one.name)
        if counts is None:
            found.append(one)
            continue
        last = counts["last_failure"] or {}
        if last.get("time", 0.0) >= (one.last_failure or 0.0) and last:
            one = dataclasses.replace(  # noqa: PLW2901
                one,
                last_failure=last["time"],
                last_failure_id=last["id"],
                last_failure_detail=last["detail"],
            )
        errors = counts["errors"]
        found.append(
            dataclasses.replace(
                one,
                messages=counts["messages"],
                milliseconds=counts["mean_ms"],
                failures=sum(errors.values()),
                errors=errors,
            )
        )
    return daemon, tuple(found)


def _flow(settings: Settings, now: float) -> tuple[FlowStatus, tuple[FilterStatus, ...]]:
    names = settings.chain.filters
    nothing = tuple(FilterStatus(name, 0, 0, 0.0) for name in names)
    if not settings.history.enabled:
        return FlowStatus(error="[history] is switched off"), nothing
    try:
        history = open_history(settings)
        counted: Counter[str] = Counter()
        for _start, action, number in history.flow(now - WINDOW, now + 1, WINDOW + 1):
            counted[action] += number
        rows = history.search(HistoryQuery(limit=SAMPLE)).rows
        failed = {one.filter: one for one in history.failures(now - LOOK_BACK)}
    except HistoryError as error:
        return FlowStatus(error=str(error)), nothing
    found = []
    for name in names:
        times = [row.milliseconds[name] for row in rows if name in row.milliseconds]
        failures = sum(name in {one.filter for one in row.failures} for row in rows)
        mean = round(sum(times) / len(times), 3) if times else 0.0
        one = FilterStatus(name, len(times), failures, mean)
        if name in failed:
            last = failed[name]
            one = dataclasses.replace(
                one,
                last_failure=last.last,
                last_failure_id=last.id,
                last_failure_detail=last.detail,
            )
        found.append(one)
    return FlowStatus(WINDOW, dict(counted)), tuple(found)


def quarantine_status(settings: Settings) -> QuarantineStatus:
    """What the store holds."""
    # Looking makes no index, which would be root's where root looks first.
    if not settings.quarantine.database and not os.path.lexists(
        settings.quarantine.folder / "index.sqlite"
    ):
        return QuarantineStatus()
    store = Store(settings.quarantine)
    with contextlib.closing(store):
        try:
            counts = store.index.counts()
        except StoreError as error:
            return QuarantineStatus(error=str(error))
    return _summed(settings, counts)


def _summed(settings: Settings, counts: Counts) -> QuarantineStatus:
    messages: Counter[str] = Counter()
    for _reason, state, number, _octets in counts:
        messages[state] += number
    octets = sum(octets for *_, octets in counts)
    put_off = state_of(settings.quarantine.folder).put_off
    return QuarantineStatus(dict(messages), octets, expiry=put_off)
