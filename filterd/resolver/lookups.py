"""The questions of one message: each asked once, within a number and a time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

from filterd.resolver.answer import DnsAnswer, DnsStatus, RecordType
from filterd.resolver.resolver import Pending, Resolver

FAIR = 1.0
"""Seconds within which a name server in order answers: who had less, and not a third of the
message's time, is not to blame for a missing answer."""


class DnsLookups:
    """Begin with `start` for all that will be needed, go on working, and take `answer` late.

    limit: questions of this message. seconds: for all of them together, from now on.
    """

    def __init__(
        self, resolver: Resolver, *, limit: int | None = None, seconds: float | None = None
    ) -> None:
        settings = resolver.settings
        self._resolver = resolver
        self._limit = settings.per_message if limit is None else limit
        self._seconds = settings.timeout if seconds is None else seconds
        self._end = time.monotonic() + self._seconds
        self._asked: dict[tuple[str, RecordType], Pending] = {}
        self._begun: dict[tuple[str, RecordType], float] = {}

    @property
    def count(self) -> int:
        """How many different questions were asked."""
        return len(self._asked)

    def start(self, name: str, kind: RecordType) -> Pending:
        """Ask, unless it was asked before; over the limit the answer is a failure (LIMIT)."""
        self.start_all([(name, kind)])
        found = self._asked.get((name, kind))
        if found is None:
            text = f"more than {self._limit} questions for one message"
            return Pending(DnsAnswer(DnsStatus.LIMIT, detail=text), None)
        return found

    def start_all(self, questions: Iterable[tuple[str, RecordType]]) -> None:
        """Ask several, which costs less than one by one."""
        new = [key for key in dict.fromkeys(questions) if key not in self._asked]
        if new:
            new = new[: max(self._limit - len(self._asked), 0)]
            self._begun.update(dict.fromkeys(new, time.monotonic()))
            self._asked.update(zip(new, self._resolver.ask_all(new), strict=True))

    def answer(self, name: str, kind: RecordType, *, until: float = math.inf) -> DnsAnswer:
        """The answer, waited for until the time of the message's questions is over, and no longer
        than until that moment."""
        return self.start(name, kind).answer(min(self._end, until) - time.monotonic())

    def had_time(self, name: str, kind: RecordType) -> bool:
        """Whether a question has been under way so long that a missing answer says something."""
        begun = self._begun.get((name, kind), math.inf)
        return time.monotonic() - begun >= min(FAIR, self._seconds / 3)

    def restart(self) -> float:
        """The time of the questions counts from now on, for those that could not be put before;
        the moment when half of it is over."""
        now = time.monotonic()
        self._end = now + self._seconds
        return now + self._seconds / 2
