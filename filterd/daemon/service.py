"""What all sessions of the MTA share: settings, workers, what failed, messages in flight."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from filterd.chain.early import EarlySettings
from filterd.chain.policy import Policy
from filterd.chain.report import ScanReport
from filterd.config.load import Settings
from filterd.daemon.failures import FailedMail
from filterd.daemon.remembered import Remembered
from filterd.message.matching import networks
from filterd.workers.pool import Pool


@dataclass
class Service:
    """What all sessions share. settings and pool are exchanged as a whole by a reload."""

    settings: Settings
    pool: Pool
    failures: FailedMail
    report: Callable[[ScanReport], None]
    """Logs a message."""
    note: Callable[[ScanReport, bytes, bytes], None]
    """Takes a message for the history: its report, Subject and From."""
    remembered: Remembered = field(default_factory=Remembered)
    """Contents that are not scanned again by the filters that they harmed."""
    unreadable: int = 0
    """Events so far that were lost on their way into a session, for lack of memory for example."""
    _in_flight: int = 0
    _asking: int = 0
    _early: tuple[Settings | None, EarlySettings | None] = (None, None)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def early(self) -> EarlySettings:
        """What counts for answers before there is a message."""
        settings, (known, early) = self.settings, self._early
        if early is None or known is not settings:
            early = EarlySettings(
                Policy(settings.policy),
                {name: settings.filters[name].link for name in settings.chain.filters},
                networks(settings.quarantine.release_clients),
            )
            self._early = settings, early
        return early

    def begin(self) -> None:
        """One more message is being scanned."""
        with self._changed:
            self._in_flight += 1

    def end(self) -> None:
        """A message got its answer."""
        with self._changed:
            self._in_flight -= 1
            self._changed.notify_all()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """A session waits for what filters say at a stage."""
        with self._changed:
            self._asking += 1
        try:
            yield
        finally:
            with self._changed:
                self._asking -= 1
                self._changed.notify_all()

    @property
    def in_flight(self) -> int:
        """Messages that are being scanned or wait for a worker."""
        with self._changed:
            return self._in_flight

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until no message is being scanned and no session waits for filters; False if that
        takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._in_flight or self._asking), seconds)
