"""Logging: to stderr (systemd's journal takes it) or syslog, key=value or JSON, one line an event.

Everything that comes from mail is quoted, so that no message can forge a line or a field of one,
or speak to a terminal. The line about each message is rendered without a detour through records
and processors: it is the one that costs.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import re
import sys
import time
import traceback
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any

from filterd.chain.report import ScanReport, names
from filterd.config.processes import DaemonSettings

PROBABILITY_DECIMALS = 6
"""Digits after the point; `filterd explain` has them all."""

SYSLOG_SOCKET = Path("/dev/log")

TEXT_LIMIT = 500
"""Characters of a value in a log line; a Message-ID may be as long as its sender likes."""

LIST_LIMIT = 50
"""Items of a list in a log line; a message may have a hundred thousand recipients. How many more
there are is said behind them."""

LINES = logging.getLogger("filterd.messages")
"""Takes lines that are rendered already."""

# What stands in a line as it is: printable ASCII but the blank, the quote and the equals sign.
_is_plain = re.compile(r"[!#-<>-~]*").fullmatch

_NESTED = (dict, list, tuple)

Event = MutableMapping[str, Any]
Render = Callable[[Event], str]


def keyvalue(event: Event) -> str:
    """`key=value key="quoted value"`, quoted as JSON quotes, ASCII only."""
    return " ".join([f"{key}={_quoted(value)}" for key, value in event.items()])


def _quoted(value: object) -> str:
    if type(value) in _NUMBERS:
        return str(value)
    if value is None or value is True or value is False:
        return "null" if value is None else str(value).lower()
    text = str(value)
    return text if _is_plain(text) else encode_basestring_ascii(text)


_NUMBERS = frozenset({int, float})


def as_json(event: Event) -> str:
    """A JSON object, ASCII only."""
    return json.dumps(event, default=str)


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT] + "…"


def _now() -> str:
    """The time as ISO 8601 in UTC, with milliseconds; the seconds are put together once each."""
    milliseconds = time.time_ns() // 1_000_000
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=2)
def _second(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")[:19]


class _Formatter(logging.Formatter):
    """Passes rendered lines on and renders all others. head: put before every line. stamped: with
    the time; syslogd adds one itself."""

    def __init__(self, render: Render, head: str, *, stamped: bool) -> None:
        super().__init__()
        self._render = render
        self._head = head
        self._stamped = stamped

    def format(self, record: logging.LogRecord) -> str:
        if record.name == LINES.name:
            return f"{self._head}{record.msg}"
        return f"{self._head}{self._render(self._event(record))}"

    def _event(self, record: logging.LogRecord) -> Event:
        """What the line says of a record; the whole trace of an exception, of other texts the
        beginning."""
        level = record.levelname.lower()
        event: Event = {"time": _now(), "level": level} if self._stamped else {}
        event["event"] = _shortened(record.getMessage())
        if record.stack_info:
            event["stack_info"] = _shortened(record.stack_info)
        event.setdefault("level", level)
        if record.exc_info and record.exc_info[1] is not None:
            trace = "".join(traceback.format_exception(*record.exc_info))
            event["exception"] = trace.removesuffix("\n")
        return event


class MessageLog:
    """Writes the one line a message, in the format of the settings."""

    def __init__(self, settings: DaemonSettings) -> None:
        self._render: Render = as_json if settings.log_format == "json" else keyvalue
        self._stamped = settings.log_to != "syslog"

    def report(self, report: ScanReport) -> None:
        """Write the line; what is empty is left out, but the null reverse-path."""
        if not LINES.isEnabledFor(logging.INFO):
            return
        event: Event = {"time": _now()} if self._stamped else {}
        event.update(level="info", event="refusal" if report.stage else "message")
        for key, value in log_fields(report).items():
            if isinstance(value, str):
                if value or key == "from":
                    event[key] = value if len(value) <= TEXT_LIMIT else _shortened(value)
            elif isinstance(value, _NESTED):
                if value:
                    event[key] = _flat(value)
            elif value is not None:
                event[key] = value
        line = self._render(event)
        # Without `LINES.info`, which looks up the caller's file and line, and nothing shows them.
        LINES.handle(logging.LogRecord(LINES.name, logging.INFO, "", 0, line, None, None))


def log_fields(report: ScanReport) -> dict[str, Any]:
    """What the line says, by the names that it has there. A field of the report that is not named
    here comes by its own name, where it is not empty."""
    reply, probability = report.reply, report.probability
    # What no filter has seen has no score.
    was_seen = bool(report.outcomes or report.milliseconds)
    has_come = was_seen and not report.stage
    found: dict[str, Any] = {
        "id": report.id,
        "queue_id": report.queue_id,
        "message_id": report.message_id,
        "client": report.client,
        "auth": report.authenticated,
        "from": report.sender,
        "to": report.recipients,
        "size": None if report.stage else report.size,
        "action": report.action.value,
        "reply": f"{reply.code} {reply.xcode}" if reply is not None else "",
        "stored": None if report.stage else report.stored,
        "dropped": report.dropped,
        "score": report.score if was_seen else None,
        "required": report.required if has_come else None,
        "labelled": report.labelled if has_come else None,
        "symbols": {symbol.name: symbol.score for symbol in report.symbols},
        "ms": report.milliseconds,
        "probability": None if probability is None else round(probability, PROBABILITY_DECIMALS),
        "virus": report.virus,
        "reason": report.reason,
        "released": report.released,
        "authentication": report.authentication.line if report.authentication else "",
        "removed": [part.filename for part in report.removed],
        "failures": {failure.filter: failure for failure in report.failures},
        "outcomes": [f"{one.recipient}:{one.action}/{one.rule}" for one in report.outcomes],
        "rule": report.rule,
    }
    for name in _OTHERS:
        if value := getattr(report, name):
            found[name] = value
    found["note"], found["total_ms"] = report.note, report.total_ms
    return found


_NAMED = frozenset(
    "id queue_id message_id client_name client_address authenticated sender recipients size action "
    "reply stored dropped score required labelled symbols milliseconds probability virus reason "
    "released authentication removed failures outcomes note total_ms".split()
)
"""Fields that the line calls otherwise, or shows in another form."""

_LEFT_OUT = frozenset({"scanner"})
"""Fields that are the same in every line."""


def other_fields(kind: type[ScanReport]) -> tuple[str, ...]:
    """Fields of a report that the line calls by their own names."""
    return tuple(name for name in names(kind) if name not in _NAMED | _LEFT_OUT)


_OTHERS = other_fields(ScanReport)


def _flat(value: Any) -> str:
    """Nested values as `a:1,b:2`, which is easy to grep and the same in both formats; of many the
    first ones, and `+N` for how many more there are."""
    if isinstance(value, dict):
        texts = [f"{name}:{one}" for name, one in islice(value.items(), LIST_LIMIT)]
    else:
        texts = [str(one) for one in islice(value, LIST_LIMIT)]
    if len(texts) == len(value) and len(text := ",".join(texts)) <= TEXT_LIMIT:
        return text
    shown, size = 0, 0
    while shown < len(texts) and (not shown or size + len(texts[shown]) < TEXT_LIMIT):
        size += len(texts[shown]) + 1
        shown += 1
    texts[0] = _shortened(texts[0])
    more = len(value) - shown
    return ",".join([*texts[:shown], f"+{more}"] if more else texts[:shown])


def configure(settings: DaemonSettings) -> None:
    """Make all logging of this process go where the settings say."""
    render: Render = as_json if settings.log_format == "json" else keyvalue
    to_syslog = settings.log_to == "syslog"
    handler: logging.Handler
    if to_syslog:
        address = str(SYSLOG_SOCKET) if SYSLOG_SOCKET.exists() else ("localhost", 514)
        handler = logging.handlers.SysLogHandler(
            address, facility=logging.handlers.SysLogHandler.LOG_MAIL
        )
    else:
        handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Formatter(render, "filterd: " if to_syslog else "", stamped=not to_syslog)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
