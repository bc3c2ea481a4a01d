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
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from filterd.mta.delivery.router import DeliveryError, DeliveryOutcome, Failures, Router, sender_for
from filterd.mta.mail.deliver_by import DeliverBy
from filterd.mta.mail.entry import QueueEntry
from filterd.mta.mail.queue_times import QueueTimes
from filterd.mta.queue.recipient_report import RecipientReport, failed, may_be_warned, success
from filterd.mta.queue.spool import Spool, SpoolError

log = logging.getLogger("filterd.mta")

PARALLEL = 8
"""Deliveries at a time: most of their time they wait for the disk."""

LOOK_INTERVAL = 5.0
"""Seconds between scans of the spool for messages that are due, or were released by an admin."""

LONGEST_WAIT = 3600.0
"""Seconds between attempts at most."""

Bounce = Callable[[QueueEntry, Sequence[RecipientReport], bytes], tuple[QueueEntry, bytes] | None]
"""Makes the report to the sender about its recipients, None if there is nobody to report to."""


@dataclass(frozen=True, slots=True)
class _AttemptOutcome:
    """What an attempt came to. left: recipients to be tried again. warned: the sender knows, or
    hears by these reports, that it is late."""

    left: Failures
    reports: Sequence[RecipientReport]
    warned: bool


class QueueManager:
    """Runs deliveries of one spool. retry: seconds to the first new attempt, then doubled. times:
    how long mail may wait."""

    def __init__(
        self,
        spool: Spool,
        router: Router,
        executor: Executor,
        *,
        retry: float,
        bounce: Bounce,
        times: QueueTimes = QueueTimes(),  # noqa: B008  (frozen)
    ) -> None:
        self._spool = spool
        self._router = router
        self._executor = executor
        self._retry = retry
        self._bounce = bounce
        self._times = times
        self._slots = asyncio.Semaphore(PARALLEL)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._unwritten: dict[str, _AttemptOutcome] = {}
        """What attempts came to that could not be written to the disk."""

    def reconfigure(
        self, router: Router, *, retry: float, bounce: Bounce, times: QueueTimes
    ) -> None:
        """Deliver by another configuration from the next attempt on."""
        self._router, self._retry, self._bounce = router, retry, bounce
        self._times = times

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
            known = known or self._attempted(entry, message)
            reports = self._reports(entry, known.reports, message)
            for report in reports:
                # Durable before the recipients in it are removed.
                self._spool.store(*report)
            known = replace(known, reports=())
            if known.left:
                self._postpone(entry, known)
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

    def _attempted(self, entry: QueueEntry, message: bytes) -> _AttemptOutcome:
        """Try each recipient, and give up or warn where it is time to."""
        by = None if entry.is_report else DeliverBy.of(entry.sender_parameters)
        left, reports = self._serve(entry, message, by)
        age = time.time() - entry.arrived
        if entry.expires and age >= entry.expires - entry.arrived:
            reports += [failed(*one) for one in left]
            return _AttemptOutcome([], reports, warned=True)
        if by is not None and by.returns and age >= by.seconds:
            reports += [failed(target, _expired(by)) for target, _ in left]
            return _AttemptOutcome([], reports, warned=True)
        is_told = entry.warned or entry.is_report
        if not left or is_told or not self._is_late(age, by, message):
            return _AttemptOutcome(left, reports, entry.warned)
        reports += [
            RecipientReport(target, "delayed", error)
            for target, error in left
            if may_be_warned(sender_for(entry, target))
        ]
        return _AttemptOutcome(left, reports, warned=True)

    def _is_late(self, age: float, by: DeliverBy | None, message: bytes) -> bool:
        """Whether the sender is to hear that a message was not delivered yet."""
        patience = self._times.patience(message)
        return bool(patience and age >= patience) or (by is not None and by.is_exceeded(age))

    def _reports(
        self, entry: QueueEntry, told: Sequence[RecipientReport], message: bytes
    ) -> list[tuple[QueueEntry, bytes]]:
        """Reports for the sender, and for the owners of the lists that named a recipient."""
        reports = []
        for sender in dict.fromkeys(sender_for(entry, one.target) for one in told):
            theirs = [one for one in told if sender_for(entry, one.target) == sender]
            report = self._bounce(replace(entry, sender=sender), theirs, message)
            if report is not None:
                # The sender or the postmaster may be an alias.
                targets = self._router.expand(report[0].targets)
                reports.append((replace(report[0], targets=targets), report[1]))
        return reports

    def _serve(
        self, entry: QueueEntry, message: bytes, by: DeliverBy | None
    ) -> tuple[Failures, list[RecipientReport]]:
        """Try each recipient. Returns the deferred ones, and what is told of others."""
        left: Failures = []
        reports: list[RecipientReport] = []
        if by is not None and by.returns and time.time() - entry.arrived >= by.seconds:
            # RFC 2852 §4.1.1: it must not be delivered any more.
            return [(target, _expired(by)) for target in entry.targets], reports
        unserved = dict.fromkeys(entry.targets)
        try:
            for outcome in self._router.deliver(entry, message):
                unserved.pop(outcome.target, None)
                if outcome.error is None:
                    told = success(outcome, by) if entry.sender else None
                    reports += [told] if told is not None else []
                elif outcome.error.temporary:
                    left.append((outcome.target, outcome.error))
                else:
                    reports.append(failed(outcome.target, outcome.error))
                _log(entry, outcome)
        except Exception as error:
            # Those who were served are not served again for it.
            if isinstance(error, OSError):
                log.error("%s: delivery: %s", entry.id, error)
            else:
                log.exception("%s: delivery", entry.id)
            trouble = DeliveryError("Deferred", temporary=True, code="4.3.0")
            left += [(target, trouble) for target in unserved]
        return left, reports

    def _postpone(self, entry: QueueEntry, attempt: _AttemptOutcome) -> None:
        left = attempt.left
        wait = min(self._retry * 2.0 ** min(entry.attempts, 20), LONGEST_WAIT)
        due = time.time() + wait
        by = DeliverBy.of(entry.sender_parameters)
        if by is not None and time.time() < entry.arrived + by.seconds < due:
            # What is to be told then is told in time.
            due = entry.arrived + by.seconds
        later = replace(
            entry,
            targets=tuple(target for target, _ in left),
            attempts=entry.attempts + 1,
            due=due,
            trouble=str(left[-1][1]),
            warned=attempt.warned,
        )
        self._spool.update(later)


def _expired(by: DeliverBy) -> DeliveryError:
    return DeliveryError(f"Delivery time ({by.seconds}s) expired", temporary=False, code="5.4.7")


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
