"""The first datagram of a question, without a task of its own: nearly all are answered at once by
the first server, with what can be read from its octets. What is not goes on as a task in `engine`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from filterd.resolver.answer import DnsAnswer
from filterd.resolver.cache import Key
from filterd.resolver.datagrams import Datagrams, Sent, question_of
from filterd.resolver.settings import NameServer

Waiting = concurrent.futures.Future[DnsAnswer]


@dataclass(slots=True, eq=False)
class FirstDatagram:
    """A question under way. number: of the server that was asked. waiting: who wants the answer.
    over: the moment at which it is missing."""

    key: Key
    question: bytes
    number: int
    over: float
    waiting: list[Waiting] = field(default_factory=list)
    sent: Sent | None = None


Heard = Callable[[FirstDatagram, bytes | OSError | None], None]
"""Called once for each: the octets of the answer, why there is none, None if it is missing."""


class FirstDatagrams:
    """Those of one event loop. seconds: for which one is waited for. heard: who is told."""

    def __init__(self, datagrams: Datagrams, payload: int, seconds: float, heard: Heard) -> None:
        self._datagrams = datagrams
        self._payload = payload
        self._seconds = seconds
        self._heard = heard
        self._order: deque[FirstDatagram] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.under_way: dict[Key, FirstDatagram] = {}

    def send(self, server: NameServer, number: int, key: Key, waiting: Waiting) -> None:
        """Ask. Raises OSError."""
        loop = asyncio.get_running_loop()
        first = FirstDatagram(
            key, question_of(*key), number, loop.time() + self._seconds, [waiting]
        )

        def answered(outcome: bytes | OSError) -> None:
            if self.under_way.pop(key, None) is first:
                self._heard(first, outcome)

        first.sent = self._datagrams.send(server, first.question, self._payload, answered)
        self.under_way[key] = first
        # All wait equally long, so they are in the order in which their time is over.
        self._order.append(first)
        if self._timer is None:
            self._timer = loop.call_at(first.over, self._look)

    def close(self) -> None:
        """Give up what is under way."""
        if self._timer is not None:
            self._timer.cancel()
        for first in self.under_way.values():
            for waiting in first.waiting:
                waiting.cancel()
        self.under_way.clear()

    def _look(self) -> None:
        """Tell those whose time is over, and look again when the next one's is."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = None
        while self._order and (
            self._order[0].over <= now
            or self.under_way.get(self._order[0].key) is not self._order[0]
        ):
            first = self._order.popleft()
            if self.under_way.get(first.key) is first:
                del self.under_way[first.key]
                assert first.sent is not None
                self._datagrams.forget(first.sent)
                self._heard(first, None)
        if self._order:
            self._timer = loop.call_at(self._order[0].over, self._look)
