"""A stage process: answers what filters say at the stages of many SMTP sessions at once.

It is forked by the fork server with the filters already prepared. Each question takes a thread
while its filters work, most of which is waiting for name servers and databases; the main thread
only reads, so that it can say at any time that the process still runs. Nobody interrupts a thread:
the daemon waits as long as the filter may take, and replaces the process if that does not help.

    daemon → process: {"ask": N, ...}   {"cancel": N}   {"forget": SESSION}   {"ping": N}
                      {"report": {...}, "session": SESSION, ...}
    process → daemon: {"of": N, "filter": NAME, ...} for each filter   {"end": N}   {"pong": N}
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
from filterd.chain.stage_chain import StageChain
from filterd.message import Recipient
from filterd.workers.frames import Frames
from filterd.workers.framing import FrameError
from filterd.workers.stage_codec import (
    Question,
    decode_question,
    decode_reported,
    encode_answer,
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
class _Known:
    """What is remembered of a session: recipients of the transaction, and each filter's memory."""

    recipients: tuple[Recipient, ...] = ()
    memories: dict[str, dict[str, Any]] = field(default_factory=dict)

    def memory(self, name: str) -> dict[str, Any]:
        return self.memories.setdefault(name, {})


def spare_memory() -> None:
    """Keep many threads within a limit of address space."""
    threading.stack_size(STACK)
    # Only the GNU C library has it, and needs it.
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)


def serve_stages(peer: socket.socket, chain: StageChain, threads: int) -> None:
    """Answer questions until the daemon closes the socket. threads: questions at a time."""
    spare_memory()
    StageServer(Frames(peer, QUESTION_LIMIT), chain, threads).run()


class StageServer:
    """The running process."""

    def __init__(self, frames: Frames, chain: StageChain, threads: int) -> None:
        self._frames = frames
        self._chain = chain
        self._asking = ThreadPoolExecutor(threads, "stage")
        self._telling = ThreadPoolExecutor(1, "reports")
        self._waiting_reports = 0
        self._sessions: OrderedDict[str, _Known] = OrderedDict()
        self._cancelled: set[int] = set()
        self._open: set[int] = set()
        self._lock = threading.Lock()

    def run(self) -> None:
        """Read until the daemon closes the socket."""
        try:
            for frame in self._frames.received():
                self._obey(frame_value(frame))
        except (FrameError, OSError) as error:
            log.debug("the daemon is gone: %s", error)

    def _obey(self, value: dict[str, Any]) -> None:
        if "ask" in value:
            known = self._known(value["session"])
            question = decode_question(value, known.recipients)
            known.recipients = question.session.envelope.recipients
            with self._lock:
                self._open.add(question.number)
            self._asking.submit(self._answer, question, known)
        elif "ping" in value:
            self._frames.send(written({"pong": value["ping"]}).encode())
        elif "cancel" in value:
            with self._lock:
                if value["cancel"] in self._open:
                    self._cancelled.add(value["cancel"])
        elif "forget" in value:
            self._sessions.pop(value["forget"], None)
        elif "report" in value and self._waiting_reports < REPORTS_LIMIT:
            self._waiting_reports += 1
            # Of a session that is forgotten before it is this report's turn.
            known = self._sessions.get(value["session"]) or _Known()
            self._telling.submit(self._tell, value, known)

    def _known(self, id: str) -> _Known:
        known = self._sessions.get(id)
        if known is None:
            known = self._sessions[id] = _Known()
            if len(self._sessions) > SESSIONS_LIMIT:
                self._sessions.popitem(last=False)
        else:
            self._sessions.move_to_end(id)
        return known

    def _answer(self, question: Question, known: _Known) -> None:
        """Thread: ask the filters, and say what each of them says."""
        number = question.number
        try:
            answers = self._chain.ask(
                question.session,
                known.memory,
                question.filters,
                question.timeout,
                question.recipient,
            )
            for answer in answers:
                self._frames.send(encode_answer(number, answer))
                if number in self._cancelled:
                    break
            self._frames.send(written({"end": number}).encode())
        except OSError as error:
            log.debug("the daemon is gone: %s", error)
        except Exception:
            # Not a filter's fault; the daemon waits no longer than it would for a filter.
            log.exception("session=%s", question.session.id)
        finally:
            with self._lock:
                self._open.discard(number)
                self._cancelled.discard(number)

    def _tell(self, value: dict[str, Any], known: _Known) -> None:
        """Thread: let filters take note of a report."""
        try:
            session, report = decode_reported(value)
            self._chain.tell(session, known.memory, report)
        except Exception:
            log.exception("session=%s", value.get("session"))
        finally:
            self._waiting_reports -= 1
