"""Logging: to stderr (systemd's journal takes it) or syslog, key=value or JSON, one line an event.

Everything that comes from mail is quoted by the renderer, so that no message can forge a line.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
from pathlib import Path
from typing import Any

import structlog

from filterd.daemon.settings import DaemonSettings

SYSLOG_SOCKET = Path("/dev/log")

TEXT_LIMIT = 500
"""Characters of a value in a log line; a Message-ID may be as long as its sender likes."""


class _SyslogFormatter(logging.Formatter):
    """`filterd[PID]: line`, as syslogd expects it; it adds time and host itself."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return f"filterd[{record.process}]: {self._inner.format(record)}"


def _shorten(_logger: Any, _method: str, event: structlog.typing.EventDict) -> Any:
    for key, value in event.items():
        if isinstance(value, str) and len(value) > TEXT_LIMIT:
            event[key] = value[:TEXT_LIMIT] + "…"
    return event


def _printable(_logger: Any, _method: str, event: structlog.typing.EventDict) -> Any:
    """Text from mail may hold lone surrogates (8-bit octets), which no stream can encode."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isascii():
            event[key] = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return event


def configure(settings: DaemonSettings) -> None:
    """Make all logging of this process go where the settings say."""
    if settings.log_format == "json":
        renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=True)
    else:
        renderer = structlog.processors.LogfmtRenderer(
            key_order=["time", "level", "event"], bool_as_flag=False
        )
    to_syslog = settings.log_to == "syslog"
    shared: list[Any] = [structlog.stdlib.add_log_level, _shorten, _printable]
    if not to_syslog:
        shared.append(structlog.processors.TimeStamper(fmt="iso", key="time", utc=True))
    formatter: logging.Formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        foreign_pre_chain=shared,
    )
    handler: logging.Handler
    if to_syslog:
        address = str(SYSLOG_SOCKET) if SYSLOG_SOCKET.exists() else ("localhost", 514)
        handler = logging.handlers.SysLogHandler(
            address, facility=logging.handlers.SysLogHandler.LOG_MAIL
        )
        formatter = _SyslogFormatter(formatter)
    else:
        handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(root.level)),
        cache_logger_on_first_use=True,
    )
