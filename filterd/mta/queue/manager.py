"""The queue manager: deliver messages of the spool, retry deferred ones, return them at last.

A message is delivered to one recipient after the other in a worker thread. When the attempt ends,
the recipients that were served are removed from the envelope on disk; where that fails, the next
attempt does only that. After a crash the whole remaining list is tried again: a recipient may get a
message twice, but never not at all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace

from filterd.mta.delivery.router import DeliveryError, DeliveryOutcome, Failures, Router, sender_for
from filterd.mta.mail.entry import QueueEntry
from filterd.mta.queue.spool import Spool, SpoolError

log = logging.getLogger("filterd.mta")

PARALLEL = 8
"""Deliveries at a time: most of their time they wait for the disk."""

LOOK_INTERVAL = 5.0
"""Seconds between scans of the spool for messages that are due, or were released by an admin."""

LONGEST_WAIT = 3600.0
"""Seconds between attempts at most."""

Bounce = Callable[[QueueEntry, Failures, bytes], tuple[QueueEntry, bytes] | None]
"""Makes the report to the sender about failed recipients, None if there is nobody to report to."""


class QueueManager:
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
        self._unwritten: dict[str, tuple[Failures, Failures]] = {}
        """What attempts came to that could not be written to the disk: deferred and failed
        recipients."""

    def reconfigure(self, router: Router, *, retry: float, bounce: Bounce) -> None:
        """Deliver by another configuration from the next attempt on."""
        self._router, self._retry, self._bounce = router, retry, bounce

    async def submit(self, entry: QueueEntry, message: bytes) -> None:
        """Make a message durable and start its delivery. Raises OSError."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._spool.store, entry, message)
        if entry.held is not None:
            log.info("%s: quarantine=%s, stat=quarantined", entry.id, entry.held)
        elif entry.due > time.time():
            log.info("%s: stat=queued", entry.id)
        else:
            self._start(entry, message)

    async def run(self) -> None:
        """Run the queue until cancelled."""
        while True:
            try:
                await self.look()
            except SpoolError as error:
                log.error("%s", error)
            await asyncio.sleep(LOOK_INTERVAL)

    async def look(self, *, all: bool = False) -> None:
        """Start delivery of every message that is due (or of all) and not being delivered."""
        loop = asyncio.get_running_loop()
        entries = await loop.run_in_executor(
            self._executor, lambda: list(self._spool.entries(_complain))
        )
        for entry in entries:
            if all or entry.due <= time.time():
                self._start(entry, None, anyway=all)

    async def settled(self) -> None:
        """Wait until no delivery is running."""
        await self._idle.wait()

    def _start(self, entry: QueueEntry, message: bytes | None, *, anyway: bool = False) -> None:
        """Deliver a message; None: read it from the disk. anyway: also if it is not due."""
        if entry.id in self._running:
            return
        task = asyncio.get_running_loop().create_task(self._attempt(entry, message, anyway))
        self._running[entry.id] = task
        self._idle.clear()
        task.add_done_callback(lambda _: self._done(entry.id))

    def _done(self, id: str) -> None:
        del self._running[id]
        if not self._running:
            self._idle.set()

    async def _attempt(self, entry: QueueEntry, message: bytes | None, anyway: bool) -> None:
        loop = asyncio.get_running_loop()
        async with self._slots:
            reports = await loop.run_in_executor(
                self._executor, self._deliver, entry, message, anyway
            )
        for report in reports:
            self._start(report, None)

    def _deliver(self, entry: QueueEntry, message: bytes | None, anyway: bool) -> list[QueueEntry]:
        """One attempt, in a worker thread. Returns the reports to the sender."""
        known = self._unwritten.get(entry.id)
        try:
            if message is None:
                # Read again: it may have been delivered since the scan.
                current = self._spool.read(entry.id)
                if current is None or (current.due > time.time() and not anyway):
                    return []
                entry, message = current, self._spool.message(current)
            left, failed = known = known or self._serve(entry, message)
            if entry.expires and time.time() >= entry.expires:
                left, failed = known = [], failed + left
            reports = self._reports(entry, failed, message)
            for report in reports:
                # Durable before the recipients in it are removed.
                self._spool.store(*report)
            known = left, []
            if left:
                self._postpone(entry, left)
            else:
                self._spool.remove(entry)
            self._unwritten.pop(entry.id, None)
        except Exception as error:
            if known is not None:
                # Nobody is served or told again.
                self._unwritten[entry.id] = known
            if isinstance(error, OSError | SpoolError):
                log.error("%s: queue: %s; will retry later", entry.id, error)
            else:
                log.exception("%s: queue; will retry later", entry.id)
            return []
        return [report[0] for report in reports]

    def _reports(
        self, entry: QueueEntry, failed: Failures, message: bytes
    ) -> list[tuple[QueueEntry, bytes]]:
        """Reports for the sender, and for the owners of the lists that named a failed recipient."""
        reports = []
        for sender in dict.fromkeys(sender_for(entry, target) for target, _ in failed):
            theirs = [one for one in failed if sender_for(entry, one[0]) == sender]
            report = self._bounce(replace(entry, sender=sender), theirs, message)
            if report is not None:
                # The sender or the postmaster may be an alias.
                targets = self._router.expand(report[0].targets)
                reports.append((replace(report[0], targets=targets), report[1]))
        return reports

    def _serve(self, entry: QueueEntry, message: bytes) -> tuple[Failures, Failures]:
        """Try each recipient. Returns the deferred and the failed ones."""
        left: Failures = []
        failed: Failures = []
        unserved = dict.fromkeys(entry.targets)
        try:
            for outcome in self._router.deliver(entry, message):
                unserved.pop(outcome.target, None)
                if outcome.error is not None:
                    kind = left if outcome.error.temporary else failed
                    kind.append((outcome.target, outcome.error))
                _log(entry, outcome)
        except Exception as error:
            # Those who were served are not served again for it.
            if isinstance(error, OSError):
                log.error("%s: delivery: %s", entry.id, error)
            else:
                log.exception("%s: delivery", entry.id)
            trouble = DeliveryError("Deferred", temporary=True, code="4.3.0")
            left += [(target, trouble) for target in unserved]
        return left, failed

    def _postpone(self, entry: QueueEntry, left: Failures) -> None:
        wait = min(self._retry * 2.0 ** min(entry.attempts, 20), LONGEST_WAIT)
        later = replace(
            entry,
            targets=tuple(target for target, _ in left),
            attempts=entry.attempts + 1,
            due=time.time() + wait,
            trouble=str(left[-1][1]),
        )
        self._spool.update(later)


def _complain(error: SpoolError) -> None:
    log.error("%s", error)


def _log(entry: QueueEntry, outcome: DeliveryOutcome) -> None:
    error = outcome.error
    if error is None:
        log.info(
            "%s: to=<%s>, mailer=%s, delay=%.3f, dsn=2.0.0, stat=Sent (%s)",
            entry.id,
            outcome.target.address,
            outcome.mailer,
            time.time() - entry.arrived,
            outcome.place,
        )
    else:
        log.info(
            "%s: to=<%s>, dsn=%s, stat=%s: %s",
            entry.id,
            outcome.target.address,
            error.code,
            "Deferred" if error.temporary else "Failed",
            error,
        )
