"""The daemon's nudge to its own listener arrives, whatever the address, and never fails."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from filterd.ops.address import Address


def listener(kind: str, folder: Path) -> tuple[socket.socket, Address]:
    """A listening socket and its address as the settings write it."""
    if kind == "unix":
        path = folder / "filter.sock"
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        text = f"unix:{path}"
    else:
        family, host = {
            "inet": (socket.AF_INET, "127.0.0.1"),
            "inet6": (socket.AF_INET6, "::1"),
        }[kind]
        server = socket.socket(family)
        try:
            server.bind((host, 0))
        except OSError as error:
            server.close()
            pytest.skip(f"no {kind} here: {error}")
        text = f"{kind}:{server.getsockname()[1]}@{host}"
    server.listen()
    server.settimeout(5)
    return server, Address.parse(text)


@pytest.mark.parametrize("kind", ["unix", "inet", "inet6"])
def test_a_nudge_is_a_connection_that_says_nothing(kind: str, tmp_path: Path) -> None:
    server, address = listener(kind, tmp_path)
    with server:
        address.nudge()

        peer, _ = server.accept()
        with peer:
            assert peer.recv(1) == b""


@pytest.mark.parametrize("kind", ["unix", "inet", "inet6"])
def test_nobody_there_is_no_error(kind: str, tmp_path: Path) -> None:
    server, address = listener(kind, tmp_path)
    server.close()
    with pytest.raises(OSError, match="refused"):
        address.reach(5.0)  # there is nobody, indeed

    before = len(list(Path("/proc/self/fd").iterdir()))
    address.nudge()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_listener_with_a_full_queue_is_not_waited_for(tmp_path: Path) -> None:
    """Who is busy needs no nudge. Were it waited for, this would hang."""
    server, address = listener("unix", tmp_path)
    with server, contextlib.ExitStack() as stack:
        server.listen(0)
        try:
            while True:
                peer = stack.enter_context(socket.socket(socket.AF_UNIX))
                peer.setblocking(False)
                peer.connect(str(address.path))
        except BlockingIOError:
            pass
        address.nudge()
        with pytest.raises(OSError):
            address.reach(0.0)
