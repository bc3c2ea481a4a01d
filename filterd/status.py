"""How filterd does: daemon, filters, clamd, classifier, quarantine, the flow of the last hour.

Everything is read from outside, from files and sockets, so that it can be told of a daemon that is
not well. What cannot be found out says why, and the rest is told all the same.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from filterd.assembly import open_history
from filterd.bayes.classifier import Learned
from filterd.bayes.folder import ModelFolder
from filterd.bayes.journal import JournalError
from filterd.bayes.store import ModelFileError
from filterd.config import Settings
from filterd.daemon.address import Address, AddressError
from filterd.filters.bayes import Bayes
from filterd.filters.clamav import ClamAV
from filterd.filters.clamd import ClamdError, Server
from filterd.history import HistoryError, HistoryQuery
from filterd.quarantine import Store, StoreError

PROBE_SECONDS = 2.0
"""For an answer of the daemon's socket or of a clamd."""

WINDOW = 3600.0
"""Seconds of the flow that is told."""

SAMPLE = 1000
"""Messages, the newest ones, over which filters' times and failures are told."""

FAILED = "_FAILED"
"""Ends the symbol of a filter without an opinion."""


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """socket: as in the settings. answers: somebody takes connections there. error: why not."""

    socket: str
    answers: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class FilterStatus:
    """One filter of the chain over the newest messages. milliseconds: mean of one message."""

    name: str
    messages: int
    failures: int
    milliseconds: float


@dataclass(frozen=True, slots=True)
class ClamdStatus:
    """One clamd. engine, number: what it scans with. days: age of its signatures, None if it does
    not say. error: why it does not answer."""

    server: str
    engine: str = ""
    number: int | None = None
    days: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """The site's own model. generation: 0 for none. missing_spam, missing_ham: messages until it
    speaks alone. share: of it in the blend with the starter model, 0 to 1."""

    generation: int = 0
    spam: int = 0
    ham: int = 0
    missing_spam: int = 0
    missing_ham: int = 0
    share: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True)
class QuarantineStatus:
    """messages: kept, by state. octets: of all that is kept."""

    messages: Mapping[str, int] = field(default_factory=dict)
    octets: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class FlowStatus:
    """Messages by action in the last `seconds`."""

    seconds: float = WINDOW
    messages: Mapping[str, int] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """All of it, at the moment `time` (seconds since 1970)."""

    time: float
    daemon: DaemonStatus
    filters: tuple[FilterStatus, ...]
    clamd: tuple[ClamdStatus, ...]
    model: ModelStatus
    quarantine: QuarantineStatus
    flow: FlowStatus

    def to_json(self) -> dict[str, Any]:
        """The status as a plain value, the time as ISO 8601 in UTC."""
        plain = asdict(self)
        plain["time"] = datetime.fromtimestamp(self.time, UTC).isoformat()
        return plain


def status(settings: Settings, clock: Callable[[], float] = time.time) -> Status:
    """How the filterd of these settings does; takes up to `PROBE_SECONDS` for each server that is
    silent."""
    now = clock()
    flow, filters = _flow(settings, now)
    return Status(
        now,
        _daemon(settings.daemon.socket),
        filters,
        _clamd(settings),
        _model(settings),
        _quarantine(settings),
        flow,
    )


def _daemon(text: str) -> DaemonStatus:
    try:
        address = Address.parse(text)
    except AddressError as error:
        return DaemonStatus(text, False, str(error))
    family = socket.AF_UNIX if address.path else socket.AF_INET
    if ":" in address.host:
        family = socket.AF_INET6
    target = str(address.path) if address.path else (address.host, address.port)
    with socket.socket(family) as peer:
        peer.settimeout(PROBE_SECONDS)
        try:
            peer.connect(target)
        except OSError as error:
            return DaemonStatus(text, False, error.strerror or str(error))
    return DaemonStatus(text, True)


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
    except HistoryError as error:
        return FlowStatus(error=str(error)), nothing
    found = []
    for name in names:
        times = [row.milliseconds[name] for row in rows if name in row.milliseconds]
        symbol = name.upper() + FAILED
        failures = sum(any(one == symbol for one, _ in row.symbols) for row in rows)
        mean = round(sum(times) / len(times), 3) if times else 0.0
        found.append(FilterStatus(name, len(times), failures, mean))
    return FlowStatus(WINDOW, dict(counted)), tuple(found)


def _clamd(settings: Settings) -> tuple[ClamdStatus, ...]:
    entry = settings.filters.get("clamav")
    if "clamav" not in settings.chain.filters:
        return ()
    own = entry.own if entry is not None else ClamAV()
    servers = (own.server,) if isinstance(own.server, str) else own.server
    return tuple(_one_clamd(text) for text in servers)


def _one_clamd(text: str) -> ClamdStatus:
    try:
        found = Server.parse(text).version(PROBE_SECONDS)
    except (ClamdError, ValueError) as error:
        return ClamdStatus(text, error=str(error))
    days = None if found.built is None else max((datetime.now(UTC) - found.built).days, 0)
    return ClamdStatus(text, found.engine, found.number, days)


def _model(settings: Settings) -> ModelStatus:
    entry = settings.filters.get("bayes")
    folder = ModelFolder((entry.own if entry is not None else Bayes()).models)
    try:
        stored = folder.load_current()
    except (ModelFileError, JournalError, OSError) as error:
        return ModelStatus(error=str(error))
    learned = Learned(stored.model.spam, stored.model.ham) if stored else Learned()
    return ModelStatus(
        folder.current() or 0, learned.spam, learned.ham, *learned.missing, round(learned.share, 3)
    )


def _quarantine(settings: Settings) -> QuarantineStatus:
    if not settings.quarantine.folder.is_dir():
        return QuarantineStatus()
    store = Store(settings.quarantine)
    with contextlib.closing(store):
        try:
            counts = store.index.counts()
        except StoreError as error:
            return QuarantineStatus(error=str(error))
    messages: Counter[str] = Counter()
    for _reason, state, number, _octets in counts:
        messages[state] += number
    return QuarantineStatus(dict(messages), sum(octets for *_, octets in counts))
