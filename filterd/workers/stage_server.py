"""A stage process: answers what filters say at the stages of many SMTP sessions at once.

It is forked by the fork server with the filters already prepared. The daemon opens a line, a socket
of its own with a thread of its own at this end, for each question that is under way at a time, and
uses it again for others: so between who asks and the filter nobody has to be woken up. The main
thread only reads what else there is, so that it can say at any time that the process still runs.
Nobody interrupts a thread: the daemon waits as long as the filter may take, and replaces the
process if that does not help.

    daemon → process: {"line": 0} with the line's descriptor   {"hurry": N}   {"cancel": N}
                      {"forget": SESSION}   {"ping": N}   {"report": {...}, "session": SESSION, ...}
    process → daemon: {"pong": N}   {"end": N} of a question that was cancelled
    on a line:        {"ask": N, ...} → {"of": N, "said": [{"filter": NAME, ...}, ...], "end": N}

What filters say is kept until the last of them has spoken, since most do so at once and each frame
takes as long as they do. Who waits in vain hurries: what is kept comes then, and the rest one by
one. Who waits no longer cancels, and closes the line.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import socket
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from filterd.chain.report_codec import written
from filterd.chain.stage_chain import StageAnswer, StageChain
from filterd.message import Recipient
from filterd.workers.frames import Frames
from filterd.workers.framing import FrameError
from filterd.workers.stage_codec import (
    decode_question,
    decode_reported,
    encode_said,
    frame_value,
)

log = logging.getLogger(__name__)

QUESTION_LIMIT = 64 << 20
"""Octets of a question: an envelope of a hundred thousand recipients, told again."""

SESSIONS_LIMIT = 20_000
"""Sessions of which something is remembered; of more the oldest are forgotten."""

REPORTS_LIMIT = 1000
"""Reports that may wait for filters that want them; what comes on top is dropped."""

STACK = 512 << 10
"""Octets of a thread's stack. Filters of stages parse addresses and DNS answers, no MIME trees."""

ARENAS = 4
"""Heaps of the C library. It would take one for each thread, of 64 MiB of address space."""

_M_ARENA_MAX = -8


@dataclass(slots=True)
class _SessionMemory:
    """What is remembered of a session: recipients of the transaction, and each filter's memory."""

    recipients: tuple[Recipient, ...] = ()
    memories: dict[str, dict[str, Any]] = field(default_factory=dict)

    def memory(self, name: str) -> dict[str, Any]:
        return self.memories.setdefault(name, {})


class _Saying:
    """What filters say to one question. line: where it is said. control: where the end is said of
    what nobody waits for. hurried: it is said at once."""

    def __init__(self, number: int, line: Frames, control: Frames, *, hurried: bool) -> None:
        self._number, self._line, self._control = number, line, control
        self._hurried = hurried
        self._kept: list[StageAnswer] = []
        self._lock = threading.Lock()
        self._ended = False
        self.cancelled = False

    def say(self, answer: StageAnswer) -> None:
        """One filter's. Raises OSError."""
        with self._lock:
            self._kept.append(answer)
            if self._hurried and not self.cancelled:
                self._send()

    def hurry(self) -> None:
        """Raises OSError."""
        with self._lock:
            self._hurried = True
            if self._kept and not self.cancelled:
                self._send()

    def end(self) -> None:
        """There are no more. Raises OSError."""
        with self._lock:
            self._ended = True
            if self.cancelled:
                say_end(self._control, self._number)
            else:
                self._send(ended=True)

    def cancel(self) -> None:
        """Nobody waits any more. Raises OSError."""
        with self._lock:
            self.cancelled = True
            if self._ended:
                say_end(self._control, self._number)

    def close(self) -> None:
        """The question is done with, whether or not its end was said. Raises OSError."""
        with self._lock:
            if not self._ended and self.cancelled:
                say_end(self._control, self._number)
            self._ended = True

    def _send(self, *, ended: bool = False) -> None:
        self._line.send(encode_said(self._number, self._kept, ended=ended))
        self._kept = []


def say_end(control: Frames, number: int) -> None:
    """Say that a question that was cancelled has come to its end. Raises OSError."""
    control.send(written({"end": number}).encode())


