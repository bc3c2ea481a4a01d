"""A unix socket of our own: one JSON line each way, asked and answered.

Only its user and root can connect (mode 0600). The daemon has one (`filterd.ops.control`), and the
service that releases for the pages another (`filterd.review.release_service`).
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filterd.system.address import ListenAddress
from filterd.system.bounded import json_value

log = logging.getLogger(__name__)

QUESTION_LIMIT = 1 << 22
"""Octets of a question; most have some twenty, one that names a thousand messages 20,000, and one
with hundreds of recipients that no charset has, six for each of theirs."""

PATIENCE = 5.0
"""Seconds that somebody who has connected may take to ask, or to read."""

ASKERS = 8
"""Who may be talked to at a time; a few people ask, and a monitor."""

ANSWER_LIMIT = 1 << 24
"""Octets of an answer: some hundred for each filter of a status, as many for each copy that is
released."""

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class AskError(Exception):
    """The service was not reached, or did not answer properly; the text says why."""


class NotReachedError(AskError):
    """Nobody answers at the socket: nothing was asked, and nothing done."""


class RequestRefusedError(AskError):
    """The service refused; the text is its own."""


def ask_at(path: Path, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """The answer to a request, whose `ask` says what is wanted. Raises AskError."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(seconds)
        try:
            peer.connect(str(path))
        except OSError as error:
            raise NotReachedError(f"{path}: {error.strerror or error}") from None
        try:
            peer.sendall(json.dumps(request).encode("ascii") + b"\n")
            said = bytearray()
            while not said.endswith(b"\n"):
                block = peer.recv(1 << 16)
                if not block or len(said) > ANSWER_LIMIT:
                    break
                said += block
        except TimeoutError:
            raise AskError(f"{path}: no answer within {seconds:g} s") from None
        except OSError as error:
            raise AskError(f"{path}: {error.strerror or error}") from None
    try:
        answer = json_value(bytes(said))
    except ValueError:
        raise AskError(f"{path}: the answer is not JSON") from None
    if not isinstance(answer, dict):
        raise AskError(f"{path}: the answer is not a JSON object")
    if "error" in answer:
        raise RequestRefusedError(str(answer["error"]))
    return answer


class JsonSocket:
    """Answers requests. answers: what to do for each, with the request; an exception becomes an
    error in the answer. given: a socket that listens already, from systemd."""

    def __init__(
        self, path: Path, answers: Mapping[str, Answer], given: socket.socket | None = None
    ) -> None:
        self.path = path
        self._answers = answers
        self._given = given
        self._listener: socket.socket | None = None
        self._free = threading.BoundedSemaphore(ASKERS)

    def start(self) -> None:
        """Listen and answer from now on. Raises OSError, AddressError."""
        self._listener = self._given or self._bound()
        threading.Thread(
            target=self._run, args=(self._listener,), name=self.path.name, daemon=True
        ).start()

    def _bound(self) -> socket.socket:
        ListenAddress.parse(f"unix:{self.path}").clear()
        listener = socket.socket(socket.AF_UNIX)
        try:
            # Nobody else can connect before it listens, and by then it is its user's alone.
            listener.bind(str(self.path))
            self.path.chmod(0o600)
            listener.listen(ASKERS)
        except OSError:
            listener.close()
            raise
        return listener

    def finish(self, seconds: float) -> bool:
        """Wait until all that was asked is answered, at most so long; False if something is not.
        Who connects from now on is accepted one at a time, and may not be answered."""
        end = time.monotonic() + seconds
        # The last of them waits for the next connection.
        return all(
            self._free.acquire(timeout=max(end - time.monotonic(), 0)) for _ in range(ASKERS - 1)
        )

    def close(self) -> None:
        """Accept no more requests; a socket that was given goes on listening for its owner."""
        if self._listener is not None and self._given is None:
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
            log.exception("%s: %s", self.path.name, asked)
            return {"error": "internal error, see the log of the service"}


def _question(peer: socket.socket) -> bytes:
    said = bytearray()
    while b"\n" not in said and len(said) < QUESTION_LIMIT:
        block = peer.recv(QUESTION_LIMIT)
        if not block:
            break
        said += block
    return bytes(said.partition(b"\n")[0][:QUESTION_LIMIT])
