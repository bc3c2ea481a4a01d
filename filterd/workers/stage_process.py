"""One stage process as the daemon sees it: questions under way, and whether it still runs."""

from __future__ import annotations

import logging
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from filterd.chain.checks import AnswerError
from filterd.chain.report_codec import written
from filterd.chain.stage_chain import StageAnswer
from filterd.workers.frames import Frames
from filterd.workers.framing import FrameError
from filterd.workers.stage_codec import decode_said, frame_value

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

READ_SECONDS = 0.1
"""After which who waits for an answer looks at the time."""

END_LIMIT = 1.0
"""Seconds until a question's end has to follow its last answer."""

_DOWN_LIMIT = 1.0
"""Seconds to wait for the reason why a process has ended; it is only for the log."""

_READ_TIME = struct.pack("@ll", 0, int(READ_SECONDS * 1_000_000))
"""The same for the kernel (SO_RCVTIMEO, struct timeval)."""

_WRITE_TIME = struct.pack("@ll", WRITE_LIMIT, 0)
"""The same for the kernel (SO_SNDTIMEO, struct timeval)."""


@dataclass(slots=True, eq=False)
class PendingQuestion:
    """A question under way. line: where it was put, None where the process had ended. filters:
    those that were asked. hurried: answers are to come at once. said: those that have come and were
    not taken; count: how many have come. ended: there are no more. lost: why, where it is the
    process that ended."""

    number: int
    line: Frames | None
    filters: tuple[str, ...]
    hurried: bool = False
    said: deque[StageAnswer] = field(default_factory=deque)
    count: int = 0
    ended: bool = False
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
        self._lines: list[Frames] = []
        self._open: dict[int, Frames] = {}
        self._abandoned: dict[int, float] = {}
        self._heard = self._pinged = time.monotonic()
        self._why = ""
        self._down = threading.Event()
        self.answered = 0
        """Questions that it has answered."""
        self.stalled = False
        """It was killed because it did not run any more."""
        self.spent = False
        """It should be replaced: it ran out of memory, and what it holds may be in any state."""

    def start(self) -> None:
        """Begin to listen."""
        threading.Thread(target=self._listen, name=f"stages {self.pid}", daemon=True).start()

    def ask(
        self, number: int, filters: tuple[str, ...], frame: bytes, *, hurried: bool = False
    ) -> PendingQuestion:
        """Put a question; `next` has the answers, and `finish` or `abandon` ends it."""
        try:
            line = self._line(number)
            if line is not None:
                line.send(frame)
        except OSError as error:
            # It has ended, or reads no more and has half of a frame. Who reads sees the end.
            log.debug("stage process %d: %s", self.pid, error)
            self._kill()
        return PendingQuestion(number, line, filters, hurried)

    def _line(self, number: int) -> Frames | None:
        """A line for a question; None if the process has ended."""
        with self._lock:
            if self._down.is_set():
                return None
            if not self._open:
                # Nobody asked whether it runs while nobody waited.
                self._heard = time.monotonic()
            if self._lines:
                line = self._open[number] = self._lines.pop()
                return line
            ours, theirs = socket.socketpair()
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _WRITE_TIME)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _READ_TIME)
            line = self._open[number] = Frames(ours, ANSWER_LIMIT)
        with theirs:
            self._send(written({"line": 0}).encode(), theirs.fileno())
        return line

    def next(self, asked: PendingQuestion) -> StageAnswer | None:
        """The next answer, None if there are no more. Raises BlockingIOError if none comes within
        `READ_SECONDS`."""
        while not asked.said and not asked.ended:
            self._read(asked)
        return asked.said.popleft() if asked.said else None

    def _read(self, asked: PendingQuestion) -> None:
        """Read a frame of a question's line."""
        try:
            frame = None if asked.line is None else asked.line.receive()
            if frame is not None:
                self._heard = time.monotonic()
                self._take(asked, frame_value(frame))
                return
            why = ""
        except FrameError as error:
            why = str(error)
        except (AnswerError, TypeError, KeyError) as error:
            why = self._nonsense(error)
        asked.ended = True
        asked.lost = self._end(why)

    def _take(self, asked: PendingQuestion, value: dict[str, Any]) -> None:
        if value.get("of") != asked.number:
            raise AnswerError("of: expected the number of the question")
        answers = decode_said(value, asked.filters)
        asked.count += len(answers)
        if asked.count > len(asked.filters):
            raise AnswerError("more answers than filters that were asked")
        if any(one.failure is not None and one.failure.kind == "memory" for one in answers):
            self.spent = True
        asked.said.extend(answers)
        asked.ended = "end" in value

    def _nonsense(self, error: Exception) -> str:
        self._why = f"its answer cannot be used: {error}"
        log.error("stage process %d: %s", self.pid, self._why)
        self._kill()
        return self._why

    def _end(self, why: str) -> str:
        """Why it has ended, as far as can be known within a moment."""
        self._down.wait(_DOWN_LIMIT)
        return f"stage process {self.pid}: {self._why or why or 'ended'}"

    def finish(self, asked: PendingQuestion) -> None:
        """All answers that matter have come: read the end, which follows them at once."""
        end = time.monotonic() + END_LIMIT
        while not asked.ended:
            try:
                self._read(asked)
            except BlockingIOError:
                if time.monotonic() >= end:
                    self.abandon(asked)
                    return
        with self._lock:
            line = self._open.pop(asked.number, None)
            if line is not None and not asked.lost:
                self._lines.append(line)
                self.answered += 1
        self._idle(self)

    def tell(self, frame: bytes) -> None:
        """Say something that has no answer."""
        self._send(frame)

    def _send(self, frame: bytes, *descriptors: int) -> None:
        try:
            self._frames.send(frame, *descriptors)
        except OSError as error:
            log.debug("stage process %d: %s", self.pid, error)
            self._kill()

    def hurry(self, asked: PendingQuestion) -> None:
        """Have what filters have said so far."""
        asked.hurried = True
        self._send(written({"hurry": asked.number}).encode())

    def abandon(self, asked: PendingQuestion) -> None:
        """Wait no longer for a question's answers: a filter has used up its time."""
        with self._lock:
            line = self._open.pop(asked.number, None)
            if line is None:
                return
            self._abandoned[asked.number] = time.monotonic()
        line.close()
        self._send(written({"cancel": asked.number}).encode())

    def look(self, *, late: bool = False) -> None:
        """Called now and then by who waits: find out whether the process still runs. late: the time
        of a filter is over."""
        now, limit = time.monotonic(), SUSPICION if late else STALL_LIMIT
        with self._lock:
            if self._down.is_set() or self.stalled:
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
        """Thread: hear what it says beside answers, until it ends."""
        why = "ended"
        try:
            for frame in self._frames.received():
                self._heed(frame_value(frame))
        except FrameError as error:
            why = str(error)
        except (AnswerError, TypeError, KeyError) as error:
            why = self._nonsense(error)
        finally:
            self._lose(why)

    def _heed(self, value: dict[str, Any]) -> None:
        with self._lock:
            self._heard = time.monotonic()
            if "end" not in value or self._abandoned.pop(value["end"], None) is None:
                return
            self.answered += 1
        self._idle(self)

    def _lose(self, why: str) -> None:
        """It has ended: tell those who wait."""
        with self._lock:
            if self.stalled:
                self._why = "it did not run any more, killed"
            self._why = self._why or why
            self._down.set()
            lines = [*self._lines, *self._open.values()]
            self._lines = []
        for line in lines:
            # Another thread may be reading; the end is what it reads then.
            line.shut()
        self._frames.close()
        self._ended(self)
