"""Connections to the MTA: what counts as one, and clients that do not go."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from filterd.mta.server import MtaThread, running_mta
from filterd.mta.settings import MtaSettings
from tests.helpers.process import wait_for

pytestmark = pytest.mark.server


@contextmanager
def mta(folder: Path, **settings: float) -> Iterator[MtaThread]:
    """An MTA for one client at a time."""
    table = {"port": 0, "max_connections": 1, **settings}
    with running_mta(
        MtaSettings(mail=folder / "mail", spool=folder / "spool", **table)  # type: ignore[arg-type]
    ) as made:
        yield made


def connected(server: MtaThread) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 30)


def greeting(client: socket.socket) -> bytes:
    return client.makefile("rb").readline()


def test_a_client_that_keeps_its_end_open_takes_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # They would stay for the whole test.
    monkeypatch.setattr("filterd.mta.server.LINGER", 60.0)
    with mta(tmp_path) as server, ExitStack() as stack:
        first = stack.enter_context(connected(server))
        assert greeting(first).startswith(b"220 ")
        refused = stack.enter_context(connected(server))
        assert refused.makefile("rb").read().startswith(b"421 4.3.2 Too many connections")
        first.sendall(b"QUIT\r\n")
        assert first.makefile("rb").read().startswith(b"221 ")
        # Neither has closed its end.
        assert greeting(stack.enter_context(connected(server))).startswith(b"220 ")


def test_no_more_than_so_many_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filterd.mta.server.LINGER", 60.0)
    monkeypatch.setattr("filterd.mta.server.LINGERING", 0)
    with mta(tmp_path) as server, connected(server) as client:
        client.sendall(b"QUIT\r\n")
        assert client.makefile("rb").read().endswith(b"closing connection\r\n")

        def is_closed() -> bool:
            # What is sent to a closed end comes back as a reset.
            try:
                client.sendall(b"x")
            except OSError:
                return True
            return False

        wait_for("the end of the connection", is_closed)


def test_a_client_that_does_not_read_is_let_go(tmp_path: Path) -> None:
    with mta(tmp_path, idle_timeout=1.0) as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(0.5)
        client.connect(("127.0.0.1", server.port))
        with suppress(OSError):
            while True:
                client.sendall(b"HELP\r\n" * 1000)

        def is_free() -> bool:
            with connected(server) as other:
                return greeting(other).startswith(b"220 ")

        wait_for("a free place", is_free)
