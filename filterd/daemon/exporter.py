"""Metrics for Prometheus, made when somebody fetches them; no message waits for that.

Names and units follow Prometheus' conventions: base units, `_total` for what only grows. A request
may take `PATIENCE` from its connection to its answer; where more than `CLIENTS` are connected, the
oldest goes, so that slow clients keep no monitor out.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterator
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from filterd import __version__
from filterd.config.processes import MetricsSettings
from filterd.daemon.stats import BUCKETS, FilterCount

if TYPE_CHECKING:
    from filterd.daemon.monitor import Monitor
    from filterd.daemon.service import Service
    from filterd.ops.dns_lists import DnsListStatus
    from filterd.ops.scanners import ClamdStatus, ScannerStatus
    from filterd.ops.status import QuarantineStatus

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds from a connection to the end of the answer, however busy the client looks."""

CLIENTS = 8
"""Connections at a time, a thread each."""

LOOK_AROUND = 0.2
"""Seconds between two looks for connections that are there too long."""

LOOK_INTERVAL = 30.0
"""Seconds for which what clamd and the quarantine said is told again, however often one asks."""

DAY = 86400.0


class MetricsError(OSError):
    """Metrics cannot be offered there; the text says why."""


def serve_metrics(listen: str, service: Service, monitor: Monitor) -> None:
    """Offer metrics where the settings say so; the daemon runs without them if that fails."""
    if listen:
        try:
            Exporter(listen, service, monitor).start()
        except MetricsError as error:
            log.error("metrics.listen: %s; no metrics", error)


