"""The fork server: a process that prepares the filters once and forks workers from that.

The daemon forks it while it has one thread, later it starts it as a program of its own
(`filterd.workers.forked`), and speaks to it over one socket (SOCK_SEQPACKET, a JSON object a
packet). It has no threads, so forking is safe; all workers share the model's pages.

    daemon → fork server: {"fork": 1}   {"fork": 1, "role": ROLE}   {"kill": PID}
    fork server → daemon: {"ready": true, "filters": [...],
                       "stages": {STAGE: [...]}, "reports": true or false,
                      "network": who needs it, "" if it is closed}
                      {"error": TEXT, "status": N}
                      {"worker": PID} with two descriptors: its socket, its watch page
                      {"worker": PID, "role": ROLE} with one: the socket of a stage process
                      {"ended": PID, "signal": N, "status": N}

Where no filter needs the network, the fork server and its workers can reach none.

When the daemon closes the socket, or dies, the fork server kills its workers and ends.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import logging
import os
import select
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

from filterd.chain.budget import own_alarm
from filterd.chain.pipeline import Pipeline
from filterd.config.assembly import build_pipeline
from filterd.config.load import ConfigError, Settings, load
from filterd.config.processes import WorkerSettings
from filterd.ops.logs import configure
from filterd.quarantine.entry import ENTRIES
from filterd.system.confinement import die_with_parent
from filterd.workers import codec, stage_codec, watch
from filterd.workers.worker import confine, serve, without_network

PACKET_LIMIT = 1 << 16
"""Octets of a packet between daemon and fork server."""

EX_UNAVAILABLE, EX_NOPERM, EX_CONFIG = 69, 77, 78

log = logging.getLogger(__name__)


class ForkServer:
    """The running fork server. control: the socket to the daemon. network: why it is open, empty
    if it is closed."""

    def __init__(
        self,
        control: socket.socket,
        pipeline: Pipeline,
        workers: WorkerSettings,
        network: str = "",
    ) -> None:
        self._control = control
        self._pipeline = pipeline
        self._memory = workers.memory
        self._network = network
        self._children: set[int] = set()

    def run(self) -> None:
        """Serve the daemon until it closes the socket."""
        wake_read, wake_write = os.pipe()
        for descriptor in (wake_read, wake_write):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
        chain = self._pipeline.chain
        ready = {
            "ready": True,
            "filters": list(chain.names),
            "stages": chain.stages.asked,
            "reports": chain.stages.wants_reports,
            "network": self._network,
        }
        tell(self._control, ready)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(wake_read, select.POLLIN)
        while True:
            for descriptor, _events in poll.poll():
                if descriptor == wake_read:
                    os.read(wake_read, 4096)
                    self._reap()
                elif not self._obey():
                    self._end()
                    return

    def _obey(self) -> bool:
        try:
            packet = self._control.recv(PACKET_LIMIT)
        except ConnectionResetError:
            # A daemon that was killed had not read all that it was told (unix(7)).
            return False
        if not packet:
            return False
        order = json.loads(packet)
        if "role" in order:
            self._fork_stages(order["role"])
        elif "fork" in order:
            self._fork()
        elif order.get("kill") in self._children:
            os.kill(order["kill"], signal.SIGKILL)
        return True

    def _fork(self) -> None:
        ours, theirs = socket.socketpair()
        page = watch.new_page()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._be_worker(theirs, page)
        self._children.add(pid)
        theirs.close()
        packet = json.dumps({"worker": pid}).encode()
        try:
            socket.send_fds(self._control, [packet], [ours.fileno(), page])
        except OSError as error:
            # The next read sees the end, and run() kills the worker with the others.
            log.debug("the daemon is gone: %s", error)
        finally:
            ours.close()
            os.close(page)

    def _fork_stages(self, role: str) -> None:
        """Fork a process that is asked at stages."""
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._be_stage_process(theirs)
        self._children.add(pid)
        theirs.close()
        packet = json.dumps({"worker": pid, "role": role}).encode()
        try:
            socket.send_fds(self._control, [packet], [ours.fileno()])
        except OSError as error:
            log.debug("the daemon is gone: %s", error)
        finally:
            ours.close()

    def _be_stage_process(self, peer: socket.socket) -> None:
        """Never returns, as `_be_worker`."""
        from filterd.workers.stage_server import serve_stages  # noqa: PLC0415  (see `main`)

        status = 1
        try:
            self._begin_child()
            confine(self._memory, niceness=0)
            serve_stages(peer, self._pipeline.chain.stages)
            status = 0
        except BaseException:  # noqa: BLE001  (as in `_be_worker`)
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _begin_child(self) -> None:
        die_with_parent()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        self._control.close()

    def _be_worker(self, peer: socket.socket, page: int) -> None:
        """Never returns: the child serves and ends here, whatever happens."""
        status = 1
        try:
            self._begin_child()
            names = self._pipeline.chain.names
            shared = watch.WatchPage(page, names, writable=True)
            os.close(page)
            confine(self._memory)
            own_alarm()
            serve(peer, shared, self._pipeline)
            status = 0
        except BaseException:  # noqa: BLE001  (the child must end here, not in the fork server's loop)
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._children.discard(pid)
            killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0
            tell(self._control, {"ended": pid, "signal": killed, "status": code})

    def _end(self) -> None:
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)


def tell(control: socket.socket, packet: dict[str, Any]) -> None:
    """Send the daemon one packet; a daemon that is gone by now needs none."""
    try:
        control.send(json.dumps(packet).encode())
    except OSError as error:
        log.debug("the daemon is gone: %s", error)


def _is_forbidden(error: BaseException | None) -> bool:
    """Whether a permission is what is missing: then another try fails as well."""
    while error is not None:
        if isinstance(error, PermissionError):
            return True
        error = error.__cause__ or error.__context__
    return False


def ignore_signals() -> None:
    """The daemon decides when this ends; a signal to the whole group (Ctrl-C) must not."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def main() -> int:
    """`python -m filterd.workers.forkserver`: started by the daemon, not by people."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--config", type=Path)
    arguments = parser.parse_args()
    ignore_signals()
    control = socket.socket(fileno=arguments.control)
    try:
        settings = load(arguments.config)
    except ConfigError as error:
        tell(control, {"error": str(error), "status": EX_CONFIG})
        return EX_CONFIG
    configure(settings.daemon)
    return run(control, settings)


def run(control: socket.socket, settings: Settings) -> int:
    """Prepare the filters and serve the daemon until it closes the socket; the exit status."""
    try:
        pipeline = build_pipeline(settings)
        pipeline.chain.prepare()
    except ConfigError as error:
        tell(control, {"error": str(error), "status": EX_CONFIG})
        return EX_CONFIG
    except Exception as error:  # a filter that cannot start, for whatever reason
        log.debug("prepare", exc_info=True)
        status = EX_NOPERM if _is_forbidden(error) else EX_UNAVAILABLE
        tell(control, {"error": f"a filter cannot start: {error}", "status": status})
        return status
    # What workers need for their first message, kept or not; made here, it is shared like the rest.
    codec.REPORTS.prepare()
    ENTRIES.prepare()
    importlib.import_module("filterd.quarantine.index")
    if pipeline.chain.stages.asked:
        stage_codec.REPORTS.prepare()
        importlib.import_module("filterd.workers.stage_server")
    # What is alive now stays shared with the workers: the collector must not write into its pages.
    gc.collect()
    gc.freeze()
    network = without_network(settings)
    ForkServer(control, pipeline, settings.workers, network).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
