"""The workers as the daemon sees them: acquire one, wait for its answer, replace it when it dies.

Idle workers are a stack, so that a quiet daemon keeps using the one whose caches are warm. The
queue to them is bounded: a request to a full one fails at once. There may be many more workers than
cores, since most of them wait for other hosts; so of large messages, which take the processor more
than the network, only two for each core are scanned at a time: else each would take as many times
as long as there are workers for a core, and could miss its budget only for that. A *generation* is
one fork server with its workers; a reload starts a new one and lets the old one finish what it has.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from filterd.chain.verdict import FailureKind
from filterd.config.processes import StageSettings
from filterd.workers import framing
from filterd.workers.counting_places import CountingPlaces
from filterd.workers.forkserver import PACKET_LIMIT
from filterd.workers.generation import (
    EX_UNAVAILABLE,
    START_LIMIT,
    Begin,
    Generation,
    StartError,
    Worker,
)
from filterd.workers.stage_pool import StagePool
from filterd.workers.waiting import Ticker, Waiter

log = logging.getLogger(__name__)

T = TypeVar("T")

RESPAWN_DELAY = 1.0
"""Seconds between the death of a worker that never answered and its replacement: a filter that dies
at once must not become a fork bomb."""

LARGE_OF_A_CORE = 2
"""Large messages that are scanned at a time, for each core: while one waits for a scanner, another
one works."""

ENDED_LIMIT = 1.0
"""Seconds to wait for the fork server to say how a worker ended; it is only for the log."""


class Busy(Exception):  # noqa: N818  (a state of the pool, not an error of the caller)
    """All workers are busy and the queue is full."""


class WorkerLostError(Exception):
    """The worker gave no answer. filter: what it was running, empty for nothing; kind: `timeout` or
    `crash`. blamed: the message did it, as far as is known: its worker was not ended with all
    the others, and had its time."""

    def __init__(self, filter: str, kind: FailureKind, detail: str, *, blamed: bool = True) -> None:
        super().__init__(f"{kind} in {filter or 'no filter'}: {detail}")
        self.filter = filter
        self.kind = kind
        self.detail = detail
        self.blamed = blamed


class Pool:
    """The workers. All methods may be called from any thread."""

    def __init__(
        self,
        config: Path | None,
        count: int,
        *,
        queue: int,
        recycle: int,
        grace: float,
        stages: StageSettings = StageSettings(),  # noqa: B008  (frozen)
    ) -> None:
        self._config = config
        self._stages = stages
        self._count = count
        self._queue = queue
        self._recycle = recycle
        self._grace = grace
        self._changed = threading.Condition()
        self._idle: list[Worker] = []
        self._waiting: deque[Waiter] = deque()
        self._large = 0
        self._large_limit = LARGE_OF_A_CORE * len(os.sched_getaffinity(0))
        self._current: Generation | None = None
        self._last_stages: StagePool | None = None
        self._closed = False
        self.places = CountingPlaces()
        """Where what filters count for messages is marked."""
        self.deaths = 0
        """Workers that ended by a signal or with a status, and were replaced."""

    @property
    def network(self) -> str:
        """Why workers can reach the network, empty if they cannot."""
        return "" if self._current is None else self._current.network

    def start(self, begin: Begin | None = None) -> None:
        """Start a fork server and its workers; once they are ready they take over from the former.

        begin: how the fork server is started; None: as a program. Raises StartError, and then the
        former generation goes on.
        """
        generation = Generation.start(self._config, self._stages, begin)
        threading.Thread(target=self._listen, args=(generation,), daemon=True).start()
        for _ in range(self._count):
            generation.order(fork=1)
        deadline = time.monotonic() + START_LIMIT
        if generation.stages is not None and not generation.stages.start(START_LIMIT):
            generation.close()
            raise StartError("the stage process did not start in time", EX_UNAVAILABLE)
        with self._changed:
            while len(generation.alive) < self._count:
                if not self._changed.wait(deadline - time.monotonic()):
                    generation.close()
                    raise StartError("the workers did not start in time", EX_UNAVAILABLE)
            former, self._current = self._current, generation
            self._last_stages = generation.stages
            if former is not None:
                # From here on, a worker of the former that gets free ends instead of idling.
                former.retired = True
            self._idle = []
            for worker in generation.alive.values():
                self._hand_on(worker)
        if former is not None:
            self._retire(former)

    def _listen(self, generation: Generation) -> None:
        """Thread: hear what a fork server says, until it closes."""
        while True:
            try:
                packet, descriptors, _, _ = socket.recv_fds(generation.control, PACKET_LIMIT, 2)
            except OSError:
                packet, descriptors = b"", []
            if not packet:
                break
            answer = json.loads(packet)
            if "role" in answer:
                if generation.stages is not None:
                    stream = socket.socket(fileno=descriptors[0])
                    generation.stages.born(answer["worker"], stream, answer["role"])
            elif "worker" in answer:
                peer, page = descriptors
                self._born(generation, answer["worker"], peer, page)
            elif "ended" in answer:
                self._died(generation, answer)
        generation.process.wait()
        generation.control.close()
        with self._changed:
            unexpected = generation is self._current and not self._closed
            if unexpected:
                self._current = None
            self._idle = [w for w in self._idle if w.generation is not generation]
        if generation.stages is not None:
            generation.stages.close()
        if unexpected:
            log.error(
                "the fork server ended (status %s); starting a new one",
                generation.process.returncode,
            )
            self._restart()

    def _restart(self) -> None:
        while not self._closed:
            try:
                self.start()
            except StartError as error:
                log.error("workers cannot be started: %s", error)
                time.sleep(RESPAWN_DELAY * 5)
            else:
                return

    def _born(self, generation: Generation, pid: int, peer: int, page: int) -> None:
        worker = Worker.attach(pid, peer, page, generation)
        with self._changed:
            generation.alive[pid] = worker
            if generation.retired:
                worker.peer.close()
            if generation is self._current:
                self._hand_on(worker)
            self._changed.notify_all()

    def _died(self, generation: Generation, answer: dict[str, Any]) -> None:
        pid = answer["ended"]
        how = f"signal {answer['signal']}" if answer["signal"] else f"status {answer['status']}"
        with self._changed:
            worker = generation.alive.pop(pid, None)
            if worker is not None and worker.busy:
                generation.ended[pid] = how
            if worker is not None and worker in self._idle:
                self._idle.remove(worker)
            replace = not generation.retired and not self._closed
            if replace and (answer["signal"] or answer["status"]):
                self.deaths += 1
            last = generation.retired and not generation.alive
            self._changed.notify_all()
        if replace:
            if worker is not None and worker.answered == 0:
                threading.Timer(RESPAWN_DELAY, generation.order, kwargs={"fork": 1}).start()
            else:
                generation.order(fork=1)
        if last:
            generation.close()

    def _retire(self, generation: Generation) -> None:
        """Let a generation go: idle workers now, busy ones when they have answered."""
        with self._changed:
            for worker in generation.alive.values():
                if not worker.busy:
                    worker.peer.close()
            last = not generation.alive
        if last:
            generation.close()

    def close(self) -> None:
        """End all workers, also busy ones. A caller that waits for one gets WorkerLostError."""
        with self._changed:
            self._closed = True
            generation = self._current
        if generation is not None:
            generation.close()
            generation.await_end()

    @property
    def stages(self) -> StagePool | None:
        """The processes that are asked at stages; None where no filter wants that. While the fork
        server is away, its closed ones: who asks them hears so, and no filter is passed over."""
        with self._changed:
            return self._last_stages

    @property
    def load(self) -> tuple[int, int, int]:
        """Workers alive, idle, and messages that wait for one."""
        with self._changed:
            alive = len(self._current.alive) if self._current is not None else 0
            return alive, len(self._idle), len(self._waiting)

    def scan(
        self,
        head: bytes,
        body: Sequence[framing.Buffer],
        descriptor: int | None,
        decode: Callable[[bytes], T],
        *,
        deadline: float,
        waiting: Callable[[], None],
        interval: float,
    ) -> T:
        """Have a worker scan a message; return what `decode` makes of the answer.

        descriptor: of the file that has the message, where it is a large one. deadline: on the
        monotonic clock. waiting: called every `interval` seconds until the answer.
        Raises Busy if no worker is available, WorkerLostError if it gave no answer, and what
        `decode` raises; a worker whose answer cannot be decoded is not used again.
        """
        ticker = Ticker(waiting, interval)
        large = descriptor is not None
        worker = self._borrow(deadline, ticker, large=large)
        try:
            answer = decode(self._converse(worker, (head, body, descriptor), deadline, ticker))
        except WorkerLostError:
            worker.peer.close()
            raise
        except BaseException:
            # A worker that talks nonsense, or whose message's connection is gone.
            worker.generation.order(kill=worker.pid)
            worker.peer.close()
            raise
        finally:
            if large:
                self._large_ended()
        self._give_back(worker)
        return answer

    def _borrow(self, deadline: float, ticker: Ticker, *, large: bool) -> Worker:
        with self._changed:
            waiter = Waiter(large=large)
            if self._idle and self._is_next(waiter):
                worker = self._idle.pop()
                worker.busy = True
                self._large += large
                return worker
            if len(self._waiting) >= self._queue:
                raise Busy
            self._waiting.append(waiter)
        try:
            while not waiter.given(min(ticker.remaining, max(deadline - _now(), 0))):
                ticker.tick()
                if _now() >= deadline or self._closed:
                    raise Busy
        except BaseException:
            with self._changed:
                if waiter.worker is None:
                    self._waiting.remove(waiter)
                else:
                    self._large -= large
                    self._hand_on(waiter.worker)
            raise
        assert waiter.worker is not None
        return waiter.worker

    def _hand_on(self, worker: Worker) -> None:
        """Give a free worker to the message that waits longest, or let it idle. Called with the
        lock held."""
        waiter = next(filter(self._is_next, self._waiting), None)
        worker.busy = waiter is not None
        if waiter is None:
            self._idle.append(worker)
            return
        self._waiting.remove(waiter)
        self._large += waiter.large
        waiter.give(worker)

    def _is_next(self, waiter: Waiter) -> bool:
        """Whether a message may have a worker now. Called with the lock held."""
        return not waiter.large or self._large < self._large_limit

    def _large_ended(self) -> None:
        """A large message is done with: another one may begin, if a worker is free."""
        with self._changed:
            self._large -= 1
            if self._idle:
                self._hand_on(self._idle.pop())

    def _converse(
        self,
        worker: Worker,
        request: tuple[bytes, Sequence[framing.Buffer], int | None],
        deadline: float,
        ticker: Ticker,
    ) -> bytes:
        try:
            framing.send(worker.peer, *request)
        except OSError:
            raise self._lost(worker, FailureKind.CRASH) from None
        while True:
            try:
                return worker.receiver.receive()[0]
            except BlockingIOError:
                # Nothing came within POLL_INTERVAL.
                pass
            except framing.FrameError:
                raise self._lost(worker, FailureKind.CRASH) from None
            ticker.tick()
            _name, over = worker.page.read()
            if _now() > min(deadline, over + self._grace if over else deadline):
                worker.generation.order(kill=worker.pid)
                raise self._lost(worker, FailureKind.TIMEOUT, blamed=bool(over) and _now() > over)

    def _lost(self, worker: Worker, kind: FailureKind, *, blamed: bool = True) -> WorkerLostError:
        """Why the worker gives no answer, as far as can be known within a moment."""
        ended = worker.generation.ended
        with self._changed:
            self._changed.wait_for(lambda: worker.pid in ended, ENDED_LIMIT)
            how = ended.pop(worker.pid, "the answer cannot be read")
        name, _over = worker.page.read()
        if kind is FailureKind.TIMEOUT:
            how = "no answer in time, killed"
        if worker.generation.process.poll() is not None:
            how, blamed = "its fork server ended", False
        return WorkerLostError(name, kind, f"worker {worker.pid}: {how}", blamed=blamed)

    def _give_back(self, worker: Worker) -> None:
        worker.answered += 1
        worn = worker.page.spent or (self._recycle and worker.answered >= self._recycle)
        with self._changed:
            if not (worn or worker.generation.retired or self._closed):
                self._hand_on(worker)
                return
            worker.busy = False
        # It ends when it reads the end of the stream, and the fork server says so.
        worker.peer.close()


def _now() -> float:
    return time.monotonic()
