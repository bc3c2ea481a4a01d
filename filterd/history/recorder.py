"""Writing records beside the mail flow: a queue that never makes anybody wait, and a thread."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from typing import Any

from filterd.chain.report import ScanReport
from filterd.history.record import Record
from filterd.history.row import row
from filterd.history.store import BrokenHistoryError, History, HistoryError
from filterd.message.decoding import header_text
from filterd.system.periodic import Periodic

log = logging.getLogger(__name__)

QUEUE_LIMIT = 20_000
"""Messages that may wait for the file; what comes on top is not noted, only counted."""

FRESH_LIMIT = 32
"""Messages that wait as they came, before they are made into rows: many at a time cost less than
one by one. Few, for a report may name a hundred thousand recipients, and a row is cut to size."""

SUBJECT_LIMIT = 4096
"""Octets of a Subject or From that are read; what is noted of it has fewer characters, and a
hostile one of a megabyte takes half a second to decode."""

INTERVAL = 1.0
"""Seconds between two batches: as old may be what the pages show."""

COMPLAINT_INTERVAL = 60.0
"""Seconds between two log lines about a file that cannot be written."""

JUMP = 86400.0
"""Seconds by which the clock may be set before nothing is deleted by its word."""

EXPIRY_INTERVAL = 600.0
"""Seconds between two looks for records that have to go."""


class Recorder:
    """Takes what the daemon logs about messages and notes it, batch by batch."""

    def __init__(self, history: History | None) -> None:
        self.history = history
        self.lost = 0
        """Messages that are not in the history because the file was too slow or not there."""
        self._fresh: deque[tuple[ScanReport, float, bytes, bytes]] = deque()
        self._waiting: deque[dict[str, Any]] = deque()
        self._writing = Periodic("history", self.write, INTERVAL, at_end=True)
        self._next_expiry = self._next_complaint = 0.0
        self._began = time.time(), time.monotonic()

    def start(self) -> None:
        """Begin to write."""
        if self.history is not None:
            # What is wrong with it is told when there is something to write.
            with contextlib.suppress(HistoryError):
                self.history.open()
        self._writing.start()

    def note(self, report: ScanReport, subject: bytes, header_from: bytes = b"") -> None:
        """Take one message, at once. subject, header_from: the fields' octets."""
        if self.history is None:
            return
        if len(self._waiting) >= QUEUE_LIMIT:
            self.lost += 1
            return
        fields = (subject[:SUBJECT_LIMIT], header_from[:SUBJECT_LIMIT])
        self._fresh.append((report, time.time(), *fields))
        if len(self._fresh) >= FRESH_LIMIT:
            self._make_rows()

    def _make_rows(self) -> None:
        """Make rows of what came; several threads may do that at a time."""
        with contextlib.suppress(IndexError):
            while True:
                report, received, *octets = self._fresh.popleft()
                try:
                    new = row(Record.of(report, received, *map(header_text, octets)))
                except Exception:
                    # Nothing about one message may end the notes of all others.
                    self.lost += 1
                    log.exception("history: id=%s", report.id)
                else:
                    self._waiting.append(new)

    def close(self, seconds: float = 5.0) -> None:
        """Write what waits, and end; what cannot be written then is lost."""
        self._writing.end(seconds)
        if self._waiting and self.history is not None:
            self.lost += len(self._waiting)
            self._waiting.clear()
            log.error("history: %d messages are not recorded", self.lost)

    def write(self) -> None:
        """Write what waits now, and let old records go when that is due.

        What cannot be written waits for the next time; a file that cannot be used is set aside.
        """
        self._make_rows()
        history = self.history
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if history is None:
            return
        try:
            self._add(history, taken)
            taken = []
            if time.monotonic() >= self._next_expiry:
                self._next_expiry = time.monotonic() + EXPIRY_INTERVAL
                history.expire(by_age=not self._clock_was_set())
        except HistoryError as error:
            self._waiting.extendleft(reversed(taken))
            if time.monotonic() >= self._next_complaint:
                self._next_complaint = time.monotonic() + COMPLAINT_INTERVAL
                log.error(
                    "history: %s; %d messages wait to be recorded, %d are lost",
                    error,
                    len(self._waiting),
                    self.lost,
                )
        except Exception:
            # Nothing about one message may end the notes of all others.
            self.lost += len(taken)
            log.exception("history")

    def _clock_was_set(self) -> bool:
        """True if the clock moved by more than `JUMP` against the time since this was made: what
        looks old may not be."""
        if abs(time.time() - self._began[0] - (time.monotonic() - self._began[1])) <= JUMP:
            return False
        log.warning("history: the clock was set since the start; no record is deleted for its age")
        return True

    def _add(self, history: History, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        try:
            vanished = history.write(rows)
        except BrokenHistoryError:
            if not history.is_file:
                # Other hosts use it, too: its admin decides, by `fsck`.
                raise
            # Loaded when it is needed, for it brings the database's library.
            from filterd.history.recovery import recover  # noqa: PLC0415  (seldom needed)

            known = history.known
            if (done := recover(history)) is not None:
                self.lost += max(known - done.saved, 0) if done.lost is None else done.lost
                log.error("history: %s", done)
            vanished = history.write(rows)
        if vanished:
            self.lost += vanished
            log.error("history: somebody removed %d records from %s", vanished, history.file)