class DaemonCollector(Collector):
    """Reads the daemon's counts, and asks clamd and the quarantine."""

    def __init__(self, service: Service, monitor: Monitor) -> None:
        self._service = service
        self._monitor = monitor
        self._looked_at = float("-inf")
        self._clamd: tuple[ClamdStatus, ...] = ()
        self._scanners: tuple[ScannerStatus, ...] = ()
        self._dns_lists: tuple[DnsListStatus, ...] = ()
        self._quarantine: QuarantineStatus | None = None

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not collect."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics as they are now."""
        yield from self._of_mail()
        yield from self._of_filters(self._monitor.stats.filters)
        yield from self._of_workers()
        self._look()
        yield from self._of_clamd()
        yield from self._of_dns_lists()
        if self._quarantine is not None and not self._quarantine.error:
            kept = GaugeMetricFamily(
                "filterd_quarantine_messages", "Messages in the quarantine.", labels=["state"]
            )
            for state, messages in self._quarantine.messages.items():
                kept.add_metric([state], messages)
            yield kept
            yield GaugeMetricFamily(
                "filterd_quarantine_bytes", "Size of these.", self._quarantine.octets
            )

    def _of_mail(self) -> Iterator[Metric]:
        stats = self._monitor.stats
        info = GaugeMetricFamily("filterd_info", "Always 1.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        yield GaugeMetricFamily(
            "filterd_start_time_seconds", "When the daemon started, since 1970.", stats.started
        )
        messages = CounterMetricFamily(
            "filterd_messages", "Messages by what was answered.", labels=["action"]
        )
        for action, number in stats.messages.items():
            messages.add_metric([action], number)
        yield messages
        refusals = CounterMetricFamily(
            "filterd_refusals",
            "Refusals before there was a message, by stage of the SMTP session.",
            labels=["stage", "action"],
        )
        for (stage, action), number in stats.refusals.items():
            refusals.add_metric([stage, action], number)
        yield refusals
        authentication = CounterMetricFamily(
            "filterd_authentication",
            "Messages by what was found out of who sent them.",
            labels=["method", "result"],
        )
        for (method, result), number in stats.authentication.items():
            authentication.add_metric([method, result], number)
        yield authentication
        notices = CounterMetricFamily(
            "filterd_notices",
            "Notices by mail and webhook: sent, failed, suppressed by a limit, dropped.",
            labels=["channel", "outcome"],
        )
        for (channel, outcome), number in self._monitor.notices.values.items():
            notices.add_metric([channel, outcome], number)
        yield notices
        yield GaugeMetricFamily(
            "filterd_notices_waiting", "Notices that wait.", self._monitor.notices.waiting
        )
        yield CounterMetricFamily(
            "filterd_history_lost",
            "Records that the history could not note, or has lost.",
            self._monitor.recorder.lost,
        )

    @staticmethod
    def _of_filters(filters: dict[str, FilterCount]) -> Iterator[Metric]:
        seconds = HistogramMetricFamily(
            "filterd_filter_seconds", "Time that a filter took for a message.", labels=["filter"]
        )
        errors = CounterMetricFamily(
            "filterd_filter_errors",
            "Messages without a filter's opinion.",
            labels=["filter", "kind"],
        )
        for name, one in filters.items():
            below, buckets = 0, []
            for end, number in zip([*map(str, BUCKETS), "+Inf"], one.classes, strict=True):
                below += number
                buckets.append((end, float(below)))
            seconds.add_metric([name], buckets, one.seconds)
            for kind, number in one.errors.items():
                errors.add_metric([name, kind], number)
        yield seconds
        yield errors

    def _of_workers(self) -> Iterator[Metric]:
        pool = self._service.pool
        alive, idle, waiting = pool.load
        for name, told, value in (
            ("filterd_workers", "Worker processes.", alive),
            ("filterd_workers_idle", "Workers without a message.", idle),
            ("filterd_queue_messages", "Messages that wait for a worker.", waiting),
            ("filterd_in_flight_messages", "Messages without an answer.", self._service.in_flight),
        ):
            yield GaugeMetricFamily(name, told, value)
        yield CounterMetricFamily(
            "filterd_worker_restarts", "Workers that died or were killed.", pool.deaths
        )
        stages = pool.stages
        if stages is not None:
            under_way, abandoned = stages.load
            yield GaugeMetricFamily(
                "filterd_stage_questions", "Sessions that wait for filters.", under_way
            )
            yield GaugeMetricFamily(
                "filterd_stage_abandoned", "Filters that go on after their time.", abandoned
            )
            yield CounterMetricFamily(
                "filterd_stage_restarts", "Stage processes that died or stalled.", stages.deaths
            )

    def _look(self) -> None:
        from filterd.ops.dns_lists import dns_list_status  # noqa: PLC0415  (loads much)
        from filterd.ops.scanners import clamd_status, scanner_status  # noqa: PLC0415
        from filterd.ops.status import quarantine_status  # noqa: PLC0415

        now = time.monotonic()
        if now - self._looked_at >= LOOK_INTERVAL:
            settings = self._service.settings
            self._clamd, self._quarantine = clamd_status(settings), quarantine_status(settings)
            self._scanners = scanner_status(settings)
            self._dns_lists = dns_list_status(settings)
            self._looked_at = now

    def _of_dns_lists(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "filterd_dns_list_up",
            "0 while it is switched off: it does not answer, refuses, or lists everything.",
            labels=["list"],
        )
        for one in self._dns_lists:
            up.add_metric([one.zone], 0 if one.why else 1)
        yield up

    def _of_clamd(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("filterd_clamd_up", "1 if it answers.", labels=["server"])
        age = GaugeMetricFamily(
            "filterd_clamd_signature_age_seconds",
            "Age of the daily database it scans with.",
            labels=["server"],
        )
        old = GaugeMetricFamily(
            "filterd_clamd_signatures_old",
            "1 if its signatures are older than a limit of the settings: warn_days or fail_days.",
            labels=["server", "limit"],
        )
        threads = GaugeMetricFamily(
            "filterd_clamd_threads", "Its threads by state.", labels=["server", "state"]
        )
        queue = GaugeMetricFamily(
            "filterd_clamd_queue_scans", "Scans that wait for a thread.", labels=["server"]
        )
        memory = GaugeMetricFamily(
            "filterd_clamd_memory_bytes", "What signatures and scans use.", labels=["server"]
        )
        for one in {one.server: one for one in self._clamd}.values():
            up.add_metric([one.server], 0 if one.error else 1)
            if one.days is not None:
                age.add_metric([one.server], one.days * DAY)
                old.add_metric([one.server, "warn_days"], one.freshness.is_bad)
                old.add_metric([one.server, "fail_days"], one.freshness == "stale")
            if one.stats is not None:
                busy = max(one.stats.live - one.stats.idle, 0)
                threads.add_metric([one.server, "busy"], busy)
                threads.add_metric([one.server, "idle"], one.stats.idle)
                threads.add_metric([one.server, "max"], one.stats.most)
                queue.add_metric([one.server], one.stats.queue)
                if one.stats.memory is not None:
                    memory.add_metric([one.server], one.stats.memory)
        yield from (up, age, old, threads, queue, memory)
        labels = ["filter", "scanner", "server"]
        well = GaugeMetricFamily("filterd_scanner_up", "1 if it answers.", labels=labels)
        aged = GaugeMetricFamily(
            "filterd_scanner_signature_age_seconds", "Where it says.", labels=labels
        )
        beyond = GaugeMetricFamily(
            "filterd_scanner_signatures_old",
            "1 if its signatures are older than a limit of the settings: warn_days or fail_days.",
            labels=[*labels, "limit"],
        )
        for other in self._scanners:
            where = [other.filter, other.name, other.server]
            well.add_metric(where, 0 if other.error else 1)
            if other.days is not None:
                aged.add_metric(where, other.days * DAY)
                beyond.add_metric([*where, "warn_days"], other.freshness.is_bad)
                beyond.add_metric([*where, "fail_days"], other.freshness == "stale")
        yield from (well, aged, beyond)


class Exporter:
    """Offers the metrics at an address, `/metrics` or any other path."""

    def __init__(self, listen: str, service: Service, monitor: Monitor) -> None:
        self._address = MetricsSettings(listen).address
        self._registry = CollectorRegistry()
        self._registry.register(DaemonCollector(service, monitor))
        ProcessCollector(registry=self._registry)

    def start(self) -> None:
        """Listen and answer from now on. Raises MetricsError."""
        try:
            server = _Server(self._address, _Handler)
        except OSError as error:
            raise MetricsError(f"{error.strerror or error}") from None
        server.set_app(_one_at_a_time(make_wsgi_app(self._registry)))
        serving = threading.Thread(
            target=server.serve_forever, args=(LOOK_AROUND,), name="metrics", daemon=True
        )
        serving.start()


def _one_at_a_time(app: Any) -> Any:
    """The application, its metrics collected in one thread at a time; sending them is not in it."""
    turn = threading.Lock()

    def collect(environ: Any, start_response: Any) -> Any:
        with turn:
            return app(environ, start_response)

    return collect


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[WSGIRequestHandler]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        # Connections that may go on, and when they came, the oldest first.
        self._open: dict[socket.socket, float] = {}
        self._mutex = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a thread for a new connection."""
        with self._mutex:
            self._open[request] = time.monotonic()
            if len(self._open) > CLIENTS:
                self._hang_up(next(iter(self._open)))
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection; in its thread."""
        with self._mutex:
            self._open.pop(request, None)
            super().shutdown_request(request)

    def service_actions(self) -> None:
        """End what takes too long; called between connections, and every `LOOK_AROUND`."""
        due = time.monotonic() - PATIENCE
        with self._mutex:
            for request in [one for one, since in self._open.items() if since <= due]:
                self._hang_up(request)

    def _hang_up(self, request: socket.socket) -> None:
        """Let the thread that reads or writes there see the end of the connection."""
        del self._open[request]
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)

    def server_bind(self) -> None:
        # Without its look at the domain name system, which may take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that hangs up."""


class _Handler(WSGIRequestHandler):
    timeout = PATIENCE

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a monitor comes every few seconds."""

    def address_string(self) -> str:
        return str(self.client_address[0])
