"""One stage process as the daemon sees it: questions under way, and whether it still runs."""

from __future__ import annotations

import logging
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from filterd.chain.checks import AnswerError
from filterd.chain.report_codec import written
from filterd.chain.stage_chain import StageAnswer
from filterd.workers.frames import Frames
from filterd.workers.framing import FrameError
from filterd.workers.stage_codec import decode_answer, frame_value

log = logging.getLogger(__name__)

ANSWER_LIMIT = 1 << 20
"""Octets of an answer: two hundred symbols with details of five hundred characters each."""

PING_INTERVAL = 0.25
"""Seconds of silence, while questions are under way, after which a process is asked whether it
runs."""

STALL_LIMIT = 1.5
"""Seconds that it may take to say so. Its main thread only reads; it stalls where a filter holds
the interpreter, for example in one call of C code."""

SUSPICION = 0.5
"""The same where a filter's time is over: it need not be that filter that holds everybody up."""

WRITE_LIMIT = 1
"""Seconds that it may leave unread what it is told, once the kernel's buffer is full."""

_WRITE_TIME = struct.pack("@ll", WRITE_LIMIT, 0)
"""The same for the kernel (SO_SNDTIMEO, struct timeval)."""


@dataclass(slots=True, eq=False)
class Asked:
    """A question under way. answers: what filters said, None at the end of all answers. lost: why
    there are no more, where the process ended. filters: those that were asked. said: how many
    answers have come."""

    number: int
    filters: tuple[str, ...]
    said: int = 0
    answers: queue.SimpleQueue[StageAnswer | None] = field(default_factory=queue.SimpleQueue)
    lost: str = ""


class StageProcess:
    """The daemon's end. kill: has the fork server kill the process. ended: called once when it has
    ended; idle: called when a question has ended."""

    def __init__(
        self,
        pid: int,
        peer: socket.socket,
        kill: Callable[[], None],
        ended: Callable[[StageProcess], None],
        idle: Callable[[StageProcess], None],
    ) -> None:
        self.pid = pid
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _WRITE_TIME)
        self._frames = Frames(peer, ANSWER_LIMIT)
        self._kill, self._ended, self._idle = kill, ended, idle
        self._lock = threading.Lock()
        self._open: dict[int, Asked] = {}
        self._abandoned: dict[int, float] = {}
        self._heard = self._pinged = time.monotonic()
        self._down = ""
        self.answered = 0
        """Questions that it has answered."""
        self.stalled = False
        """It was killed because it did not run any more."""
        self.spent = False
        """It should be replaced: it ran out of memory, and what it holds may be in any state."""

    def start(self) -> None:
        """Begin to listen."""
        threading.Thread(target=self._listen, name=f"stages {self.pid}", daemon=True).start()

    def ask(self, number: int, filters: tuple[str, ...], frame: bytes) -> Asked:
        """Put a question; the answers come into its queue."""
        asked = Asked(number, filters)
        with self._lock:
            if self._down:
                asked.lost = self._down
                asked.answers.put(None)
                return asked
            if not self._open:
                # Nobody asked whether it runs while nobody waited.
                self._heard = time.monotonic()
            self._open[number] = asked
        self._send(frame)
        return asked

    def tell(self, frame: bytes) -> None:
        """Say something that has no answer."""
        self._send(frame)

    def _send(self, frame: bytes) -> None:
        try:
            self._frames.send(frame)
        except OSError as error:
            # It has ended, or reads no more and has half of a frame. The listener sees the end, and
            # says so to all who wait.
            log.debug("stage process %d: %s", self.pid, error)
            self._kill()

    def abandon(self, asked: Asked) -> None:
        """Wait no longer for a question's answers: a filter has used up its time."""
        with self._lock:
            if self._open.pop(asked.number, None) is None:
                return
            self._abandoned[asked.number] = time.monotonic()
        self._send(written({"cancel": asked.number}).encode())

    def look(self, *, late: bool = False) -> None:
        """Called now and then by who waits: find out whether the process still runs. late: the time
        of a filter is over."""
        now, limit = time.monotonic(), SUSPICION if late else STALL_LIMIT
        with self._lock:
            if self._down or self.stalled:
                return
            if now - self._heard < PING_INTERVAL:
                return
            if self._pinged <= self._heard:
                self._pinged = now
            elif now - self._pinged >= limit:
                self.stalled = True
            else:
                return
        if self.stalled:
            log.error("stage process %d does not run any more, killed", self.pid)
            self._kill()
        else:
            self._send(written({"ping": 0}).encode())

    @property
    def load(self) -> tuple[int, int, float]:
        """Questions under way, questions that nobody waits for any more, and the seconds for which
        the oldest of these was abandoned."""
        with self._lock:
            oldest = min(self._abandoned.values(), default=0.0)
            age = time.monotonic() - oldest if self._abandoned else 0.0
            return len(self._open), len(self._abandoned), age

    def kill(self) -> None:
        """Have it killed."""
        self._kill()

    def _listen(self) -> None:
        """Thread: give answers to those who wait, until the process ends."""
        why = "ended"
        try:
            for frame in self._frames.received():
                self._take(frame_value(frame))
        except FrameError as error:
            why = str(error)
        except (AnswerError, TypeError, KeyError) as error:
            why = f"its answer cannot be used: {error}"
            log.error("stage process %d: %s", self.pid, why)
            self._kill()
        finally:
            self._lose(why)

    def _lose(self, why: str) -> None:
        """It has ended: tell those who wait."""
        if self.stalled:
            why = "it did not run any more, killed"
        with self._lock:
            self._down = f"stage process {self.pid}: {why}"
            lost, self._open = [*self._open.values()], {}
        for asked in lost:
            asked.lost = self._down
            asked.answers.put(None)
        self._frames.close()
        self._ended(self)

    def _take(self, value: dict[str, Any]) -> None:
        with self._lock:
            self._heard = time.monotonic()
            asked = self._open.get(value.get("of", -1))
        if "of" in value and asked is not None:
            asked.said += 1
            if asked.said > len(asked.filters):
                raise AnswerError("more answers than filters that were asked")
            answer = decode_answer(value, asked.filters)
            if answer.failure is not None and answer.failure.kind == "memory":
                self.spent = True
            asked.answers.put(answer)
        elif "end" in value:
            with self._lock:
                self._abandoned.pop(value["end"], None)
                done = self._open.pop(value["end"], None)
                self.answered += 1
            if done is not None:
                done.answers.put(None)
            self._idle(self)
