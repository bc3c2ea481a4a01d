"""The daemon process: libmilter in a thread, signals in the main one, reload and orderly end.

libmilter has a thread of its own that takes SIGHUP, SIGTERM and SIGINT for orders to stop. A signal
sent to the process goes to the main thread as long as that does not block it, so libmilter runs in
another thread, and the main thread keeps Python's handlers: SIGHUP reloads, SIGTERM ends.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import os
import queue
import signal
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import Milter
import milter
import sdnotify

from filterd import __version__
from filterd.config.assembly import FailureKeeper, open_history, open_recent_mail
from filterd.config.load import ConfigError, Settings, load
from filterd.config.network import worker_processes
from filterd.daemon import file_watch, report_runner
from filterd.daemon.apply import ACTIONS
from filterd.daemon.autolearn_runner import LOOK_INTERVAL, Lessons
from filterd.daemon.failures import FailedMail
from filterd.daemon.file_watch import FileWatch, look_at
from filterd.daemon.libmilter import (
    SESSION_STACK,
    allow_many_sessions,
    await_signal_thread,
    register,
    thread_states,
)
from filterd.daemon.monitor import Monitor
from filterd.daemon.service import Service
from filterd.daemon.session import MilterSession, wanted_steps
from filterd.daemon.teaching_runner import TeachingRunner
from filterd.history import History
from filterd.history.recent_mail import RecentMailUpkeep
from filterd.ops.control import RELOAD_SECONDS, control_path
from filterd.ops.folders import check_folders
from filterd.ops.json_socket import JsonSocket
from filterd.ops.logs import MessageLog, configure
from filterd.quarantine.upkeep import RETRY_INTERVAL, Upkeep
from filterd.system.address import AddressError
from filterd.system.periodic import Periodic
from filterd.workers.forked import fork, has_one_thread
from filterd.workers.generation import Begin, StartError
from filterd.workers.pool import Pool

if TYPE_CHECKING:
    from filterd.digest.run import Schedule
    from filterd.notices.run import NoticeSchedule

log = logging.getLogger(__name__)

EX_OK, EX_UNAVAILABLE, EX_CANNOT_CREATE, EX_NOPERM, EX_CONFIG = 0, 69, 73, 77, 78

LIBMILTER_ENDED = b"\0"
"""Stands in the pipe of signals where libmilter's loop ended by itself; no signal has number 0."""

SETTLE = 0.1
"""Seconds that the last replies have to reach the MTA before the process ends."""


DIGEST_INTERVAL = 60.0
"""Seconds between two looks whether digests are due."""

NOTICE_INTERVAL = 30.0
"""Seconds between two looks whether there is something to tell."""

NUDGE_INTERVAL = 1.0
"""Seconds between connections to our own socket. libmilter 8.17 with a pool of threads, as Debian
builds it, may leave a new connection to a thread that has just taken another one. It is then served
when that thread is free, which a slow message or a peer that stalls can delay for long, or when one
more connection comes. So one comes."""


