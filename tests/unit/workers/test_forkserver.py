"""The fork server beside a daemon that goes away at any moment: it ends, without a word."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.system.child import python_command

pytestmark = pytest.mark.slow

PACKET = 1 << 16


class Started:
    """A fork server, and this test in the daemon's place."""

    def __init__(self, settings: Path) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(60)
        with theirs:
            self.process = subprocess.Popen(
                [
                    *python_command("filterd.workers.forkserver", f"--control={theirs.fileno()}"),
                    f"--config={settings}",
                ],
                pass_fds=[theirs.fileno()],
                stderr=subprocess.PIPE,
                text=True,
            )

    def await_ready(self) -> None:
        assert "ready" in self.hear()

    def say(self, order: dict[str, int]) -> None:
        self.control.send(json.dumps(order).encode())

    def hear(self) -> dict[str, object]:
        answer = json.loads(self.control.recv(PACKET))
        assert isinstance(answer, dict)
        return answer

    def end(self) -> tuple[int, str]:
        """Its exit status and all that it wrote, once the daemon is gone."""
        self.control.close()
        errors = self.process.communicate(timeout=60)[1]
        return self.process.returncode, errors


@pytest.fixture
def fork_server(tmp_path: Path) -> Iterator[Started]:
    settings = tmp_path / "filterd.toml"
    settings.write_text("[chain]\nfilters = ['gtube']\n")
    started = Started(settings)
    yield started
    started.control.close()
    started.process.kill()
    started.process.communicate()


def test_it_ends_when_the_daemon_closes(fork_server: Started) -> None:
    fork_server.await_ready()
    assert fork_server.end() == (0, "")


def test_it_ends_when_the_daemon_was_killed_before_it_had_read_everything(
    fork_server: Started,
) -> None:
    """A close with packets unread is a reset for the other end (unix(7)), not an end of file."""
    fork_server.await_ready()
    fork_server.say({"fork": 1})
    pid = fork_server.hear()["worker"]
    assert isinstance(pid, int)
    fork_server.say({"kill": pid})
    assert fork_server.control.recv(PACKET, socket.MSG_PEEK)
    assert fork_server.end() == (0, "")


def test_it_ends_when_the_daemon_is_gone_while_it_forks(fork_server: Started) -> None:
    fork_server.await_ready()
    fork_server.process.send_signal(signal.SIGSTOP)
    for _ in range(3):
        fork_server.say({"fork": 1})
    fork_server.control.close()
    fork_server.process.send_signal(signal.SIGCONT)
    assert fork_server.end() == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_whole_group_does_not_end_it(
    fork_server: Started, number: signal.Signals
) -> None:
    fork_server.await_ready()
    fork_server.process.send_signal(number)
    fork_server.say({"fork": 1})
    assert "worker" in fork_server.hear()
    assert fork_server.end() == (0, "")
