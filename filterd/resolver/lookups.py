"""The questions of one message: each asked once, within a number and a time."""

from __future__ import annotations

import time
from collections.abc import Iterable

from filterd.resolver.answer import DnsAnswer, DnsStatus, RecordType
from filterd.resolver.resolver import Pending, Resolver


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
        self._end = time.monotonic() + (settings.timeout if seconds is None else seconds)
        self._asked: dict[tuple[str, RecordType], Pending] = {}

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
            self._asked.update(zip(new, self._resolver.ask_all(new), strict=True))

    def answer(self, name: str, kind: RecordType) -> DnsAnswer:
        """The answer, waited for until the time of the message's questions is over."""
        return self.start(name, kind).answer(self._end - time.monotonic())