class StartFailure(Exception):  # noqa: N818  (the end of the process, with its status)
    """The daemon cannot start. status: the exit status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def run(config: Path | None) -> int:
    """Run the daemon until SIGTERM; return the exit status. Errors at start are a line each."""
    try:
        Daemon(config).run()
    except StartFailure as failure:
        sys.stderr.write("".join(f"filterd: {line}\n" for line in str(failure).split("\n")))
        return failure.status
    return EX_OK


class Daemon:
    """The running daemon."""

    def __init__(self, config: Path | None) -> None:
        self._config = config
        try:
            self._settings = load(config)
            check_folders(self._settings)
        except ConfigError as error:
            raise StartFailure(str(error), EX_CONFIG) from None
        self._address = self._settings.daemon.address
        configure(self._settings.daemon)
        # A handler may interrupt any line of the main thread, also one that holds a lock; so the
        # interpreter itself writes the signals' numbers into a pipe, and the main thread reads it.
        self._orders, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        # Steps agreed on, by libmilter's thread of the connection; thread ids are used again.
        self._agreed: dict[int, int] = {}
        self._awaiting: queue.SimpleQueue[Future[str]] = queue.SimpleQueue()
        self._schedule: Schedule | None = None
        self._notices: NoticeSchedule | None = None
        upkeep = Upkeep(lambda: self._settings.quarantine)
        recent = RecentMailUpkeep(lambda: open_recent_mail(self._settings))
        lessons = Lessons(lambda: self._settings, config)
        reports = report_runner.Reports(lambda: self._settings, config)
        self._watch = FileWatch(lambda: self._settings, self._asked_to_reload)
        self._periodic = (
            Periodic("upkeep", upkeep.once, RETRY_INTERVAL),
            Periodic("recent-mail", recent.once, RETRY_INTERVAL, at_start=True),
            Periodic("digest", self._send_digests, DIGEST_INTERVAL),
            Periodic("notices", self._send_notices, NOTICE_INTERVAL),
            Periodic("autolearn", lessons.once, LOOK_INTERVAL),
            Periodic("dmarc-reports", reports.once, report_runner.LOOK_INTERVAL),
            Periodic("files", self._watch.once, file_watch.LOOK_INTERVAL),
            Periodic("nudge", self._address.nudge, NUDGE_INTERVAL),
        )

    def run(self) -> None:
        """Start everything, obey signals, end in order. Raises StartFailure."""
        settings = self._settings
        try:
            settings.daemon.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StartFailure(
                f"daemon.spool: {settings.daemon.spool}: {error.strerror}", EX_CANNOT_CREATE
            ) from None
        allow_many_sessions()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._watch.loaded(look_at(settings))
        if settings.history.enabled:
            # Before the fork server is made, which needs that library as well.
            importlib.import_module("filterd.history.records")
        descriptors = self._orders, self._wake
        begin = functools.partial(fork, settings, descriptors) if has_one_thread() else None
        pool = self._started_pool(settings, begin)
        self._notify = sdnotify.SystemdNotifier()
        self._monitor = Monitor(settings, _history(settings))
        self._service = Service(
            settings,
            pool,
            FailedMail(FailureKeeper(settings)),
            MessageLog(settings.daemon).report,
            self._monitor.note,
        )
        self._monitor.start()
        self._serve_metrics()
        self._open_socket()
        self._open_control()
        serving = threading.Thread(target=self._serve, name="libmilter", daemon=True)
        threads = len(thread_states())
        serving.start()
        await_signal_thread(threads)
        for periodic in self._periodic:
            periodic.start()
        log.info(
            "filterd %s listens on %s, %d workers, chain %s",
            __version__,
            self._address.text,
            worker_processes(settings),
            ",".join(settings.chain.filters) or "(empty)",
        )
        self._notify.notify(f"READY=1\nSTATUS=listening on {self._address.text}")
        self._compare_times()
        try:
            self._obey()
        finally:
            self._end()

    def _started_pool(self, settings: Settings, begin: Begin | None = None) -> Pool:
        """begin: how its first fork server is started; None: as a program. Raises StartFailure."""
        workers = settings.workers
        pool = Pool(
            self._config,
            worker_processes(settings),
            queue=workers.queue,
            recycle=workers.recycle,
            grace=workers.grace,
            stages=settings.stages,
        )
        try:
            pool.start(begin)
        except StartError as error:
            raise StartFailure(str(error), error.status) from None
        return pool

    def _serve_metrics(self) -> None:
        if self._settings.metrics.listen:
            from filterd.daemon.exporter import serve_metrics  # noqa: PLC0415  (seldom wanted)

            serve_metrics(self._settings.metrics.listen, self._service, self._monitor)

    def _open_socket(self) -> None:
        """Listen, with the right mode and group from the first moment."""
        old_mask = os.umask(0o177)
        try:
            self._address.clear()
            sys.excepthook = self._not_called
            threading.stack_size(SESSION_STACK)
            register(self._address, self._negotiated, self._session)
            milter.opensocket(False)
            daemon = self._settings.daemon
            self._address.protect(daemon.socket_mode, daemon.socket_group)
        except AddressError as error:
            raise StartFailure(f"daemon.socket: {error}", self._why_no_socket(error)) from None
        except milter.error:
            raise StartFailure(
                f"daemon.socket: cannot listen on {self._address.text}; "
                "is the address in use, or the folder not writable?",
                self._why_no_socket(),
            ) from None
        finally:
            os.umask(old_mask)

    def _why_no_socket(self, error: BaseException | None = None) -> int:
        """The exit status: whether another try could succeed."""
        path = self._address.path
        closed = path is not None and not os.access(path.parent, os.W_OK | os.X_OK)
        forbidden = isinstance(error.__context__ if error else None, PermissionError)
        exists = path is not None and path.parent.is_dir()
        return EX_NOPERM if forbidden or (closed and exists) else EX_UNAVAILABLE

    def _open_control(self) -> None:
        """Be there for `filterd status` and `reload`; mail does not wait for that."""
        path = control_path(self._settings)
        self._control = JsonSocket(
            path,
            {
                "status": lambda _request: self._monitor.to_json(self._service),
                "reload": lambda _request: self._asked_to_reload(),
                "failed": lambda _request: {"failed": self._service.remembered.to_json()},
                "learn": TeachingRunner(self._config).answer,
            },
        )
        try:
            self._control.start()
        except (OSError, AddressError) as error:
            log.warning("%s: %s; `filterd status` shows less, reload needs SIGHUP", path, error)

    def _send_digests(self) -> None:
        """Send digests that are due."""
        if self._schedule is None:
            if not self._settings.digest.enabled:
                return
            from filterd.digest.run import Schedule  # noqa: PLC0415  (loads the database)

            self._schedule = Schedule(lambda: self._settings)
        self._schedule.once()

    def _send_notices(self) -> None:
        """Find what is to be told, and send what is due."""
        if self._notices is None:
            if not self._settings.notices.enabled:
                return
            from filterd.notices.run import NoticeSchedule  # noqa: PLC0415  (loads the database)

            self._notices = NoticeSchedule(lambda: self._settings, self._monitor.notices)
        self._notices.once()

    def _negotiated(self, context: Any, options: list[int]) -> int:
        """Ask for what is needed of what the MTA offers (milter protocol §negotiation)."""
        actions, offered = options[0], options[1]
        stages = self._service.pool.stages
        steps = offered & wanted_steps(stages.asked if stages is not None else ())
        options[:] = [actions & ACTIONS, steps, 0, 0]
        self._agreed[threading.get_ident()] = steps
        context.setpriv(MilterSession(self._service, steps))
        return int(Milter.CONTINUE)

    def _session(self, context: Any) -> MilterSession:
        """The session of a context. After SMFIC_QUIT_NC libmilter goes on with the next session on
        the same connection, in the same thread, as agreed at its start, but on a new context."""
        session: MilterSession | None = context.getpriv()
        if session is None:
            session = MilterSession(self._service, self._agreed.get(threading.get_ident(), 0))
            context.setpriv(session)
        return session

    def _not_called(
        self, type: type[BaseException], value: BaseException, trace: TracebackType | None
    ) -> None:
        """What pymilter would print: an exception of a callback, or of calling it. A name of host,
        client or header field that is not UTF-8 costs the filters no more than that name."""
        if isinstance(value, UnicodeDecodeError):
            log.warning("ignored what is not UTF-8: %r", value.object)
            return
        log.error("a milter command was lost", exc_info=(type, value, trace))
        self._service.unreadable += 1

    def _serve(self) -> None:
        """Thread: libmilter's loop."""
        try:
            milter.main()
        except milter.error as error:
            log.error("libmilter: %s", error)
        os.write(self._wake, LIBMILTER_ENDED)

    def _obey(self) -> None:
        """Act on signals until one says to end, or libmilter does."""
        while True:
            for number in os.read(self._orders, 512):
                if number != signal.SIGHUP:
                    return
                # Who asks from here on may have changed the settings since, and is for the next.
                askers = []
                with contextlib.suppress(queue.Empty):
                    while True:
                        askers.append(self._awaiting.get_nowait())
                trouble = self._reload()
                for asker in askers:
                    asker.set_result(trouble)

    def _asked_to_reload(self) -> dict[str, Any]:
        """In the asking thread: have the main thread reload, and return its result."""
        asker: Future[str] = Future()
        self._awaiting.put(asker)
        os.write(self._wake, bytes([signal.SIGHUP]))
        trouble = asker.result(RELOAD_SECONDS)
        if trouble:
            return {"error": f"not reloaded, the old settings stay: {trouble}"}
        return {"reloaded": True, "filters": list(self._settings.chain.filters)}

    def _reload(self) -> str:
        """New settings and freshly prepared filters, or the old ones and the reason, which is
        returned; empty if all went well."""
        self._notify.notify("RELOADING=1")
        try:
            settings = load(self._config)
            check_folders(settings)
            look = look_at(settings)
            former = self._service.pool
            pools = settings.workers, settings.stages
            if pools != (self._settings.workers, self._settings.stages):
                pool = self._started_pool(settings)
            else:
                former.start()
                pool = former
        except (ConfigError, StartError, StartFailure) as error:
            mistakes = str(error).split("\n")
            for mistake in mistakes:
                log.error("not reloaded, the old settings stay: %s", mistake)
            self._notify.notify(f"READY=1\nSTATUS=reload failed: {'; '.join(mistakes)}")
            return str(error)
        if settings.daemon.socket != self._settings.daemon.socket:
            log.warning("daemon.socket has changed; that needs a restart, the old one stays")
        configure(settings.daemon)
        self._settings = settings
        self._watch.loaded(look)
        # Sessions read these when a message begins or ends; each is exchanged as a whole.
        self._service.settings = settings
        self._service.report = MessageLog(settings.daemon).report
        self._service.failures.exchange(FailureKeeper(settings))
        self._service.remembered.clear()
        self._monitor.reload(settings, _history(settings))
        self._service.pool = pool
        if pool is not former:
            threading.Thread(target=self._let_go, args=(former,), daemon=True).start()
        log.info("reloaded, chain %s", ",".join(settings.chain.filters))
        self._compare_times()
        self._notify.notify("READY=1\nSTATUS=reloaded")
        return ""

    def _compare_times(self) -> None:
        """Warn, meanwhile, where the MTA waits too short for these settings."""

        def compare() -> None:
            from filterd.doctor.mta import Mtas, time_warnings  # noqa: PLC0415  (no mail needs it)

            for text in time_warnings(self._settings, Mtas()):
                log.warning("%s", text)

        threading.Thread(target=compare, name="times", daemon=True).start()

    def _let_go(self, former: Pool) -> None:
        """Close a pool once the messages it may have are answered."""
        self._service.wait_until_idle(self._settings.chain.timeout)
        former.close()

    def _end(self) -> None:
        """Take no more sessions, answer what is in flight, end the workers."""
        self._notify.notify("STOPPING=1")
        for periodic in self._periodic:
            periodic.end()
        self._control.close()
        # It waits for the listener, which looks up every five seconds; nothing else needs to.
        threading.Thread(target=milter.stop, daemon=True).start()
        grace = self._settings.daemon.shutdown_grace
        if not self._service.wait_until_idle(grace):
            log.warning("messages still in flight after %g s; their clients will retry", grace)
        # libmilter sends a reply after our callback has returned it.
        time.sleep(SETTLE)
        self._service.pool.close()
        self._monitor.close()
        if self._address.path is not None:
            self._address.path.unlink(missing_ok=True)
        log.info("ended")
        logging.shutdown()
        # libmilter looks only every five seconds whether it is to stop; nothing waits for that.
        sys.stderr.flush()
        os._exit(EX_OK)


def _history(settings: Settings) -> History | None:
    return open_history(settings) if settings.history.enabled else None
