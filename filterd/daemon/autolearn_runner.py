"""Autolearn's learning, from time to time: `filterd learn auto` in a process of its own.

The daemon itself never learns: a model is megabytes to read, change and write, and mail waits for
nobody. Trouble is logged and the copies stay for the next time.
"""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from filterd.config.assembly import autolearn_queue
from filterd.config.load import Settings
from filterd.daemon.background import run_command, why_it_failed

log = logging.getLogger(__name__)

LOOK_INTERVAL = 5.0
"""Seconds between two looks whether it is time; a reload may have changed the interval."""

RUN_LIMIT = 600.0
"""Seconds that one run may take. A day's lessons are a hundred messages and take one."""


class Lessons:
    """The periodic learning. settings: asked for each time, so that a reload counts. config: the
    settings file, which the command reads again; None for the usual one."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        config: Path | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._config = config
        self._clock = clock
        self._last = clock()

    def once(self) -> None:
        """Learn if it is time to and something waits. Raises nothing."""
        settings = self._settings()
        interval = settings.autolearn.interval
        if not (settings.autolearn.enabled and interval):
            return
        if self._clock() - self._last < interval:
            return
        self._last = self._clock()
        if not self._waiting(settings):
            return
        try:
            done = run_command("learn", "auto", config=self._config, limit=RUN_LIMIT)
        except (OSError, subprocess.TimeoutExpired) as error:
            log.error("autolearn: %s; the copies stay", error)
            return
        if done.returncode:
            log.error("autolearn: %s; the copies stay", why_it_failed(done))
        elif done.stdout.strip():
            log.info("autolearn: %s", done.stdout.strip())

    @staticmethod
    def _waiting(settings: Settings) -> bool:
        try:
            return bool(autolearn_queue(settings).waiting())
        except OSError as error:
            log.error("autolearn: %s", error)
            return False
