"""Start, reload, end; many clients, bad clients, too many clients."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from filterd.milter.constants import Command
from filterd.milter.packets import Packet
from tests.helpers.milter import Gone, MilterClient, Outcome, one_message
from tests.integration.servers.process import wait_for
from tests.unit.daemon.conftest import NewDaemon
from tests.unit.daemon.running import RunningDaemon


def in_background(count: int, daemon: RunningDaemon, order: str) -> list[threading.Thread]:
    """That many clients at once; what came of each is in the threads' `outcome`."""

    class Client(threading.Thread):
        outcome: Outcome | None = None

        def run(self) -> None:
            self.outcome = daemon.told(order)

    threads: list[threading.Thread] = [Client() for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def words(threads: list[threading.Thread]) -> list[str]:
    for thread in threads:
        thread.join(20)
    return sorted(getattr(thread, "outcome").word[:9] for thread in threads)  # noqa: B009


def test_full_queue_is_told_at_once(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(count=1, queue=1, filter_timeout=5, timeout=15)
    busy = in_background(2, daemon, "sleep=2")
    time.sleep(1)  # one is at work now, one waits
    outcome = daemon.told("x")
    assert outcome.word.startswith("451 4.3.0 Too busy to check the message")
    assert outcome.seconds < 0.5
    assert words(busy) == ["continue"] * 2


def test_slow_message_holds_up_no_other(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(count=2)
    slow = in_background(1, daemon, "sleep=1.2")
    time.sleep(0.2)
    # Were they to wait for it, the first would take a second.
    assert min(daemon.told("x").seconds for _ in range(5)) < 0.3
    assert words(slow) == ["continue"]


def test_term_finishes_what_is_in_flight(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(count=2)
    busy = in_background(2, daemon, "sleep=0.7")
    time.sleep(0.2)
    daemon.process.signal(signal.SIGTERM)
    assert words(busy) == ["continue"] * 2
    started = time.monotonic()
    assert daemon.process.wait(5) == 0
    assert time.monotonic() - started < 2  # libmilter itself would look only every 5 s
    assert not daemon.socket.exists()
    wait_for("no process left", lambda: not daemon.children())


def test_term_waits_no_longer_than_its_grace(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(shutdown=0.3, filter_timeout=5, timeout=10)
    with MilterClient(daemon.socket) as client:
        client.hello()
        client.envelope()
        client.content([(b"X-Do", b" sleep=4")])
        client.write(Packet(Command.BODYEOB.value).encode())
        time.sleep(0.2)
        started = time.monotonic()
        daemon.process.signal(signal.SIGTERM)
        assert daemon.process.wait(5) == 0
        assert time.monotonic() - started < 1.5
        with pytest.raises((Gone, ConnectionError)):
            while True:
                client.packet()  # PROGRESS, then the end: the MTA does what F= says


def test_hup_reloads_without_dropping_a_session(new_daemon: NewDaemon) -> None:
    daemon = new_daemon()
    with MilterClient(daemon.socket) as client:
        client.hello()
        client.envelope()
        daemon.configure(mood="good")
        daemon.process.signal(signal.SIGHUP)
        daemon.wait_for_line("reloaded, chain")
        client.content([(b"X-Do", b" mood")])
        assert "100%% good" in client.end().word
        assert "100%% good" in client.message(fields=[(b"X-Do", b" mood")]).word
    wait_for("the former nursery's end", lambda: len(daemon.children()) == 3)


def test_hup_answers_what_the_former_workers_have(new_daemon: NewDaemon) -> None:
    daemon = new_daemon()
    busy = in_background(2, daemon, "sleep=0.7")
    time.sleep(0.2)
    daemon.process.signal(signal.SIGHUP)
    assert words(busy) == ["continue"] * 2
    assert daemon.told("x").word == "continue"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [({"timeout": '"soon"'}, "filterd.toml:"), ({"mood": "refuse"}, "in no mood to start")],
)
def test_bad_reload_keeps_the_old_settings(
    new_daemon: NewDaemon, settings: dict[str, object], complaint: str
) -> None:
    daemon = new_daemon()
    below = daemon.children()
    daemon.configure(**settings)
    daemon.process.signal(signal.SIGHUP)
    assert complaint in daemon.wait_for_line("not reloaded")
    assert "100%% bad" in daemon.told("mood").word
    assert daemon.children() == below


def test_reload_changes_the_workers(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(count=1)
    daemon.configure(count=3)
    daemon.process.signal(signal.SIGHUP)
    wait_for("three workers, one nursery", lambda: len(daemon.children()) == 4)
    assert daemon.told("x").word == "continue"


def failed_start(daemon: RunningDaemon) -> tuple[int, str]:
    """Exit status and what was said of a daemon that cannot start."""
    done = subprocess.run(
        daemon.process.arguments,
        env=daemon.process.environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("settings", "status", "complaint"),
    [
        ({"timeout": "-1"}, 78, "chain.timeout"),
        ({"mood": "refuse"}, 69, "a filter cannot start: in no mood to start"),
        ({"count": '"many"'}, 78, "workers.count"),
    ],
)
def test_start_that_fails_says_why_in_one_line(
    tmp_path: Path, settings: dict[str, object], status: int, complaint: str
) -> None:
    code, text = failed_start(RunningDaemon(tmp_path, **settings))
    assert code == status
    assert complaint in text
    assert text.startswith("filterd: ")
    assert text.count("\n") == 1


def test_second_daemon_does_not_take_the_socket(daemon: RunningDaemon) -> None:
    code, text = failed_start(daemon)
    assert code == 69
    assert "a daemon answers there already" in text
    assert daemon.told("x").word == "continue"


def test_stale_socket_is_removed_and_the_mode_is_set(new_daemon: NewDaemon) -> None:
    daemon = new_daemon()
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o600
    daemon.process.kill()
    assert daemon.socket.exists()
    daemon.start()
    assert daemon.told("x").word == "continue"


def test_systemd_is_told(new_daemon: NewDaemon, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        daemon = RunningDaemon(tmp_path)
        daemon.process.environment["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        try:
            daemon.start()
            assert systemd.recv(4096).startswith(b"READY=1\nSTATUS=listening on unix:")
            daemon.process.signal(signal.SIGHUP)
            assert systemd.recv(4096).startswith(b"RELOADING=1")
            assert systemd.recv(4096).startswith(b"READY=1")
            daemon.process.signal(signal.SIGTERM)
            assert systemd.recv(4096) == b"STOPPING=1"
        finally:
            daemon.process.stop()


def test_clients_that_vanish_or_send_garbage_harm_nobody(daemon: RunningDaemon) -> None:
    """A small share of what bench/misbehaviour.py does with a thousand."""
    garbage = [
        b"", b"\0\0\0\0", b"\xff" * 64, b"GET / HTTP/1.0\r\n\r\n", b"\0\0\0\x0dO\0\0\0\6",
        Packet(b"O", b"\0\0\0\6").encode(), Packet(b"E").encode() * 3, Packet(b"Z", b"x").encode(),
    ]  # fmt: skip
    for octets in garbage * 3:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(daemon.socket))
            peer.sendall(octets)
    stalling = []
    for stage in range(4):
        client = MilterClient(daemon.socket)
        stalling.append(client)
        if stage > 0:
            client.hello()
        if stage > 1:
            client.envelope()
        if stage > 2:
            client.content(body=b"x" * 2_000_000)
    for _ in range(3):
        assert one_message(daemon.socket).seconds < 1
    for client in stalling:
        client.vanish()
    assert one_message(daemon.socket).word == "continue"
    assert list(Path(daemon.folder, "spool").iterdir()) == []


def test_client_that_vanishes_while_its_message_is_examined(daemon: RunningDaemon) -> None:
    before = len(daemon.children())
    for _ in range(3):
        with MilterClient(daemon.socket) as client:
            client.hello()
            client.envelope()
            client.content([(b"X-Do", b" sleep=0.5")])
            client.write(Packet(Command.BODYEOB.value).encode())
    assert daemon.told("x").word == "continue"
    wait_for("all workers", lambda: len(daemon.children()) == before)


def test_the_daemon_stays_light() -> None:
    """numpy and the learning library belong into the workers."""
    program = "import sys, filterd.daemon.server; print([m for m in sys.modules if m in %r])"
    heavy = ["numpy", "sklearn", "scipy", "sqlalchemy"]
    done = subprocess.run(
        [sys.executable, "-c", program % heavy], capture_output=True, text=True, check=True,
        env=os.environ,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_it_refuses_a_store_that_others_may_write(tmp_path: Path) -> None:
    daemon = RunningDaemon(tmp_path)
    store = tmp_path / "quarantine"
    store.mkdir()
    store.chmod(0o777)
    done = subprocess.run(
        daemon.process.arguments, capture_output=True, text=True, check=False, timeout=60,
        env=daemon.process.environment,
    )  # fmt: skip
    assert done.returncode == 78
    words = f"quarantine.folder: {store} can be written by everybody; chmod o-w {store}"
    assert done.stderr == f"filterd: {words}\n"
    store.chmod(0o700)
    daemon.start()
    store.chmod(0o777)
    daemon.process.signal(signal.SIGHUP)
    daemon.wait_for_line("not reloaded, the old settings stay: quarantine.folder")
    assert daemon.told("pass").word == "continue"
    daemon.process.stop()
