"""The running daemon: its counters, the history, and what `filterd status` shows of both."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

from filterd import __version__
from filterd.chain.report import ScanReport
from filterd.config.load import Settings
from filterd.daemon.refusals import Refusals
from filterd.daemon.service import Service
from filterd.daemon.stats import Stats
from filterd.history import History
from filterd.history.recorder import Recorder
from filterd.notices.counts import NoticeCounts

log = logging.getLogger(__name__)


class Monitor:
    """What is recorded and counted beside the mail; an error here never costs a message."""

    def __init__(self, settings: Settings, history: History | None) -> None:
        self.stats = Stats(settings.chain.filters)
        self.recorder = Recorder(history)
        self.notices = NoticeCounts()
        self.refusals = Refusals(lambda report: self.recorder.note(report, b""))
        self._listen = settings.metrics.listen
        self._settings_read = time.time()

    def start(self) -> None:
        """Begin to write the history."""
        self.recorder.start()
        self.refusals.start()

    def note(self, report: ScanReport, subject: bytes, header_from: bytes = b"") -> None:
        """Count and note one message, or one refusal. subject, header_from: the fields' octets."""
        try:
            self.stats.count(report)
            if report.stage:
                self.refusals.note(report)
            else:
                self.recorder.note(report, subject, header_from)
        except Exception:
            # The message has its answer already, and must not get another one for our counting.
            log.exception("id=%s is not counted", report.id)

    def reload(self, settings: Settings, history: History | None) -> None:
        """Continue with other settings; the counts stay."""
        self.stats.expect(settings.chain.filters)
        self.recorder.history = history
        self._settings_read = time.time()
        if settings.metrics.listen != self._listen:
            log.warning("metrics.listen has changed; that needs a restart, the old one stays")

    def close(self) -> None:
        """Write the last records."""
        self.refusals.close()
        self.recorder.close()

    def _refusals(self) -> dict[str, dict[str, int]]:
        """Refusals before there was a message: stage → action → number."""
        found: dict[str, dict[str, int]] = {}
        for (stage, action), number in self.stats.refusals.items():
            found.setdefault(stage, {})[action] = number
        return found

    def to_json(self, service: Service) -> dict[str, Any]:
        """The daemon's part of `filterd status`. started, settings_read: seconds since 1970."""
        alive, idle, waiting = service.pool.load
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started": self.stats.started,
            "settings_read": self._settings_read,
            "workers": alive,
            "idle": idle,
            "queue": waiting,
            "in_flight": service.in_flight,
            "worker_deaths": service.pool.deaths,
            "network": service.pool.network,
            "history_lost": self.recorder.lost,
            "messages": self.stats.messages,
            "refusals": self._refusals(),
            "filters": {
                name: self.stats.filters[name].to_json() for name in service.settings.chain.filters
            },
        }
