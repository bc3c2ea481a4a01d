"""One message's way through the workers, and what is done when one of them gives no answer.

A filter that takes a worker down is left out when the next worker tries: what its `on_error` says
is then applied there, and all other filters count. What the content did is remembered, so
that it does not cost the same when it arrives again (see `remembered`).
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Any

from filterd.chain import replies
from filterd.chain.checks import AnswerError
from filterd.chain.descriptions import WORKER_FAILED
from filterd.chain.findings import NOTHING_FOUND, Findings
from filterd.chain.report import Arrival, ScanReport, values
from filterd.chain.verdict import Action, Failure, FailureKind, Reason, Reply, Symbol
from filterd.daemon.remembered import KnownContent, again, of_content
from filterd.daemon.service import Service
from filterd.daemon.transaction import Transaction
from filterd.message import Envelope, Message
from filterd.message.attempt import ScanAttempt
from filterd.workers import framing
from filterd.workers.codec import WorkerAnswer, decode_answer, encode_request
from filterd.workers.pool import Busy, WorkerLostError

log = logging.getLogger(__name__)

RETRY_LIMIT = 4
"""Workers that one message may cost before it gets no more."""

UNEXPLAINED_LIMIT = 2
"""Workers that it may cost where no filter can be named: another try changes nothing but chance."""


def refusing(service: Service, default: Reply, arrival: Arrival) -> WorkerAnswer:
    """The answer that gives a reply, as the settings word it, with the message's id in its text."""
    reply = replies.chosen(service.settings.policy.replies, default)
    return WorkerAnswer(
        ScanReport(
            **values(arrival),
            action=Action.REJECT if reply.code >= 500 else Action.TEMPFAIL,
            reply=Reply(reply.code, reply.xcode, f"{reply.text} (id={arrival.id})"),
        )
    )


def scan(
    service: Service,
    context: Any,
    arrival: Arrival,
    envelope: Envelope,
    transaction: Transaction,
    early: Findings = NOTHING_FOUND,
) -> tuple[WorkerAnswer, str]:
    """The answer for the message, and a note for the log if something went wrong on the way.

    context: pymilter's, told to the MTA to wait. early: what was found at the stages of the
    session. Raises milter.error if the MTA is gone.
    """
    known = service.remembered.find(transaction)
    # What this host sends itself may be a message that a person released; a worker can tell.
    if (
        known is not None
        and not all(failure.filter for failure in known.failures)
        and not envelope.client.is_local
    ):
        return _held(service, arrival, envelope, transaction, known)
    return _RunningScan(service, arrival, envelope, transaction, known, early).run(context)


