"""The queue at work: deliver what the spool holds, try again later, give up in the end.

A message is delivered to its recipients one after the other in a worker thread; who was served is
struck off the envelope on disk when the attempt ends. After a crash the whole remaining list is
tried again, so that a recipient may get a message twice and never not at all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace

from filterd.mta.delivery import DeliveryError, Router
from filterd.mta.spool import Entry, Spool, SpoolError, Target

log = logging.getLogger("filterd.mta")

PARALLEL = 8
"""Deliveries at a time: they mostly wait for the disk."""

LOOK_INTERVAL = 5.0
"""Seconds between looks at the spool for what has become due, or was released by hand."""

LONGEST_WAIT = 3600.0
"""Seconds between attempts at most."""

Bounce = Callable[[Entry, list[tuple[Target, DeliveryError]], bytes], tuple[Entry, bytes] | None]
"""Makes the report to the sender about recipients who cannot be served, None for nobody to tell."""


class Queue:
    """Runs deliveries of one spool. retry: seconds to the first new attempt, then doubled."""

    def __init__(
        self, spool: Spool, router: Router, executor: Executor, *, retry: float, bounce: Bounce
    ) -> None:
        self._spool = spool
        self._router = router
        self._executor = executor
        self._retry = retry
        self._bounce = bounce
        self._slots = asyncio.Semaphore(PARALLEL)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    async def submit(self, entry: Entry, message: bytes) -> None:
        """Accept a message: durable when this returns, on its way soon after. Raises OSError."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._spool.store, entry, message)
        if entry.held is None:
            self._start(entry, message)
        else:
            log.info("%s: quarantine=%s, stat=quarantined", entry.id, entry.held)

    async def run(self) -> None:
        """Look for due messages until cancelled."""
        while True:
            try:
                await self.look()
            except SpoolError as error:
                log.error("%s", error)
            await asyncio.sleep(LOOK_INTERVAL)

    async def look(self) -> None:
        """Start every message that is due and not being delivered."""
        loop = asyncio.get_running_loop()
        entries = await loop.run_in_executor(self._executor, lambda: list(self._spool.entries()))
        for entry in entries:
            if entry.due <= time.time():
                self._start(entry, None)

    async def settled(self) -> None:
        """Wait until no delivery is under way."""
        await self._idle.wait()

    def _start(self, entry: Entry, message: bytes | None) -> None:
        if entry.id in self._running:
            return
        task = asyncio.get_running_loop().create_task(self._attempt(entry, message))
        self._running[entry.id] = task
        self._idle.clear()
        task.add_done_callback(lambda _: self._done(entry.id))

    def _done(self, id: str) -> None:
        del self._running[id]
        if not self._running:
            self._idle.set()

    async def _attempt(self, entry: Entry, message: bytes | None) -> None:
        loop = asyncio.get_running_loop()
        async with self._slots:
            report = await loop.run_in_executor(self._executor, self._deliver, entry, message)
        if report is not None:
            self._start(report, None)

    def _deliver(self, entry: Entry, message: bytes | None) -> Entry | None:
        """One attempt, in a worker thread. Returns the report to the sender, if there is one."""
        try:
            if message is None:
                # Read again: what was seen when looking may have been served since.
                current = self._spool.read(entry.id)
                if current is None or current.due > time.time():
                    return None
                entry, message = current, self._spool.message(current)
            left, failed = self._serve(entry, message)
            if entry.expires and time.time() >= entry.expires:
                failed, left = failed + left, []
            report = self._bounce(entry, failed, message) if failed else None
            if report is not None:
                # Safe before the recipients it speaks of are forgotten.
                self._spool.store(*report)
            if left:
                self._postpone(entry, left)
            else:
                self._spool.remove(entry)
        except (OSError, SpoolError) as error:
            log.error("%s: queue: %s; tried again later", entry.id, error)
            return None
        return report[0] if report is not None else None

    def _serve(
        self, entry: Entry, message: bytes
    ) -> tuple[list[tuple[Target, DeliveryError]], list[tuple[Target, DeliveryError]]]:
        """Try each recipient; return those to try again and those to give up."""
        left: list[tuple[Target, DeliveryError]] = []
        failed: list[tuple[Target, DeliveryError]] = []
        for target in entry.targets:
            try:
                route = self._router.resolve(target.address)
                place = self._router.mailer(route).deliver(entry, target, message)
            except DeliveryError as error:
                (left if error.temporary else failed).append((target, error))
                log.info("%s: to=<%s>, dsn=%s, stat=%s: %s", entry.id, target.address, error.code,
                         "Deferred" if error.temporary else "Failed", error)  # fmt: skip
            else:
                delay = time.time() - entry.arrived
                log.info("%s: to=<%s>, mailer=%s, delay=%.3f, dsn=2.0.0, stat=Sent (%s)",
                         entry.id, target.address, route.mailer, delay, place)  # fmt: skip
        return left, failed

    def _postpone(self, entry: Entry, left: list[tuple[Target, DeliveryError]]) -> None:
        wait = min(self._retry * 2.0 ** min(entry.attempts, 20), LONGEST_WAIT)
        later = replace(
            entry,
            targets=tuple(target for target, _ in left),
            attempts=entry.attempts + 1,
            due=time.time() + wait,
            trouble=str(left[-1][1]),
        )
        self._spool.update(later)
