"""Whether mail can be filtered, looked up once for all who ask at a time."""

from __future__ import annotations

import asyncio
import time

from starlette.concurrency import run_in_threadpool

from filterd.config.load import Settings
from filterd.ops.readiness import Readiness, readiness
from filterd.quarantine import Store

FRESH_SECONDS = 5.0
"""For which an answer is given again: anybody may ask, and each look asks daemon and scanners."""


class ReadinessCache:
    """What was found last. All who ask meanwhile wait for one look, in one thread."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._found: Readiness | None = None
        self._until = 0.0
        self._look: asyncio.Task[Readiness] | None = None

    async def get(self) -> Readiness:
        """The state, at most `FRESH_SECONDS` old."""
        if self._found is not None and time.monotonic() < self._until:
            return self._found
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._looked())
        # One who goes away does not take the answer from the others.
        return await asyncio.shield(self._look)

    async def _looked(self) -> Readiness:
        found = await run_in_threadpool(readiness, self._settings, self._store)
        self._found, self._until = found, time.monotonic() + FRESH_SECONDS
        return found
