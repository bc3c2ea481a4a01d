"""The DMARC reports of the day before: `filterd dmarc report DAY --send` in a process of its
own, once the time has come.

A day's mail takes minutes to read and count, and mail waits for nobody. The command sends each
report once, so that it may run again after a restart, or where something had to wait.
"""

from __future__ import annotations

import logging
import math
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

from filterd.config.load import Settings
from filterd.daemon.background import run_command, why_it_failed

log = logging.getLogger(__name__)

LOOK_INTERVAL = 60.0
"""Seconds between two looks whether it is time; a reload may have changed it."""

RETRY_INTERVAL = 3600.0
"""Seconds until what failed, or was deferred, is tried again, until the day is over."""

RUN_LIMIT = 6 * 3600.0
"""Seconds that one run may take: many domains, and an MTA that takes its time."""

TEMPFAIL = 75
"""The command's exit status where a report has to be sent later."""


class Reports:
    """The daily reports. settings: asked for each time, so that a reload counts. config: the
    settings file, which the command reads again; None for the usual one."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        config: Path | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._config = config
        self._clock = clock
        self._done: date | None = None
        self._tried = -math.inf

    def once(self) -> None:
        """Make and send the reports of yesterday if that is due. Raises nothing."""
        dmarc = self._settings().dmarc
        now = self._clock()
        moment = datetime.fromtimestamp(now, UTC)
        # In UTC, as the days of reports.
        if not dmarc.send or moment.time() < clock_time.fromisoformat(dmarc.at):
            return
        if self._done == moment.date() or 0 <= now - self._tried < RETRY_INTERVAL:
            # A clock that was in the future, and set back, must not keep reports for longer.
            return
        self._tried = now
        # By its date: the command may begin after midnight.
        if self._report(moment.date() - timedelta(days=1)):
            self._done = moment.date()

    def _report(self, day: date) -> bool:
        words = ("dmarc", "report", day.isoformat(), "--send")
        try:
            done = run_command(*words, config=self._config, limit=RUN_LIMIT)
        except (OSError, subprocess.TimeoutExpired) as error:
            log.error("dmarc reports: %s; tried again later", error)
            return False
        for line in done.stdout.splitlines():
            log.info("dmarc reports: %s", line.strip())
        if done.returncode == TEMPFAIL:
            log.warning("dmarc reports: some have to wait; tried again later")
        elif done.returncode:
            log.error("dmarc reports: %s; tried again later", why_it_failed(done))
        return not done.returncode
