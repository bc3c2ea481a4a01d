"""Which server is asked, how often and how long; who shares an answer; and what happens while no
server answers. Runs in one event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import dns.name

from filterd.resolver import exchange
from filterd.resolver.answer import DnsAnswer, DnsStatus, RecordType
from filterd.resolver.cache import DnsCache, Key
from filterd.resolver.datagrams import Datagrams, is_plain, question_of, read_plain
from filterd.resolver.exchange import Alias, Transport
from filterd.resolver.first import FirstDatagram, FirstDatagrams, Waiting
from filterd.resolver.names import query_name, written
from filterd.resolver.settings import NameServer

FIRST_WAIT = 1.0
"""Seconds until the next server, or the same one, is asked; each later wait is twice as long."""

SUSPECT_AFTER = 8
"""Questions one after the other without an answer after which a server is tried with one that it
can always answer. A sender whose own name servers are silent must not make ours look dead."""

PROBE_WAIT = 2.0
"""Seconds that this trial may take."""

REST = 5.0
"""Seconds until a server that is down is tried again; doubled each time, up to REST_LIMIT."""

REST_LIMIT = 60.0

_SILENCE = frozenset({DnsStatus.TIMEOUT, DnsStatus.UNREACHABLE})

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _NameServer:
    """A name server and its state. silent: questions since its last answer. rest: seconds
    until it is tried again. down: whether it is left alone until a trial succeeds."""

    address: NameServer
    silent: int = 0
    rest: float = REST
    down: bool = False
    probe: asyncio.Task[None] | None = None


def _hand_over(
    waiting: concurrent.futures.Future[DnsAnswer], task: asyncio.Task[DnsAnswer]
) -> None:
    """Give an answer to the thread that waits for it."""
    if task.cancelled():
        waiting.cancel()
    elif (error := task.exception()) is not None:
        waiting.set_exception(error)
    else:
        waiting.set_result(task.result())


def _missing(server: NameServer, seconds: float) -> DnsAnswer:
    return DnsAnswer(DnsStatus.TIMEOUT, detail=f"{server}: no answer within {seconds:.3g} s")


def _unreachable(server: NameServer, error: OSError) -> DnsAnswer:
    return DnsAnswer(DnsStatus.UNREACHABLE, detail=f"{server}: {error.strerror or error}")


class Engine:
    """Questions to some name servers. timeout: seconds for a question with all repetitions."""

    def __init__(
        self,
        servers: Sequence[NameServer],
        cache: DnsCache,
        *,
        timeout: float,
        in_flight: int,
        transport: Transport = exchange.USUAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._servers = [_NameServer(address) for address in servers]
        self._cache = cache
        self._timeout = timeout
        self._limit = in_flight
        self._transport = transport
        self._clock = clock
        self._datagrams = Datagrams()
        self._first_seconds = min(FIRST_WAIT, timeout)
        self._first = FirstDatagrams(
            self._datagrams, transport.payload, self._first_seconds, self._heard
        )
        self._under_way: dict[Key, asyncio.Task[DnsAnswer]] = {}

    def begin(self, key: Key, waiting: concurrent.futures.Future[DnsAnswer]) -> None:
        """Ask a question that is not in the cache, for somebody in another thread; the same
        question is asked once, however many wait for it, and goes on when they give up."""
        if (first := self._first.under_way.get(key)) is not None:
            first.waiting.append(waiting)
        elif (task := self._under_way.get(key)) is not None:
            task.add_done_callback(partial(_hand_over, waiting))
        elif len(self._under_way) + len(self._first.under_way) >= self._limit:
            text = f"{self._limit} questions are under way"
            waiting.set_result(DnsAnswer(DnsStatus.LIMIT, detail=text))
        elif not self._sent_first(key, waiting):
            self._go_on(key, [waiting], self._clock() + self._timeout)

    def _sent_first(self, key: Key, waiting: Waiting) -> bool:
        """Ask the first server by a datagram, if the question is of the plainest kind."""
        if key[1] is not RecordType.A or not is_plain(key[0]):
            return False
        for number, server in enumerate(self._servers):
            if not server.down:
                try:
                    self._first.send(server.address, number, key, waiting)
                except OSError:
                    return False  # the task finds that out again, and says it
                return True
        return False

    def _heard(self, first: FirstDatagram, outcome: bytes | OSError | None) -> None:
        """What became of a first datagram."""
        server, key = self._servers[first.number], first.key
        answer: DnsAnswer | Alias | None = None
        if isinstance(outcome, bytes):
            self._spoke(server)
            answer = read_plain(outcome, first.question, key[0]) or exchange.read_wire(
                outcome, query_name(key[0]), key[1], server.address
            )
        elif outcome is None:
            self._suspect(server, 1)
            answer = _missing(server.address, self._first_seconds)
        else:
            self._suspect(server, SUSPECT_AFTER)
            answer = _unreachable(server.address, outcome)
        is_last = len(self._servers) == 1 and outcome is not None
        if isinstance(answer, DnsAnswer) and (not answer.failed or is_last):
            self._cache.put(key, answer)
            for waiting in first.waiting:
                waiting.set_result(answer)
            return
        # It goes on where it was: with the next server, or the same one a second time.
        end = self._clock() + self._timeout - (self._first_seconds if outcome is None else 0.0)
        last = answer if isinstance(answer, DnsAnswer) else None
        self._go_on(key, first.waiting, end, last)

    def _go_on(
        self, key: Key, some: Sequence[Waiting], end: float, last: DnsAnswer | None = None
    ) -> None:
        """Ask in a task. last: what the first server said."""
        task = asyncio.get_running_loop().create_task(self._answered(key, end, last))
        self._under_way[key] = task
        for waiting in some:
            task.add_done_callback(partial(_hand_over, waiting))

    async def close(self) -> None:
        """End what is under way."""
        probes = [one.probe for one in self._servers if one.probe is not None]
        tasks = [*self._under_way.values(), *probes]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._first.close()
        self._datagrams.close()

    async def _answered(self, key: Key, end: float, last: DnsAnswer | None) -> DnsAnswer:
        try:
            answer = await self._followed(key, end, last)
            self._cache.put(key, answer)
            return answer
        finally:
            del self._under_way[key]

    async def _followed(self, key: Key, end: float, last: DnsAnswer | None) -> DnsAnswer:
        """A server that does not resolve for others may leave an alias for us to follow."""
        name: str | dns.name.Name = key[0]
        kind = key[1]
        ttl = float("inf")
        for _ in range(exchange.ALIAS_LIMIT):
            answer = await self._tried(name, kind, end, last)
            last = None
            if isinstance(answer, DnsAnswer):
                return replace(answer, ttl=min(ttl, answer.ttl))
            name, ttl = answer.name, min(ttl, answer.ttl)
        return DnsAnswer(DnsStatus.MALFORMED, detail=f"more than {exchange.ALIAS_LIMIT} aliases")

    async def _tried(
        self, name: str | dns.name.Name, kind: RecordType, end: float, first: DnsAnswer | None
    ) -> DnsAnswer | Alias:
        """first: what the first server said before, so that it is the next one's turn."""
        usable = [one for one in self._servers if not one.down]
        if not usable:
            what = "no name server answers" if self._servers else "no name server is configured"
            return DnsAnswer(DnsStatus.UNREACHABLE, detail=what)
        last = first if first is not None else DnsAnswer(DnsStatus.TIMEOUT)
        place = int(first is not None and len(usable) == len(self._servers))
        wait = FIRST_WAIT * 2 if place == len(usable) else FIRST_WAIT
        while (left := end - self._clock()) > 0:
            server = usable[place % len(usable)]
            place += 1
            answer = await self._asked(server.address, name, kind, min(wait, left))
            if isinstance(answer, Alias):
                self._spoke(server)
                return answer
            if answer.status is DnsStatus.TIMEOUT:
                self._suspect(server, 1)
            elif answer.status is DnsStatus.UNREACHABLE:
                self._suspect(server, SUSPECT_AFTER)
            else:
                self._spoke(server)
            if not answer.failed:
                return answer
            last = answer
            usable = [one for one in usable if not one.down]
            if not usable or (answer.status is not DnsStatus.TIMEOUT and place >= len(usable)):
                return answer
            if place % len(usable) == 0:
                wait *= 2
        return last

    async def _asked(
        self, server: NameServer, asked: str | dns.name.Name, kind: RecordType, seconds: float
    ) -> DnsAnswer | Alias:
        """Ask one server once: by the shared sockets if the name is plain, and whatever its answer
        needs beyond that. asked: a key, or the name that an alias has."""
        name = asked if isinstance(asked, str) else written(asked)
        if not is_plain(name):
            whole = query_name(asked) if isinstance(asked, str) else asked
            return await exchange.ask(server, whole, kind, seconds, self._transport)
        end = self._clock() + seconds
        question = question_of(name, kind)
        try:
            wire = await self._datagrams.exchange(
                server, question, self._transport.payload, seconds
            )
        except TimeoutError:
            return _missing(server, seconds)
        except OSError as error:
            return _unreachable(server, error)
        if kind is RecordType.A:
            plain = read_plain(wire, question, name)
            if plain is not None:
                return plain
        answer = exchange.read_wire(wire, query_name(name), kind, server)
        if answer is None:
            left = max(end - self._clock(), 0.001)
            return await exchange.ask(server, query_name(name), kind, left, self._transport)
        return answer

    def _spoke(self, server: _NameServer) -> None:
        server.silent, server.rest = 0, REST
        if server.down:
            server.down = False
            log.warning("name server %s answers again", server.address)

    def _suspect(self, server: _NameServer, count: int) -> None:
        server.silent += count
        if server.silent >= SUSPECT_AFTER and server.probe is None:
            server.probe = asyncio.create_task(self._probe(server))

    async def _probe(self, server: _NameServer) -> None:
        """Ask for the root's name servers, which every resolver has or refuses to give, until it
        answers."""
        try:
            while True:
                if server.down:
                    await asyncio.sleep(server.rest)
                    server.rest = min(2 * server.rest, REST_LIMIT)
                answer = await exchange.ask(
                    server.address, dns.name.root, RecordType.NS, PROBE_WAIT
                )
                if isinstance(answer, Alias) or answer.status not in _SILENCE:
                    self._spoke(server)
                    return
                if not server.down:
                    server.down = True
                    log.warning("name server %s; not asked until it answers", answer.detail)
        finally:
            server.probe = None
