"""Start, reload, end; many clients, bad clients, too many clients."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from filterd.milter.packets import Packet
from filterd.workers.pool import LARGE_OF_A_CORE
from tests.helpers.daemon import NewDaemon, RunningDaemon
from tests.helpers.gate import Gate
from tests.helpers.milter import Gone, MilterClient, one_message
from tests.helpers.process import listens, wait_for

pytestmark = pytest.mark.slow

# For messages that wait as long as a test takes.
PATIENT = {"filter_timeout": 100, "timeout": 110}


LARGE = b"sixty-four octets with the end of their line, many times over.\r\n" * 20_000
"""A body of more than a megabyte."""


def waiting(daemon: RunningDaemon, gate: Gate, body: bytes = b"hello\r\n") -> MilterClient:
    """A client whose message is asked about and waits for its turn or in the filter."""
    client = MilterClient(daemon.socket)
    client.hello()
    client.envelope()
    client.content([(b"X-Do", b" " + gate.order.encode())], body)
    client.ask()
    client.wait_for_progress()
    return client


def words(clients: list[MilterClient]) -> list[str]:
    return [client.answer().word for client in clients]


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def test_full_queue_is_told_at_once(new_daemon: NewDaemon, gate: Gate) -> None:
    daemon = new_daemon(count=1, queue=1, **PATIENT)
    busy = [waiting(daemon, gate) for _ in range(2)]
    gate.wait_until_inside()
    # Told while the one at work and the one that waits have no answer yet.
    assert daemon.told("x").word.startswith("451 4.3.0 Too busy to check the message")
    assert gate.inside == 1
    gate.open()
    assert words(busy) == ["continue"] * 2


def test_slow_message_holds_up_no_other(new_daemon: NewDaemon, gate: Gate) -> None:
    daemon = new_daemon(count=2, **PATIENT)
    slow = waiting(daemon, gate)
    gate.wait_until_inside()
    assert [daemon.told("x").word for _ in range(5)] == ["continue"] * 5
    gate.open()
    assert words([slow]) == ["continue"]


def test_large_messages_do_not_take_the_cores_from_one_another(
    new_daemon: NewDaemon, gate: Gate
) -> None:
    """Of those that come at a time some wait for a place, though workers are free; who is small
    does not. A place is free again whatever became of the worker that had it."""
    limit = LARGE_OF_A_CORE * len(os.sched_getaffinity(0))
    daemon = new_daemon(count=limit + 2, **PATIENT)
    daemon.told("segfault", body=LARGE + b"fatal\r\n")
    daemon.wait_for_line("crash in")
    busy = [waiting(daemon, gate, LARGE) for _ in range(limit + 2)]
    gate.wait_until_inside(limit)
    assert [daemon.told("x").word for _ in range(5)] == ["continue"] * 5
    assert gate.inside == limit
    gate.open()
    assert words(busy) == ["continue"] * (limit + 2)
    assert gate.inside == limit + 2


def test_term_finishes_what_is_in_flight(new_daemon: NewDaemon, gate: Gate) -> None:
    daemon = new_daemon(count=2, shutdown=100, **PATIENT)
    busy = [waiting(daemon, gate) for _ in range(2)]
    gate.wait_until_inside(2)
    daemon.process.signal(signal.SIGTERM)
    wait_for("no new sessions", lambda: not listens(daemon.socket))
    gate.open()
    assert words(busy) == ["continue"] * 2
    assert daemon.process.wait(30) == 0
    assert not daemon.socket.exists()
    wait_for("no process left", lambda: not daemon.children())


def test_term_waits_no_longer_than_its_grace(new_daemon: NewDaemon, gate: Gate) -> None:
    daemon = new_daemon(shutdown=0.3, **PATIENT)
    client = waiting(daemon, gate)
    gate.wait_until_inside()
    daemon.process.signal(signal.SIGTERM)
    # The gate stays closed: it ends before the filter has done its work.
    assert daemon.process.wait(30) == 0
    with pytest.raises((Gone, ConnectionError)):
        while True:
            client.packet()  # PROGRESS, then the end: the MTA does what F= says
    client.vanish()


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
    wait_for("the former fork server's end", lambda: len(daemon.children()) == 3)


def fork_server_of(daemon: RunningDaemon) -> Path:
    """Its folder below /proc."""
    path = f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children"
    (pid,) = Path(path).read_text("ascii").split()
    return Path("/proc", pid)


def rights(process: Path) -> dict[str, object]:
    """What a process may do, and what it has open, by its folder below /proc (proc(5))."""
    lines = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
    given = ("Umask", "SigBlk", "SigIgn", "NoNewPrivs", "Seccomp", "Uid", "Gid", "Groups")
    found: dict[str, object] = {name: lines[name] for name in given}
    found |= {name: value for name, value in lines.items() if name.startswith("Cap")}
    found["caught"] = int(lines["SigCgt"], 16) & 0x7FFF_FFFF  # those above are the C library's
    found["limits"] = (process / "limits").read_text()
    found["files"] = sorted(
        re.sub(r"\[\d+\]", "", str(one.readlink())) for one in (process / "fd").iterdir()
    )
    return found


def test_a_fork_server_that_was_forked_may_do_no_more_than_a_program(
    new_daemon: NewDaemon,
) -> None:
    """The first one is a fork of the daemon, the one of a reload is a program of its own."""
    daemon = new_daemon(count=1)
    first = fork_server_of(daemon)
    own = Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes()
    assert (first / "cmdline").read_bytes() == own
    as_fork = rights(first)
    daemon.process.signal(signal.SIGHUP)
    daemon.wait_for_line("reloaded, chain")
    wait_for("the former fork server's end", lambda: len(daemon.children()) == 2)
    second = fork_server_of(daemon)
    assert b"filterd.workers.forkserver" in (second / "cmdline").read_bytes()
    assert rights(second) == as_fork


def test_hup_answers_what_the_former_workers_have(new_daemon: NewDaemon, gate: Gate) -> None:
    daemon = new_daemon(**PATIENT)
    busy = [waiting(daemon, gate) for _ in range(2)]
    gate.wait_until_inside(2)
    daemon.process.signal(signal.SIGHUP)
    daemon.wait_for_line("reloaded, chain")
    gate.open()
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
    daemon.wait_for_line("reloaded, chain")
    wait_for("three workers, one fork server", lambda: len(daemon.children()) == 4)
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
        b"",
        b"\0\0\0\0",
        b"\xff" * 64,
        b"GET / HTTP/1.0\r\n\r\n",
        b"\0\0\0\x0dO\0\0\0\6",
        Packet(b"O", b"\0\0\0\6").encode(),
        Packet(b"E").encode() * 3,
        Packet(b"Z", b"x").encode(),
    ]
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
        assert one_message(daemon.socket).word == "continue"
    for client in stalling:
        client.vanish()
    assert one_message(daemon.socket).word == "continue"
    assert list(Path(daemon.folder, "spool").iterdir()) == []


def test_client_that_vanishes_while_its_message_is_examined(
    daemon: RunningDaemon, gate: Gate
) -> None:
    before = len(daemon.children())
    for number in (1, 2):
        client = waiting(daemon, gate)
        gate.wait_until_inside(number)
        client.vanish()
    gate.open()
    assert daemon.told("x").word == "continue"
    wait_for("all workers", lambda: len(daemon.children()) == before)


def test_the_daemon_stays_light() -> None:
    """numpy and the learning library belong into the workers, others are for who wants them. The
    second module is what it needs to look at the MTA's times."""
    program = (
        "import sys, filterd.daemon.server, filterd.doctor.mta\n"
        "print([m for m in sys.modules if m in %r])"
    )
    heavy = ["numpy", "sklearn", "scipy", "sqlalchemy"]
    heavy += ["alembic", "asyncio", "cryptography", "dns", "prometheus_client", "rich"]
    done = subprocess.run(
        [sys.executable, "-c", program % heavy],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert done.stdout.strip() == "[]"


def test_it_refuses_a_store_that_others_may_write(tmp_path: Path) -> None:
    daemon = RunningDaemon(tmp_path)
    store = tmp_path / "quarantine"
    store.mkdir()
    store.chmod(0o777)
    done = subprocess.run(
        daemon.process.arguments,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=daemon.process.environment,
    )
    assert done.returncode == 78
    words = f"quarantine.folder: {store} is world-writable; chmod o-w {store}"
    assert done.stderr == f"filterd: {words}\n"
    store.chmod(0o700)
    daemon.start()
    store.chmod(0o777)
    daemon.process.signal(signal.SIGHUP)
    daemon.wait_for_line("not reloaded, the old settings stay: quarantine.folder")
    assert daemon.told("pass").word == "continue"
    daemon.process.stop()


def test_its_log_says_where_the_mta_waits_too_short(tmp_path: Path) -> None:
    daemon = RunningDaemon(tmp_path)
    main = tmp_path / "main.cf"
    main.write_text(f"smtpd_milters = unix:{daemon.socket}\nmilter_content_timeout = 1s\n")
    (tmp_path / "master.cf").write_text("smtp inet n - n - - smtpd\n")
    text = daemon.config.read_text().replace("[daemon]", f'[daemon]\nmain_cf = "{main}"')
    daemon.config.write_text(text)
    daemon.start()
    try:
        assert str(main) in daemon.wait_for_line("milter_content_timeout is 1 s")
        # After a reload it is looked at again.
        main.write_text(main.read_text().replace("_timeout = 1s", "_timeout = 0s"))
        daemon.process.signal(signal.SIGHUP)
        daemon.wait_for_line("milter_content_timeout is 0 s")
    finally:
        daemon.process.stop()