class _RunningScan:
    """One message that is being scanned."""

    def __init__(
        self,
        service: Service,
        arrival: Arrival,
        envelope: Envelope,
        transaction: Transaction,
        known: KnownContent | None,
        early: Findings,
    ) -> None:
        self._service = service
        self._arrival = arrival
        self._id = arrival.id
        self._envelope = envelope
        self._transaction = transaction
        self._early = early
        self._failed = [*again(known, time.time())] if known is not None else []
        self._note = f"the same content failed as {known.id}" if known is not None else ""

    def run(self, context: Any) -> tuple[WorkerAnswer, str]:
        """Ask one worker after the other, until one answers or another try makes no sense."""
        settings = self._service.settings
        deadline = time.monotonic() + settings.chain.timeout + settings.workers.grace
        pieces, descriptor = self._transaction.message()
        trouble, unexplained = "", 0
        counts = self._service.pool.places.take()
        attempt = ScanAttempt(*counts)
        for _ in range(RETRY_LIMIT):
            failed = tuple(self._failed)
            head = encode_request(self._id, self._envelope, failed, self._early, attempt)
            if len(head) > framing.HEAD_LIMIT:
                return refusing(
                    self._service, replies.RECIPIENTS, self._arrival
                ), "not scanned: a very large envelope"
            try:
                answer = self._service.pool.scan(
                    head,
                    pieces,
                    descriptor,
                    self._decode,
                    deadline=deadline,
                    waiting=context.progress,
                    interval=settings.daemon.progress_interval,
                )
            except Busy:
                return refusing(self._service, replies.BUSY, self._arrival), "no worker was free"
            except AnswerError as error:
                trouble = f"the worker's answer cannot be used: {error}"
                lost = WorkerLostError("", FailureKind.CRASH, trouble)
            except WorkerLostError as error:
                lost, trouble = error, str(error)
            else:
                if not attempt.repeated:
                    # Of one that was lost nobody knows when it ends, and what it counts until then.
                    self._service.pool.places.give_back(counts)
                return self._answered(answer)
            attempt = attempt._replace(repeated=True)
            log.error("id=%s %s", self._id, trouble)
            if lost.blamed and lost.filter and self._is_new(lost.filter):
                self._failed.append(Failure(lost.filter, lost.kind, lost.detail))
            else:
                unexplained += 1
            if time.monotonic() >= deadline or unexplained >= UNEXPLAINED_LIMIT:
                if lost.blamed and unexplained:
                    self._failed.append(Failure("", lost.kind, lost.detail))
                break
        self._remember()
        return refusing(self._service, replies.TROUBLE, self._arrival), self._kept(trouble)

    def _decode(self, head: bytes) -> WorkerAnswer:
        return decode_answer(
            head,
            self._arrival,
            self._transaction.header_size,
            may_discard=not self._service.settings.policy.keep_discarded,
        )

    def _is_new(self, filter: str) -> bool:
        return all(failure.filter != filter for failure in self._failed)

    def _answered(self, answer: WorkerAnswer) -> tuple[WorkerAnswer, str]:
        report = answer.report
        filters = self._service.settings.chain.filters
        self._failed += [f for f in of_content(report.failures, filters) if self._is_new(f.filter)]
        self._remember()
        return answer, self._kept(report.trouble, stored=report.stored)

    def _remember(self) -> None:
        """Remember what the content did this time."""
        new = [failure for failure in self._failed if not failure.again]
        if new:
            self._service.remembered.note(self._transaction, self._id, new)

    def _kept(self, trouble: str, *, stored: bool = False) -> str:
        """Have a message kept that did something to filters, if it did; a note for the log."""
        note = "; ".join(filter(None, [self._note, trouble]))
        if not trouble or stored:
            return note
        message = Message(self._transaction.data(), self._envelope, self._id)
        try:
            kept = self._service.failures.keep(message, trouble)
        except OSError as error:
            return f"{note}; not kept for analysis: {error}"
        return f"{note}; kept as {kept}"


def _held(
    service: Service,
    arrival: Arrival,
    envelope: Envelope,
    transaction: Transaction,
    known: KnownContent,
) -> tuple[WorkerAnswer, str]:
    """Hold a message that no worker can scan: it took some down, no filter can be left out."""
    did = next(failure for failure in known.failures if not failure.filter)
    reason = f"not scanned: the same content crashed its workers as {known.id} ({did.detail})"
    in_mta = service.settings.policy.quarantine_in == "mta"
    report = ScanReport(
        **values(arrival),
        action=Action.QUARANTINE,
        reason=Reason.FAILED,
        symbols=(Symbol(WORKER_FAILED),),
        failures=(replace(did, again=True),),
        stored=not in_mta,
        mta_quarantine=Reason.FAILED.value if in_mta else None,
    )
    if in_mta:
        return WorkerAnswer(report), reason
    try:
        service.failures.hold(Message(transaction.data(), envelope, arrival.id), reason)
    except OSError as error:
        log.error("id=%s cannot be stored, answering 451: %s", arrival.id, error)
        return refusing(service, replies.TROUBLE, arrival), f"{reason}; cannot be stored: {error}"
    return WorkerAnswer(report), reason
