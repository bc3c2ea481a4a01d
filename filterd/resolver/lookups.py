"""The questions of one message: each asked once, within a number and a time."""

from __future__ import annotations

import time

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
        key = (name, kind)
        found = self._asked.get(key)
        if found is None:
            if len(self._asked) >= self._limit:
                text = f"more than {self._limit} questions for one message"
                return Pending(DnsAnswer(DnsStatus.LIMIT, detail=text), None)
            found = self._asked[key] = self._resolver.ask(name, kind)
        return found

    def answer(self, name: str, kind: RecordType) -> DnsAnswer:
        """The answer, waited for until the time of the message's questions is over."""
        return self.start(name, kind).answer(self._end - time.monotonic())
