"""Addresses to listen on: as they are written, an old socket file, and the nudge of a listener."""

from __future__ import annotations

import contextlib
import re
import socket
from pathlib import Path

import pytest

from filterd.system.address import AddressError, ListenAddress


def listener(kind: str, folder: Path) -> tuple[socket.socket, ListenAddress]:
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
    return server, ListenAddress.parse(text)


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

    # What other tests left open may be closed meanwhile.
    before = len(list(Path("/proc/self/fd").iterdir()))
    address.nudge()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unix:/run/f.sock", "unix:/run/f.sock"),
        ("local:/run/f.sock", "unix:/run/f.sock"),
        ("/run/f.sock", "unix:/run/f.sock"),
        ("inet:8894@127.0.0.1", "inet:8894@127.0.0.1"),
        ("inet:8894", "inet:8894@127.0.0.1"),
        ("inet6:8894", "inet6:8894@::1"),
    ],
)
def test_addresses(text: str, expected: str) -> None:
    assert ListenAddress.parse(text).text == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "expected"),
        ("unix:relative", "expected"),
        ("unix:/" + "x" * 107, "longer than 107 bytes"),
        ("inet:host", "expected"),
        ("inet:0@host", "expected"),
        ("inet:127.0.0.1:8894", "here it is inet:8894@127.0.0.1"),
        ("tcp:1@host", "expected"),
    ],
)
def test_addresses_that_are_none(text: str, hint: str) -> None:
    with pytest.raises(AddressError, match=re.escape(hint)):
        ListenAddress.parse(text)


def test_only_a_dead_socket_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    address = ListenAddress.parse(f"unix:{path}")
    address.clear()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(AddressError, match="answers there already"):
            address.clear()
        assert path.exists()
    address.clear()
    assert not path.exists()
    path.write_text("precious")
    with pytest.raises(AddressError, match="not a socket"):
        address.clear()
    assert path.read_text() == "precious"
    with pytest.raises(AddressError, match="no such folder"):
        ListenAddress.parse(f"unix:{tmp_path}/missing/s").clear()


def test_unknown_group(tmp_path: Path) -> None:
    (tmp_path / "s").touch()
    with pytest.raises(AddressError, match="no group 'nobody-has-this'"):
        ListenAddress.parse(f"unix:{tmp_path}/s").protect(0o660, "nobody-has-this")
