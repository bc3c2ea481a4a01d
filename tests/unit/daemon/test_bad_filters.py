"""Filters that do the worst: one message loses its verdict, and that is all."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from tests.helpers.daemon import NewDaemon, RunningDaemon, worker_in
from tests.helpers.gate import Gate
from tests.helpers.milter import MilterClient
from tests.helpers.process import wait_for

TROUBLE = re.compile(
    r"451 4\.3\.0 Message could not be checked, please try again later \(id=[0-9a-z]{16}\)"
)

# What the filter does · what the kept message says · does it cost the worker (one that interrupted
# a filter may hold a lock of it: it answers, and is replaced)
CASES = [
    ("raise", "error in misbehaving: RuntimeError: as told", False),
    ("loop", "timeout in misbehaving: no opinion within 1.5 s", True),
    ("eat", "memory in misbehaving", False),
    ("deaf", "timeout in misbehaving: worker", True),
    ("block", "timeout in misbehaving: worker", True),
    ("segfault", "signal 11", True),
    ("kill", "signal 9", True),
    ("garbage=00", "crash in misbehaving", True),
    ("garbage=000000030000000000000000787878", "no JSON", True),
    ("garbage=ffffffffffffffffffffffffffffffff", "crash in misbehaving", True),
]


@pytest.mark.parametrize(("order", "reason", "costs_worker"), CASES)
def test_costs_the_message_its_verdict(
    daemon: RunningDaemon,
    patient_daemon: RunningDaemon,
    order: str,
    reason: str,
    costs_worker: bool,
) -> None:
    if not reason.startswith("timeout"):
        daemon = patient_daemon
    before = daemon.settled()
    kept = len(daemon.kept())
    outcome = daemon.told(order, order.encode() + b" for analysis\r\n")
    assert TROUBLE.fullmatch(outcome.word)
    assert outcome.edits == []

    entry = daemon.kept()[-1]
    assert len(daemon.kept()) == kept + 1
    assert entry.reason == "failed"
    assert reason in entry.symbols[0].detail
    assert f"(id={entry.id})" in outcome.word

    # The next message finds a worker, and in a moment there are as many as before.
    assert daemon.told("nothing").word == "continue"
    after = daemon.settled()
    assert len(after) == len(before)
    assert (after != before) is costs_worker


def test_same_message_that_comes_again_is_kept_once(daemon: RunningDaemon) -> None:
    kept = len(daemon.kept())
    for _ in range(3):
        assert TROUBLE.fullmatch(daemon.told("raise", b"again and again\r\n").word)
    assert len(daemon.kept()) == kept + 1


def test_progress_is_sent_while_a_message_waits(new_daemon: NewDaemon, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    daemon = new_daemon(filter_timeout=100, timeout=110)
    with MilterClient(daemon.socket) as client:
        client.hello()
        client.envelope()
        client.content([(b"X-Do", b" " + gate.order.encode())])
        client.ask()
        assert client.silent_for(0.2)  # progress_interval is 0.3
        for _ in range(3):
            client.wait_for_progress()
        gate.open()
        assert client.answer().word == "continue"


def test_worker_is_replaced_after_its_share(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(count=1, recycle=3)
    pids = [worker_in(daemon.told("mood")) for _ in range(7)]
    assert [len(set(pids[start : start + 3])) for start in (0, 3)] == [1, 1]
    assert len(set(pids)) == 3


def test_workers_go_when_the_daemon_is_killed(new_daemon: NewDaemon) -> None:
    daemon = new_daemon()
    below = daemon.children()
    assert len(below) == 3  # fork server, two workers
    os.kill(daemon.process.pid, 9)
    daemon.process.wait()

    def all_gone() -> bool:
        return not any(_alive(pid) for pid in below)

    wait_for("end of fork server and workers", all_gone)


def test_fork_server_is_started_again_when_it_dies(new_daemon: NewDaemon) -> None:
    daemon = new_daemon()
    server = min(daemon.children())
    os.kill(server, 9)
    daemon.wait_for_line("the fork server ended")
    wait_for("new workers", lambda: len(daemon.children() - {server}) == 3)
    assert wait_for("an answer", lambda: daemon.told("x").word == "continue")


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_workers_reach_no_network_where_no_filter_needs_it(new_daemon: NewDaemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        daemon = new_daemon()
        assert daemon.asked("status")["network"] == "filter misbehaving"
        assert daemon.told(f"connect={port}").word == "continue"

        daemon.configure(more="needs_network = false")
        assert daemon.asked("reload")["reloaded"]
        assert daemon.asked("status")["network"] == ""
        assert TROUBLE.fullmatch(daemon.told(f"connect={port}").word)
        daemon.wait_for_line("Address family not supported")
        assert daemon.told("nothing").word == "continue"
