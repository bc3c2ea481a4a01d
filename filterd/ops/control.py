"""Asking a running daemon: a unix socket beside the milter's, one JSON line each way.

Only the daemon's user and root can connect (mode 0600), and nothing that is asked changes mail;
`learn` changes the site's model.
This is the asking side; `daemon.control` answers.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from filterd.config.load import Settings
from filterd.system.bounded import json_value

ANSWER_LIMIT = 1 << 20
"""Octets of an answer: some hundred for each filter."""

STATUS_SECONDS = 2.0
"""For an answer that is only read off."""

RELOAD_SECONDS = 120.0
"""For a reload: all filters are prepared again, with models and compiled parts."""

LEARN_SECONDS = 310.0
"""For learning kept messages, up to a thousand at a time."""


class ControlError(Exception):
    """The daemon was not reached, or did not answer properly; the text says why."""


class RequestRefusedError(ControlError):
    """The daemon refused; the text is its own."""


def control_path(settings: Settings) -> Path:
    """The control socket of the daemon with these settings.

    It is beside a unix milter socket, with the suffix `.control`; where the daemon listens on TCP,
    in the spool folder, which belongs to it alone.
    """
    path = settings.daemon.address.path
    if path is None:
        return settings.daemon.spool / "filterd.control"
    return path.with_suffix(".control")


def ask(
    settings: Settings, question: str, seconds: float = STATUS_SECONDS, **more: Any
) -> dict[str, Any]:
    """The daemon's answer to `status`, `reload`, `failed` or `learn`. more: what else the request
    says, as JSON values. Raises ControlError."""
    path = control_path(settings)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(seconds)
        try:
            peer.connect(str(path))
            peer.sendall(json.dumps({"ask": question, **more}).encode("ascii") + b"\n")
            said = bytearray()
            while not said.endswith(b"\n"):
                block = peer.recv(1 << 16)
                if not block or len(said) > ANSWER_LIMIT:
                    break
                said += block
        except TimeoutError:
            raise ControlError(f"{path}: no answer within {seconds:g} s") from None
        except OSError as error:
            raise ControlError(f"{path}: {error.strerror or error}") from None
    try:
        answer = json_value(bytes(said))
    except ValueError:
        raise ControlError(f"{path}: the answer is not JSON") from None
    if not isinstance(answer, dict):
        raise ControlError(f"{path}: the answer is not a JSON object")
    if "error" in answer:
        raise RequestRefusedError(str(answer["error"]))
    return answer
