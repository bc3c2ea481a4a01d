"""The DMARC reports of the day before: `filterd dmarc report yesterday --send` in a process of its
own, once the time has come.

A day's mail takes minutes to read and count, and mail waits for nobody. The command sends each
report once, so that it may run again after a restart, or where something had to wait.
"""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from datetime import time as clock_time
from pathlib import Path

from filterd.config.load import Settings
from filterd.daemon.autolearn_runner import NICENESS
from filterd.system.child import python_command

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
        self._next = 0.0

    def once(self) -> None:
        """Make and send the reports of yesterday if that is due. Raises nothing."""
        dmarc = self._settings().dmarc
        now = self._clock()
        moment = datetime.fromtimestamp(now, UTC)
        # In UTC, as the days of reports.
        if not dmarc.send or moment.time() < clock_time.fromisoformat(dmarc.at):
            return
        if self._done == moment.date() or now < self._next:
            return
        self._next = now + RETRY_INTERVAL
        if self._report():
            self._done = moment.date()

    def _report(self) -> bool:
        report = python_command("filterd", "dmarc", "report", "yesterday", "--send")
        command = ["nice", "-n", str(NICENESS), *report]
        if self._config is not None:
            command += ["--config", str(self._config)]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=RUN_LIMIT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            log.error("dmarc reports: %s; tried again later", error)
            return False
        for line in done.stdout.splitlines():
            log.info("dmarc reports: %s", line.strip())
        if done.returncode == TEMPFAIL:
            log.warning("dmarc reports: some have to wait; tried again later")
        elif done.returncode:
            said = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
            log.error("dmarc reports: %s; tried again later", said[0])
        return not done.returncode
