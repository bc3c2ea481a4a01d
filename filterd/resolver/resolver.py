"""The resolver for code that waits: a thread with an event loop, and one cache in front of it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filterd.resolver.answer import DnsAnswer, DnsStatus, RecordType
from filterd.resolver.cache import DnsCache, Key
from filterd.resolver.datagrams import is_plain
from filterd.resolver.settings import NameServer, ResolverSettings

if TYPE_CHECKING:
    from filterd.resolver.engine import Engine

log = logging.getLogger(__name__)

RESOLV_CONF = Path("/etc/resolv.conf")

_CLOSE_LIMIT = 5.0
"""Seconds for what is under way to end when the resolver is closed."""


class Pending:
    """A question under way."""

    def __init__(
        self, done: DnsAnswer | None, future: concurrent.futures.Future[DnsAnswer] | None
    ) -> None:
        self._done = done
        self._future = future

    def answer(self, seconds: float) -> DnsAnswer:
        """Wait for the answer at most so long; an answer with the status TIMEOUT after that.

        The question stays under way, for the next who asks.
        """
        if self._done is None and self._future is not None:
            try:
                self._done = self._future.result(max(seconds, 0.0))
            except TimeoutError:
                return DnsAnswer(
                    DnsStatus.TIMEOUT, detail=f"no answer within {max(seconds, 0):g} s"
                )
            except concurrent.futures.CancelledError:
                self._done = DnsAnswer(DnsStatus.UNREACHABLE, detail="the resolver is closed")
        return self._done or DnsAnswer(DnsStatus.UNREACHABLE, detail="the resolver is closed")

    @property
    def done(self) -> bool:
        """Whether `answer` would not wait."""
        return self._done is not None or (self._future is not None and self._future.done())


class _OpenQuestion(NamedTuple):
    """One that is put to the loop, and where its answer goes."""

    key: Key
    waiting: concurrent.futures.Future[DnsAnswer]


class Resolver:
    """Asks the name servers of the settings. The thread starts with the first question, so an
    object made before a fork works in parent and child; each has its own cache then."""

    def __init__(self, settings: ResolverSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._pid = 0
        self._cache = DnsCache(settings.cache_entries)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._engine: Engine | None = None
        self._queue: list[_OpenQuestion] = []
        self._unusable = "" if settings.enabled else "[resolver] is not enabled"
        self._servers: Sequence[NameServer] = ()

    @property
    def servers(self) -> Sequence[NameServer]:
        """The name servers that are asked; resolv.conf is read when it is first needed. None where
        the settings say so or none is known, and the log says that once."""
        if not self._servers and not self._unusable:
            self._servers = self._settings.servers or system_servers()
            if not self._servers:
                self._unusable = "no name server is configured"
                log.warning(
                    "no name server: %s names none, and resolver.nameservers is empty; "
                    "nothing is looked up",
                    RESOLV_CONF,
                )
        return self._servers

    def prepare(self) -> bool:
        """Load what a question needs, so that processes that are forked later have it: else each
        spends its first question's time on that. False if nothing can be asked."""
        from filterd.resolver import engine  # noqa: F401, PLC0415  # dnspython

        return bool(self.servers)

    @property
    def settings(self) -> ResolverSettings:
        return self._settings

    def ask(self, name: str, kind: RecordType) -> Pending:
        """Begin to ask; nothing is waited for. The same question under way is shared."""
        return self.ask_all([(name, kind)])[0]

    def ask_all(self, questions: Iterable[tuple[str, RecordType]]) -> list[Pending]:
        """Begin to ask several at once, which costs less than one by one."""
        made = [self._known(name, kind) for name, kind in questions]
        self._begin([one for one in made if isinstance(one, _OpenQuestion)])
        return [
            Pending(None, one.waiting) if isinstance(one, _OpenQuestion) else Pending(one, None)
            for one in made
        ]

    def _known(self, name: str, kind: RecordType) -> DnsAnswer | _OpenQuestion:
        """The answer, if that needs no question."""
        key: Key = (name, kind)
        if not is_plain(name):
            # dnspython is loaded with the first question: most programs ask none.
            from filterd.resolver.names import query_name, written  # noqa: PLC0415

            try:
                key = (written(query_name(name)), kind)
            except ValueError as error:
                return DnsAnswer(DnsStatus.INVALID, detail=str(error))
        found = self._cache.get(key)
        if found is not None:
            return found
        if not self.servers:
            return DnsAnswer(DnsStatus.UNREACHABLE, detail=self._unusable)
        return _OpenQuestion(key, concurrent.futures.Future())

    def close(self) -> None:
        """End the thread and all that is under way; a later question starts it again."""
        with self._lock:
            loop, thread, engine = self._loop, self._thread, self._engine
            if self._pid != os.getpid() or loop is None or thread is None or engine is None:
                return
            self._pid = 0
            queue, self._queue = self._queue, []
        for question in queue:
            question.waiting.cancel()
        asyncio.run_coroutine_threadsafe(engine.close(), loop).result(_CLOSE_LIMIT)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_CLOSE_LIMIT)
        loop.close()

    def _begin(self, questions: Sequence[_OpenQuestion]) -> None:
        """Put questions into the queue, and wake the loop unless it is awake for others."""
        if not questions:
            return
        with self._lock:
            if self._pid != os.getpid() or self._loop is None or self._engine is None:
                self._queue = []
                self._start()
            assert self._loop is not None and self._engine is not None
            self._queue += questions
            if len(self._queue) == len(questions):
                self._loop.call_soon_threadsafe(self._take_queue, self._engine)

    def _take_queue(self, engine: Engine) -> None:
        """Runs in the loop."""
        with self._lock:
            queue, self._queue = self._queue, []
        for question in queue:
            engine.begin(question.key, question.waiting)

    def _start(self) -> None:
        from filterd.resolver.engine import Engine  # noqa: PLC0415  # with dnspython
        from filterd.resolver.exchange import Transport  # noqa: PLC0415

        loop = asyncio.new_event_loop()
        self._engine = Engine(
            self.servers,
            self._cache,
            timeout=self._settings.timeout,
            in_flight=self._settings.in_flight,
            transport=Transport(self._settings.edns_size, self._settings.tcp),
        )
        self._thread = threading.Thread(target=loop.run_forever, name="resolver", daemon=True)
        self._loop, self._pid = loop, os.getpid()
        self._thread.start()


@lru_cache(1)
def system_resolver() -> Resolver:
    """The one of this process that asks the system's name servers, for programs without settings of
    their own."""
    return Resolver(ResolverSettings())


def system_servers(path: Path = RESOLV_CONF) -> Sequence[NameServer]:
    """The name servers of resolv.conf(5), at most three as in the C library; none where it cannot
    be read or names none that has an address."""
    found: list[NameServer] = []
    try:
        lines = path.read_text("utf-8", "replace")[:65536].splitlines()
    except OSError:
        return ()
    for line in lines:
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                # A link-local address has its interface behind it: fe80::1%eth0.
                found.append(NameServer.parse(words[1]))
            except ValueError:
                continue
    return tuple(found[:3])
