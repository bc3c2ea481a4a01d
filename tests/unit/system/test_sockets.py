"""Sockets that systemd hands to a service: sd_listen_fds(3)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.process import free_port

# As a service sees it: descriptor 3 is the socket, and the variables name this process.
SERVICE = """\
import os, socket, sys
from pathlib import Path
from filterd.system.sockets import given_socket
kind, place, expected, pid, number = sys.argv[1:]
family = socket.AF_UNIX if place.startswith("/") else socket.AF_INET
made = socket.socket(family, socket.SOCK_DGRAM if kind == "dgram" else socket.SOCK_STREAM)
made.bind(place if family == socket.AF_UNIX else ("127.0.0.1", int(place)))
if kind == "listens":
    made.listen()
os.dup2(made.fileno(), 3)
os.environ["LISTEN_PID"] = pid or str(os.getpid())
os.environ["LISTEN_FDS"] = number
wanted = Path(expected) if expected.startswith("/") else ("127.0.0.1", int(expected))
try:
    given = given_socket(wanted, "listen, port of [web]")
except OSError as error:
    print(error)
else:
    print(given and given.fileno(), os.get_inheritable(3), "LISTEN_FDS" in os.environ)
"""


def given(kind: str, place: str, expected: str, pid: str = "", number: str = "1") -> str:
    """What a service says of the socket."""
    words = (SERVICE, kind, place, expected, pid, number)
    done = subprocess.run(
        [sys.executable, "-P", "-c", *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def port() -> str:
    return str(free_port())


def test_it_is_taken_where_the_settings_expect_it(tmp_path: Path, port: str) -> None:
    path = str(tmp_path / "s")
    assert given("listens", path, path) == "3 False False"
    assert given("listens", port, port) == "3 False False"


def test_there_is_none(port: str) -> None:
    assert given("listens", port, port, pid="1").startswith("None ")
    assert given("listens", port, port, number="0").startswith("None ")


def test_another_one_is_refused(tmp_path: Path, port: str) -> None:
    path = str(tmp_path / "s")
    same = "expected the same in both"
    assert given("listens", port, "8025") == (
        f"systemd listens on 127.0.0.1:{port}, and listen, port of [web] is 127.0.0.1:8025; {same}"
    )
    assert given("listens", path, "/run/x") == (
        f"systemd listens on {path}, and listen, port of [web] is /run/x; {same}"
    )
    assert given("listens", port, port, number="2") == (
        "systemd gave 2 sockets, expected one ListenStream= in the unit"
    )
    for kind in ("dgram", "bound"):
        assert given(kind, str(tmp_path / kind), path).startswith(
            "systemd's socket does not listen"
        )
