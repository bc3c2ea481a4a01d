"""The stage processes of one fork server: who asks here gets an answer or a failure, in time.

One process serves all sessions. A filter that takes longer than it may costs its own opinion; what
its thread goes on doing is left alone for a while, and if that does not end, a new process takes
over. When the process ends or stalls, nobody can tell which of the questions under way did it: each
of them is asked again in a process of its own, and who takes that one down as well did it.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from filterd.chain.links import LinkSettings
from filterd.chain.report import ScanReport
from filterd.chain.report_codec import written
from filterd.chain.stage_chain import StageAnswer
from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import NO_OPINION, Failure, FailureKind
from filterd.message import Recipient
from filterd.workers.counting_places import CountingPlaces
from filterd.workers.shares import Shares
from filterd.workers.stage_codec import (
    QuestionCounts,
    StageQuestion,
    encode_question,
    encode_reported,
)
from filterd.workers.stage_process import PendingQuestion, StageProcess

log = logging.getLogger(__name__)

SHARED, ALONE = "stages", "stage alone"
"""What a stage process is forked for: for all sessions, or for one question."""

ALONE_LIMIT = 4
"""Processes for one question each at a time."""

ABANDONED_LIMIT = 20.0
"""Seconds that a filter may go on after its time is over, before its process is replaced: it may be
a server that is slow now and then."""

ABANDONED_SHARE = 4
"""So many parts of the threads may be busy with what nobody waits for: one."""

CLIENT_SHARE = 4
"""So many parts of the questions at a time may be about one client: one."""

HURRY_LIMIT = 0.1
"""Seconds until what filters have said is there, once it is asked for."""

END_LIMIT = 5.0
"""Seconds that a process may take to end once it was killed; milliseconds, as a rule."""

RESPAWN_DELAY = 1.0
"""Seconds before a process that ended without having answered anything is replaced."""


class PoolClosedError(Exception):
    """The fork server has ended or is about to; a newer one may be there."""


@dataclass(slots=True)
class Told:
    """What the process that a session asked last knows of it. counts: under which name filters
    count for the question that is under way, None before it was put."""

    process: StageProcess | None = None
    transaction: str = ""
    recipients: int = 0
    counts: QuestionCounts | None = None


class _Lost(Exception):  # noqa: N818  (it says what happened, and is never seen outside)
    """The process ended or stalled while the question was under way."""

    def __init__(self, detail: str, kind: FailureKind, found: list[StageAnswer]) -> None:
        super().__init__(detail)
        self.detail, self.kind, self.found = detail, kind, found


class StagePool:
    """The stage processes. All methods may be called from any thread.

    order: what the fork server is told. asked: filters by stage. threads: questions at a time.
    timeout: seconds for all filters of one stage.
    """

    def __init__(
        self,
        order: Callable[..., None],
        asked: Mapping[Stage, tuple[str, ...]],
        *,
        wants_reports: bool,
        threads: int,
        timeout: float,
    ) -> None:
        self.asked = asked
        self._order = order
        self.wants_reports = wants_reports
        self._threads = threads
        self._timeout = timeout
        self._changed = threading.Condition()
        self._shared: StageProcess | None = None
        self._former: set[StageProcess] = set()
        self._alone: list[StageProcess] = []
        self._unwanted = 0
        self._closed = False
        self._numbers = itertools.count(1)
        self._places = CountingPlaces()
        self._slots = threading.BoundedSemaphore(threads)
        self._shares = Shares(max(threads // CLIENT_SHARE, 1))
        self._alone_slots = threading.BoundedSemaphore(ALONE_LIMIT)
        self.deaths = 0
        """Processes that ended or stalled by themselves."""

    def start(self, seconds: float) -> bool:
        """Have the first process forked, and wait for it; False if it does not come in time."""
        self._order(fork=1, role=SHARED)
        with self._changed:
            return self._changed.wait_for(lambda: self._shared is not None, seconds)

    def born(self, pid: int, peer: socket.socket, role: str) -> None:
        """The fork server has forked a process."""
        process = StageProcess(
            pid, peer, lambda: self._order(kill=pid), self._ended, self._reconsider
        )
        process.start()
        with self._changed:
            if role == ALONE and not self._unwanted:
                self._alone.append(process)
            elif role == ALONE:
                self._unwanted -= 1
                process.kill()
            elif self._shared is None:
                self._shared = process
            else:
                process.kill()
            self._changed.notify_all()

    def close(self) -> None:
        """The fork server ends, and with it all processes: who waits looks for a newer one."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def ask(
        self,
        session: Session,
        links: Mapping[str, LinkSettings],
        recipient: Recipient | None,
        told: Told,
    ) -> list[StageAnswer]:
        """What these filters say of a stage, in order: up to the first that refuses. Raises
        PoolClosedError."""
        end = time.monotonic() + self._timeout
        try:
            with self._shares.place(session.client.address, end):
                return self._ask(session, links, recipient, told, end)
        except TimeoutError as error:
            return [_failed(name, FailureKind.UNAVAILABLE, str(error)) for name in links]

    def _ask(
        self,
        session: Session,
        links: Mapping[str, LinkSettings],
        recipient: Recipient | None,
        told: Told,
        end: float,
    ) -> list[StageAnswer]:
        left, answers, alone = [*links], list[StageAnswer](), False
        if told.counts is None:
            told.counts = self._places.take()
        else:
            # Another fork server was asked, and has ended.
            told.counts = told.counts._replace(repeated=True)
        while left:
            try:
                asked = {name: links[name] for name in left}
                with self._process(end, alone=alone) as process:
                    found, refused = self._converse(
                        process, session, asked, recipient, told, end, hurry=alone
                    )
            except TimeoutError as error:
                # The process, not a filter, was not there.
                why = f"no answer within {self._timeout:g} s: {error}"
                answers += [_failed(name, FailureKind.UNAVAILABLE, why) for name in left]
                break
            except _Lost as lost:
                if self._closed:
                    raise PoolClosedError from None
                found, refused = lost.found, False
                if alone:
                    found.append(_failed(left[len(found)], lost.kind, lost.detail))
                else:
                    alone, end = True, time.monotonic() + self._timeout
                    told.counts = told.counts._replace(repeated=True)
            answers += found
            left = [] if refused else left[len(found) :]
            if left:
                session = _with(session, found)
        if all(one.failure is None for one in answers):
            # Of one that is late a thread may go on, and count there.
            self._places.give_back(told.counts)
        told.counts = None
        return answers

    @contextlib.contextmanager
    def _process(self, end: float, *, alone: bool) -> Iterator[StageProcess]:
        """The process to ask. Raises TimeoutError if there is none in time."""
        slots = self._alone_slots if alone else self._slots
        if not slots.acquire(timeout=max(end - time.monotonic(), 0)):
            raise TimeoutError("too many questions are under way")
        try:
            if not alone:
                yield self._await(lambda: self._shared, end)
                return
            self._order(fork=1, role=ALONE)
            try:
                process = self._await(lambda: self._alone.pop() if self._alone else None, end)
            except TimeoutError:
                with self._changed:
                    self._unwanted += 1
                raise
            try:
                yield process
            finally:
                process.kill()
        finally:
            slots.release()

    def _await(self, found: Callable[[], StageProcess | None], end: float) -> StageProcess:
        with self._changed:
            while (process := found()) is None:
                if self._closed:
                    raise PoolClosedError
                if not self._changed.wait(max(end - time.monotonic(), 0)):
                    raise TimeoutError("the stage process is being replaced")
            return process

    def _converse(
        self,
        process: StageProcess,
        session: Session,
        links: Mapping[str, LinkSettings],
        recipient: Recipient | None,
        told: Told,
        end: float,
        *,
        hurry: bool,
    ) -> tuple[list[StageAnswer], bool]:
        """Ask, and take answers until all are there, one refuses, or one is late; and whether one
        refuses. hurry: of a process that ends it is to be known who had answered. Raises _Lost."""
        names = tuple(links)
        begun = told.recipients
        if told.process is not process or told.transaction != session.transaction:
            begun = 0
        question = StageQuestion(
            next(self._numbers),
            session,
            names,
            max(end - time.monotonic(), 0.001),
            recipient,
            begun,
            hurry,
            told.counts or QuestionCounts(),
        )
        told.process, told.transaction = process, session.transaction
        told.recipients = len(session.envelope.recipients)
        frame = encode_question(question)
        asked = process.ask(question.number, names, frame, hurried=hurry)
        found: list[StageAnswer] = []
        for name in names:
            limit = min(end, time.monotonic() + links[name].timeout)
            try:
                answer = self._answer(process, asked, limit, found)
            except _Lost:
                process.finish(asked)
                raise
            if answer is None:
                process.abandon(asked)
                self._reconsider(process)
                late = f"no opinion within {min(links[name].timeout, self._timeout):g} s"
                return [*found, _failed(name, FailureKind.TIMEOUT, late)], False
            found.append(answer)
            if answer.refuses:
                break
        process.finish(asked)
        return found, found[-1].refuses

    @staticmethod
    def _answer(
        process: StageProcess, asked: PendingQuestion, limit: float, found: list[StageAnswer]
    ) -> StageAnswer | None:
        """The next answer, None if it is late. Raises _Lost, with what was found before."""
        while True:
            try:
                answer = process.next(asked)
            except BlockingIOError:
                if not asked.hurried:
                    # It may be another one that is late, after this one.
                    process.hurry(asked)
                    limit = max(limit, time.monotonic() + HURRY_LIMIT)
                    continue
                left = limit - time.monotonic()
                process.look(late=left <= 0)
                if left <= 0 and not process.stalled:
                    return None
                if left <= -END_LIMIT:
                    # Killed, and still there: the kernel holds it, in a file system that is away.
                    why = f"stage process {process.pid} does not end"
                    raise _Lost(why, FailureKind.TIMEOUT, found) from None
                continue
            if answer is not None:
                return answer
            kind = FailureKind.TIMEOUT if process.stalled else FailureKind.CRASH
            raise _Lost(asked.lost or "it ended without all answers", kind, found)

    def tell(self, session: Session, report: ScanReport) -> None:
        """Tell filters that want to know what became of a message or a refusal. Waits for nobody
        but the socket."""
        with self._changed:
            process = self._shared
        if self.wants_reports and process is not None:
            process.tell(encode_reported(session, report))

    @staticmethod
    def forget(id: str, told: Told) -> None:
        """The session is over; its process need not remember it."""
        if told.process is not None:
            told.process.tell(written({"forget": id}).encode())

    def _reconsider(self, process: StageProcess) -> None:
        """Replace a process that is busy with what nobody waits for, or out of memory; end one that
        was replaced and has nothing to do."""
        under_way, abandoned, age = process.load
        with self._changed:
            former = process in self._former
            busy = age > ABANDONED_LIMIT or abandoned * ABANDONED_SHARE > self._threads
            replaced = not former and process is self._shared and (busy or process.spent)
            if replaced:
                self._shared = None
                self._former.add(process)
        if replaced:
            why = "out of memory" if process.spent else "filters do not come to an end"
            log.error("stage process %d is replaced: %s", process.pid, why)
            self._order(fork=1, role=SHARED)
        if (replaced or former) and not under_way:
            process.kill()

    def _ended(self, process: StageProcess) -> None:
        """A process has ended."""
        with self._changed:
            former = process in self._former
            self._former.discard(process)
            was_shared = process is self._shared
            if was_shared:
                self._shared = None
                self.deaths += 1
            elif process in self._alone:
                self._alone.remove(process)
            closed = self._closed
            self._changed.notify_all()
        if closed or former or not was_shared:
            return
        log.error("stage process %d ended, replaced", process.pid)
        again: dict[str, Any] = {"fork": 1, "role": SHARED}
        if process.answered:
            self._order(**again)
        else:
            threading.Timer(RESPAWN_DELAY, self._order, kwargs=again).start()

    @property
    def load(self) -> tuple[int, int]:
        """Questions under way in the shared process, and those that nobody waits for."""
        with self._changed:
            process = self._shared
        return process.load[:2] if process is not None else (0, 0)


def _failed(name: str, kind: FailureKind, detail: str) -> StageAnswer:
    return StageAnswer(name, NO_OPINION, 0.0, Failure(name, kind, detail))


def _with(session: Session, found: Sequence[StageAnswer]) -> Session:
    """The session for the filters that are still to be asked."""
    symbols = session.symbols + tuple(s for one in found for s in one.verdict.symbols)
    return replace(session, symbols=symbols)
