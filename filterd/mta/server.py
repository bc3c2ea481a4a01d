"""The SMTP server: a task for each client joins session, filters and queue.

`ReferenceMta` is the whole MTA as an asynchronous context manager; `running_mta` runs one in a
thread of its own, for tests and demonstrations.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from filterd.mta.delivery.builtin import BuiltInRouter
from filterd.mta.delivery.router import Router
from filterd.mta.flavours import personality as chosen
from filterd.mta.handler import SessionHandler
from filterd.mta.listening import listen
from filterd.mta.personality import Personality
from filterd.mta.queue.bounce import Bouncer
from filterd.mta.queue.manager import QueueManager
from filterd.mta.queue.spool import Spool
from filterd.mta.rates import ConnectionRates, Throttle
from filterd.mta.settings import Listener, MtaSettings
from filterd.mta.smtp.sasl import Passwords
from filterd.mta.state import MtaState, load_average

if TYPE_CHECKING:
    from filterd.mta.sendmail.site import CfSite

log = logging.getLogger("filterd.mta")

THREADS = 16
"""Threads for the disk."""

RULE_THREADS = 64
"""Threads for rules, passwords and names of clients: most of the time they wait."""

LINGER, LINGER_READS, LINGER_READ_SIZE = 1.0, 16, 1 << 16
"""Seconds that a client has to end its side of a connection, and how many reads of how many octets
are thrown away until then."""

LINGERING = 100
"""Connections that may wait so at a time; the others are closed at once."""

CLOSE_TIMEOUT = 60.0
"""Seconds for a client to take what was sent to it."""


class ReferenceMta:
    """The MTA, running between `async with`. ports: those it listens on; port: the first one.

    router: where mail goes; by default every local recipient has a mailbox. personality,
    listeners: what a sendmail.cf says; by default those of the settings.
    Raises OSError if it cannot listen on the address or write to the spool.
    """

    def __init__(
        self,
        settings: MtaSettings,
        *,
        router: Router | None = None,
        personality: Personality | None = None,
        listeners: tuple[Listener, ...] = (),
    ) -> None:
        self.settings = settings
        self.port = settings.port
        self.ports: tuple[int, ...] = ()
        self._personality = personality or chosen(settings)
        self._router = router or BuiltInRouter(
            settings, keeps_duplicates=self._personality.keeps_duplicates
        )
        self._listeners = listeners or (
            Listener("MTA", settings.listen, settings.port, settings.filters),
        )
        self._sessions: set[asyncio.Task[None]] = set()
        self._lingering: set[asyncio.Task[None]] = set()
        self._throttle = Throttle(self._personality.connections.throttle)

    @classmethod
    def from_cf(cls, site: CfSite) -> ReferenceMta:
        """The MTA of a sendmail.cf. Raises CfError for a file without a local mailer."""
        return cls(
            site.settings,
            router=site.router(),
            personality=site.personality(),
            listeners=site.listeners,
        )

    async def __aenter__(self) -> ReferenceMta:
        with contextlib.ExitStack() as stack:
            spool = Spool(self.settings.spool)
            stack.enter_context(spool.serving())
            await self._start(spool)
            self._held = stack.pop_all()
        return self

    async def _start(self, spool: Spool) -> None:
        settings = self.settings
        host = settings.hostname
        self._executor = ThreadPoolExecutor(THREADS, "filterd-mta")
        # What asyncio.to_thread uses: rules that wait for a name server hold up no others.
        asyncio.get_running_loop().set_default_executor(
            ThreadPoolExecutor(RULE_THREADS, "filterd-rules")
        )
        self.queue = QueueManager(
            spool,
            self._router,
            self._executor,
            retry=settings.retry,
            bounce=self._bouncer(),
            times=self._personality.waiting,
        )
        self._state = MtaState(
            settings=settings,
            personality=self._personality,
            router=self._router,
            queue=self.queue,
            tls=_tls(settings),
            passwords=Passwords(settings.passwords) if settings.passwords else None,
            rates=ConnectionRates(self._personality.connections.rate_window),
        )
        self._servers = await listen(self._listeners, self._client)
        self.ports = tuple(one.sockets[0].getsockname()[1] for one in self._servers)
        self.port = self.ports[0]
        self._runner = asyncio.create_task(self.queue.run())
        log.info("listening on %s port %d as %s", settings.listen, self.port, host)

    def reload(self, site: CfSite) -> None:
        """Go by another configuration from the next session and delivery on.

        Addresses to listen on and the spool stay. Raises CfError or OSError, and nothing changes,
        for one that cannot be used.
        """
        router, personality = site.router(), site.personality()
        settings = dataclasses.replace(site.settings, spool=self.settings.spool)
        window = personality.connections.rate_window
        changed = window != self._personality.connections.rate_window
        state = dataclasses.replace(
            self._state,
            rates=ConnectionRates(window) if changed else self._state.rates,
            settings=settings,
            personality=personality,
            router=router,
            tls=_tls(settings),
        )
        listeners = tuple(
            dataclasses.replace(new, address=old.address, port=old.port)
            for old, new in zip(self._listeners, site.listeners, strict=False)
        )
        self._listeners = (*listeners, *self._listeners[len(listeners) :])
        self._throttle = Throttle(personality.connections.throttle)
        self._state, self._personality, self.settings = state, personality, settings
        self.queue.reconfigure(
            router,
            retry=settings.retry,
            bounce=self._bouncer(),
            times=personality.waiting,
        )

    def _bouncer(self) -> Bouncer:
        return Bouncer(
            self.settings.hostname,
            self._personality.queue_id,
            self._personality.waiting.reports,
            qualifies=not self._personality.rewrites_addresses,
            postmaster=self._personality.postmaster,
            copies=self._personality.postmaster_copy,
            receipts="noreceipts" not in self.settings.forbidden,
        )

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        tasks = (*self._sessions, *self._lingering, self._runner)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.queue.settled()
        self._executor.shutdown()
        self._held.close()

    async def _client(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """A client of the listener of that number."""
        if self._listeners[number].speaks_tls and isinstance(
            writer.transport, asyncio.ReadTransport
        ):
            # What it says now is for TLS.
            writer.transport.pause_reading()
        task = asyncio.current_task()
        assert task is not None
        try:
            await self._session(task, number, reader, writer)
            # The session is over: who waits here takes nobody's place.
            if len(self._lingering) < LINGERING:
                self._lingering.add(task)
                await _linger(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            # The client has disconnected, or the server is stopping.
            pass
        finally:
            self._lingering.discard(task)
            await _close(writer)

    async def _session(
        self,
        task: asyncio.Task[None],
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Raises ConnectionError if the client disconnects."""
        self._sessions.add(task)
        host = str(writer.get_extra_info("peername")[0])
        self._state.clients[host] += 1
        rates = self._state.rates.note(host)
        refuse_load = self._personality.connections.refuse_load
        try:
            if len(self._sessions) > self.settings.max_connections:
                writer.write(b"421 4.3.2 Too many connections, try again later\r\n")
            elif refuse_load and load_average() >= refuse_load:
                log.warning("rejecting connections: load average: %d", load_average())
                writer.write(b"421 4.3.2 Load average too high, try again later\r\n")
            else:
                await asyncio.sleep(self._throttle.wait())
                listener = self._listeners[number]
                await SessionHandler(self._state, listener, reader, writer, rates).run()
        finally:
            self._sessions.discard(task)
            self._state.clients[host] -= 1
            if not self._state.clients[host]:
                del self._state.clients[host]


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send the end of the connection, and wait for the client's for a moment.

    What a client has sent and nobody has read makes the kernel reset the connection at its close,
    which may take the last reply with it (RFC 1122, 4.2.2.13).
    """
    if not writer.can_write_eof():
        return
    with contextlib.suppress(OSError, TimeoutError):
        writer.write_eof()
        async with asyncio.timeout(LINGER):
            for _ in range(LINGER_READS):
                if not await reader.read(LINGER_READ_SIZE):
                    break


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close the connection, also of a client that does not take what is left for it."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()
    except (OSError, asyncio.CancelledError):
        pass


def _tls(settings: MtaSettings) -> ssl.SSLContext | None:
    """The context of STARTTLS, None without a certificate. Raises OSError for an invalid one."""
    if settings.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    return context


class MtaThread:
    """A running MTA in a thread. port; mail: the folder of mailboxes."""

    def __init__(self, settings: MtaSettings, router: Router | None = None) -> None:
        self.settings = settings
        self.port = 0
        self._router = router
        self._ready = threading.Event()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    @property
    def mail(self) -> Path:
        return self.settings.mail

    def mailbox(self, name: str) -> list[Path]:
        """The messages in a Maildir, oldest first."""
        return sorted((self.mail / name / "new").glob("*"))

    def start(self) -> None:
        """Return when the MTA listens. Raises OSError if it cannot."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Stop accepting clients and finish running deliveries."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def settle(self) -> None:
        """Wait until no delivery is running."""
        asyncio.run_coroutine_threadsafe(self._mta.queue.settled(), self._loop).result()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._mta = ReferenceMta(self.settings, router=self._router)
        try:
            async with self._mta:
                self.port = self._mta.port
                self._ready.set()
                await self._stopping.wait()
        except OSError as error:
            self._error = error
            self._ready.set()


@contextlib.contextmanager
def running_mta(settings: MtaSettings, router: Router | None = None) -> Iterator[MtaThread]:
    """An MTA for the length of a `with`: `with running_mta(settings) as mta: ... mta.port`."""
    mta = MtaThread(settings, router)
    mta.start()
    try:
        yield mta
    finally:
        mta.stop()
