"""Sockets that systemd made and listens on until the service is there: sd_listen_fds(3)."""

from __future__ import annotations

import os
import socket
from pathlib import Path

FIRST = 3
"""The descriptor of the first of them."""


def given_socket(expected: Path | tuple[str, int], setting: str) -> socket.socket | None:
    """The socket that systemd gave this process to listen on; None if it gave none.

    expected: the path or the IP address and port that the settings have, where it must listen;
    setting: their names, for the error. It is not handed on to children. Raises OSError if systemd
    gave several, or another one.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    number = os.environ.get("LISTEN_FDS", "")
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    if number in ("", "0"):
        return None
    if number != "1":
        raise OSError(f"systemd gave {number} sockets, expected one ListenStream= in the unit")
    os.set_inheritable(FIRST, False)
    given = socket.socket(fileno=FIRST)
    if not given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise OSError("systemd's socket does not listen, expected ListenStream= and Accept=no")
    is_unix = given.family == socket.AF_UNIX
    name = given.getsockname()
    found = Path(name) if is_unix else tuple(name[:2])
    if found != expected:
        raise OSError(
            f"systemd listens on {_shown(found)}, and {setting} is {_shown(expected)}; expected "
            "the same in both"
        )
    return given


def _shown(place: Path | tuple[str, int]) -> str:
    if isinstance(place, Path):
        return str(place)
    host, port = place
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