def spare_memory() -> None:
    """Keep many threads within a limit of address space."""
    threading.stack_size(STACK)
    # Only the GNU C library has it, and needs it.
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)


def serve_stages(peer: socket.socket, chain: StageChain) -> None:
    """Answer questions until the daemon closes the socket."""
    spare_memory()
    StageServer(Frames(peer, QUESTION_LIMIT, takes=True), chain).run()


class StageServer:
    """The running process."""

    def __init__(self, frames: Frames, chain: StageChain) -> None:
        self._frames = frames
        self._chain = chain
        self._telling = ThreadPoolExecutor(1, "reports")
        self._waiting_reports = 0
        self._sessions: OrderedDict[str, _SessionMemory] = OrderedDict()
        self._sessions_lock = threading.Lock()
        self._open: dict[int, _Saying] = {}

    def run(self) -> None:
        """Read until the daemon closes the socket."""
        try:
            for frame in self._frames.received():
                self._obey(frame_value(frame))
        except (FrameError, OSError) as error:
            log.debug("the daemon is gone: %s", error)

    def _obey(self, value: dict[str, Any]) -> None:
        if "line" in value:
            peer = socket.socket(fileno=self._frames.descriptors.popleft())
            threading.Thread(target=self._serve, args=(peer,), name="stage", daemon=True).start()
        elif "ping" in value:
            self._frames.send(written({"pong": value["ping"]}).encode())
        elif "hurry" in value:
            if (late := self._open.get(value["hurry"])) is not None:
                with contextlib.suppress(OSError):  # closed; a `cancel` comes
                    late.hurry()
        elif "cancel" in value:
            if (unwanted := self._open.get(value["cancel"])) is not None:
                unwanted.cancel()
            else:
                say_end(self._frames, value["cancel"])
        elif "forget" in value:
            with self._sessions_lock:
                self._sessions.pop(value["forget"], None)
        elif "report" in value and self._waiting_reports < REPORTS_LIMIT:
            self._waiting_reports += 1
            # Of a session that is forgotten before it is this report's turn.
            known = self._sessions.get(value["session"]) or _SessionMemory()
            self._telling.submit(self._tell, value, known)

    def _known(self, id: str) -> _SessionMemory:
        with self._sessions_lock:
            known = self._sessions.get(id)
            if known is None:
                known = self._sessions[id] = _SessionMemory()
                if len(self._sessions) > SESSIONS_LIMIT:
                    self._sessions.popitem(last=False)
            else:
                self._sessions.move_to_end(id)
            return known

    def _serve(self, peer: socket.socket) -> None:
        """Thread: answer the questions of one line, until the daemon closes it."""
        line = Frames(peer, QUESTION_LIMIT)
        try:
            for frame in line.received():
                self._answer(frame_value(frame), line)
        except (FrameError, OSError) as error:
            log.debug("the line is closed: %s", error)
        finally:
            line.close()

    def _answer(self, value: dict[str, Any], line: Frames) -> None:
        """Ask the filters, and say what each of them says. Raises OSError."""
        known = self._known(value["session"])
        question = decode_question(value, known.recipients)
        known.recipients = question.session.envelope.recipients
        saying = _Saying(question.number, line, self._frames, hurried=question.hurry)
        self._open[question.number] = saying
        try:
            answers = self._chain.ask(
                question.session,
                known.memory,
                question.filters,
                question.timeout,
                question.recipient,
            )
            for answer in answers:
                saying.say(answer)
                if saying.cancelled:
                    break
        except OSError:
            raise
        except Exception:
            # Not a filter's fault; the daemon waits no longer than it would for a filter.
            log.exception("session=%s", question.session.id)
        else:
            saying.end()
        finally:
            saying.close()
            self._open.pop(question.number, None)

    def _tell(self, value: dict[str, Any], known: _SessionMemory) -> None:
        """Thread: let filters take note of a report."""
        try:
            session, report = decode_reported(value)
            self._chain.tell(session, known.memory, report)
        except Exception:
            log.exception("session=%s", value.get("session"))
        finally:
            self._waiting_reports -= 1
