"""The MTA's log as a whole: what it says of a message, by its queue ids."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from filterd.maillog.files import LogFile
from filterd.maillog.journal import MailJournal
from filterd.maillog.lines import (
    DeliveryAttempt,
    LogLine,
    NewQueueId,
    next_queue_id,
    parsed,
    parsed_text,
    queue_id_of,
)
from filterd.maillog.settings import MailLogSettings

KEPT_LIMIT = 32 << 20
"""Octets of lines that are remembered; the oldest go first."""

IDS_LIMIT = 50
"""Queue ids of one message that are looked up."""

ATTEMPTS_LIMIT = 500
"""Lines that are shown of one message, the oldest ones."""

EARLY = 120.0
"""Seconds before a queue id was given from which lines count: the MTA had it before filterd did,
and a log has whole seconds."""

LATE = 10 * 86400.0
"""Seconds behind that: by then the MTA has given up, and Postfix may use a short id again."""

_WORDS = (b" to=", b" clone: ", b" DSN: ", b" notification: ", b" postmaster notify", b" return to")
"""One of these is in every line that says something."""


@dataclass(frozen=True, slots=True)
class MailLogAnswer:
    """lines: in order of time. trouble: what cannot be read, in words."""

    lines: tuple[LogLine, ...] = ()
    trouble: tuple[str, ...] = ()


class MailLog:
    """The logs that the settings name. Safe for threads; each call reads what is new first.
    clock: seconds since 1970."""

    def __init__(
        self,
        settings: MailLogSettings,
        clock: Callable[[], float] = time.time,
        journal: MailJournal | None = None,
    ) -> None:
        self.is_on = settings.is_on
        self._files = [LogFile(path) for path in settings.files]
        self._journal = (journal or MailJournal()) if settings.journal else None
        self._clock = clock
        self._mutex = threading.Lock()
        self._kept: deque[tuple[str, int]] = deque()
        self._octets = 0
        self._by_id: defaultdict[str, deque[str | LogLine]] = defaultdict(deque)

    @property
    def is_empty(self) -> bool:
        """True if nothing that was read tells of a delivery."""
        return not self._kept

    def about(self, queue_ids: Mapping[str, float]) -> MailLogAnswer:
        """What the log says of these queue ids, and of those that the MTA made of them or handed
        the message on under within this host. queue_ids: to seconds since 1970 at which the MTA
        had just given them. Raises nothing."""
        if not self.is_on:
            return MailLogAnswer()
        with self._mutex:
            trouble = tuple(self._read())
            found: dict[str, list[LogLine]] = {}
            asked = deque(queue_ids.items())
            while asked and len(found) < IDS_LIMIT:
                id, since = asked.popleft()
                if id and id not in found:
                    found[id] = self._lines(id, since)
                    asked.extend((_onward(one), one.time) for one in found[id])
        lines = sorted((one for some in found.values() for one in some), key=lambda one: one.time)
        return MailLogAnswer(tuple(lines[:ATTEMPTS_LIMIT]), trouble)

    def _lines(self, id: str, since: float) -> list[LogLine]:
        now = self._clock()
        read = (parsed(o, now) if isinstance(o, str) else o for o in self._by_id.get(id, ()))
        earliest, latest = since - EARLY, since + LATE
        lines = (one for one in read if one is not None and earliest <= one.time <= latest)
        return list(islice(lines, ATTEMPTS_LIMIT))

    def _read(self) -> Iterable[str]:
        """Read what is new; yield what cannot be read."""
        for file in self._files:
            try:
                for octets in file.new_lines():
                    if any(word in octets for word in _WORDS):
                        line = octets.decode("utf-8", "replace")
                        if id := queue_id_of(line):
                            self._keep(id, line, len(octets))
            except OSError as error:
                yield f"{file.path} cannot be read: {error.strerror}"
        if self._journal is not None:
            try:
                for one in self._journal.new_lines():
                    found = parsed_text(one.text, one.program, one.time)
                    if found is not None:
                        self._keep(found.queue_id, found, len(one.text))
            except OSError as error:
                yield f"journalctl: {error.strerror}"

    def _keep(self, id: str, line: str | LogLine, octets: int) -> None:
        self._by_id[id].append(line)
        self._kept.append((id, octets))
        self._octets += octets
        while self._octets > KEPT_LIMIT:
            oldest, size = self._kept.popleft()
            self._octets -= size
            lines = self._by_id[oldest]
            lines.popleft()
            if not lines:
                del self._by_id[oldest]


def _onward(line: LogLine) -> str:
    """The queue id under which the message goes on; not that of a report to its sender."""
    match line:
        case NewQueueId(is_report=False, new_id=new):
            return new
        case DeliveryAttempt():
            return next_queue_id(line)
    return ""
