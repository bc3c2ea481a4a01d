"""A fork server that is a fork of the daemon: how its end is seen, and when the daemon may fork."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.config.load import load
from filterd.quarantine.entry import ENTRIES
from filterd.workers import forkserver
from filterd.workers.codec import REPORTS
from filterd.workers.forked import Forked, has_one_thread

pytestmark = pytest.mark.slow

Child = tuple[Forked, int]
"""A process that ends with status 7 once the descriptor is closed, and that descriptor."""


@pytest.fixture
def child() -> Iterator[Child]:
    end, begin = os.pipe()
    program = "import os, sys; os.read(0, 1); sys.exit(7)"
    actions = [(os.POSIX_SPAWN_DUP2, end, 0)]
    arguments = [sys.executable, "-c", program]
    pid = os.posix_spawn(sys.executable, arguments, os.environ, file_actions=actions)
    os.close(end)
    found = Forked(pid)
    yield found, begin
    found.kill()
    found.wait()


def test_how_it_ended_is_told_again_and_again(child: Child) -> None:
    process, descriptor = child
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    os.close(descriptor)
    assert process.wait(60) == 7
    assert (process.poll(), process.returncode, process.wait()) == (7, 7, 7)
    process.kill()


def test_a_signal_is_a_status_below_zero(child: Child) -> None:
    process, descriptor = child
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    os.close(descriptor)


def test_where_nobody_may_hear_how_it_ended_it_has_ended_all_the_same(child: Child) -> None:
    process, descriptor = child
    os.close(descriptor)
    # As the system does for who ignores SIGCHLD.
    os.waitpid(process.pid, 0)
    assert process.wait() == 0


def test_what_workers_need_for_their_first_message_is_made_before_they_are_forked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would make it for itself."""
    config = tmp_path / "filterd.toml"
    config.write_text(f"[chain]\nfilters = ['gtube']\n[quarantine]\nfolder = '{tmp_path}/q'\n")
    for codec in (REPORTS, ENTRIES):
        vars(codec).pop("_validator", None)
        vars(codec).pop("_serializer", None)
    monkeypatch.setattr(forkserver, "without_network", lambda _settings: "a test")
    monkeypatch.setattr(forkserver.ForkServer, "run", lambda _self: None)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        assert forkserver.run(theirs, load(config)) == 0
    for codec in (REPORTS, ENTRIES):
        assert {"_validator", "_serializer"} <= set(vars(codec))


def test_threads_of_libraries_count() -> None:
    program = (
        "import threading\n"
        "from filterd.workers.forked import has_one_thread\n"
        "print(has_one_thread())\n"
        "go = threading.Event()\n"
        "threading.Thread(target=go.wait).start()\n"
        "print(has_one_thread())\n"
        "go.set()\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False"]


def test_without_proc_nothing_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterd.workers.forked._TASKS", "/nonexistent")
    assert not has_one_thread()
