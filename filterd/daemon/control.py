"""The daemon's own socket: its state, and reload with an answer. See `filterd.ops.control`."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filterd.system.address import ListenAddress
from filterd.system.bounded import json_value

log = logging.getLogger(__name__)

QUESTION_LIMIT = 1 << 17
"""Octets of a question; most have some twenty, one that names a thousand messages 20,000."""

PATIENCE = 5.0
"""Seconds that somebody who has connected may take to ask, or to read."""

ASKERS = 8
"""Who may be talked to at a time; a few people ask, and a monitor."""

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Control:
    """Answers requests. answers: what to do for each, with the request; an exception becomes an
    error in the answer."""

    def __init__(self, path: Path, answers: Mapping[str, Answer]) -> None:
        self.path = path
        self._answers = answers
        self._listener: socket.socket | None = None
        self._free = threading.BoundedSemaphore(ASKERS)

    def start(self) -> None:
        """Listen and answer from now on. Raises OSError, AddressError."""
        ListenAddress.parse(f"unix:{self.path}").clear()
        listener = socket.socket(socket.AF_UNIX)
        try:
            # Nobody else can connect before it listens, and by then it is the daemon's alone.
            listener.bind(str(self.path))
            self.path.chmod(0o600)
            listener.listen(ASKERS)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        threading.Thread(target=self._run, args=(listener,), name="control", daemon=True).start()

    def close(self) -> None:
        """Accept no more requests."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self.path.unlink(missing_ok=True)

    def _run(self, listener: socket.socket) -> None:
        while True:
            self._free.acquire()
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peer.settimeout(PATIENCE)
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer: socket.socket) -> None:
        try:
            with peer, contextlib.suppress(OSError):
                peer.sendall(json.dumps(self._answer(_question(peer))).encode("ascii") + b"\n")
        finally:
            self._free.release()

    def _answer(self, line: bytes) -> Mapping[str, Any]:
        try:
            value = json_value(line)
        except ValueError:
            return {"error": "the request is not a line of JSON"}
        request = value if isinstance(value, dict) else {}
        asked = request.get("ask")
        answer = self._answers.get(asked) if isinstance(asked, str) else None
        if answer is None:
            return {"error": f"expected one of {', '.join(self._answers)}"}
        try:
            return answer(request)
        except Exception:
            log.exception("control: %s", asked)
            return {"error": "internal error, see the daemon's log"}


def _question(peer: socket.socket) -> bytes:
    said = bytearray()
    while b"\n" not in said and len(said) < QUESTION_LIMIT:
        block = peer.recv(QUESTION_LIMIT)
        if not block:
            break
        said += block
    return bytes(said.partition(b"\n")[0][:QUESTION_LIMIT])
