"""Posting one event to a webhook: HTTPS with a proven certificate, no redirects, bounded in time.

Whatever the receiver sends back, only its status counts, and nothing of it is kept but that.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from filterd import __version__
from filterd.config.notices import WebhookSettings
from filterd.notices.signing import read_secrets, signatures

_LATER = frozenset({408, 425, 429})
"""Statuses of the client's kind that say: try again."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of it.

    outcome: `sent`, `later` (try again), `refused` (never). reply: the status, or the trouble.
    reached: False where there was no answer, so that others would get none either.
    """

    outcome: Literal["sent", "later", "refused"]
    reply: str
    reached: bool = True


def post(hook: WebhookSettings, id: str, body: bytes, now: float) -> Posted:
    """Post a JSON text. id: the same for each try. Raises SecretError."""
    timestamp = int(now)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"filterd/{__version__}",
        "Connection": "close",
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures(read_secrets(hook.secret), id, timestamp, body),
    }
    try:
        status = _status(hook, body, headers)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Posted("later", _words(error), reached=False)
    shown = f"status {status}"
    if 200 <= status < 300:
        return Posted("sent", shown)
    if 300 <= status < 400:
        return Posted("refused", f"{shown}; redirects are not followed")
    if 400 <= status < 500 and status not in _LATER:
        return Posted("refused", shown)
    return Posted("later", shown)


def _status(hook: WebhookSettings, body: bytes, headers: Mapping[str, str]) -> int:
    """The status of the answer. Raises OSError, HTTPException."""
    parts = urlsplit(hook.url)
    host, is_secure = parts.hostname or "", parts.scheme == "https"
    deadline = time.monotonic() + hook.timeout
    peer = _connected(host, parts.port or (443 if is_secure else 80), deadline)
    # Ends the connection under whoever waits for it: a receiver that sends an octet now and then
    # would never be silent for long.
    line = peer.dup()
    watch = threading.Timer(max(deadline - time.monotonic(), 0.0), _hang_up, (line,))
    watch.daemon = True
    watch.start()
    connection = http.client.HTTPConnection(host, parts.port)
    try:
        if is_secure:
            proof = ssl.create_default_context(cafile=None if hook.ca is None else str(hook.ca))
            peer = proof.wrap_socket(peer, server_hostname=host)
        connection.sock = peer
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        # Without the port in `Host` where it is the scheme's own (RFC 9110 §7.2).
        named = {**headers, "Host": parts.netloc}
        connection.request("POST", path, body, named)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        if time.monotonic() < deadline:
            raise
        status = 0
    finally:
        watch.cancel()
        connection.close()
        peer.close()
        line.close()
    # What was cut off then may look like an answer.
    if time.monotonic() >= deadline:
        raise TimeoutError(f"no answer within {hook.timeout:g} s")
    return status


def _connected(host: str, port: int, deadline: float) -> socket.socket:
    """A connection to the first of the host's addresses that takes one. Raises OSError."""
    trouble: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no connection to {host} in time")
        peer = socket.socket(family, kind, protocol)
        try:
            peer.settimeout(left)
            peer.connect(place)
        except OSError as error:
            peer.close()
            trouble = error
        else:
            return peer
    raise trouble


def _hang_up(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


def unusable(ca: Path) -> str:
    """What is wrong with a file of certificates; empty if nothing is."""
    try:
        ssl.create_default_context(cafile=str(ca))
    except OSError as error:
        words = "has no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        return f"{ca}: {words}"
    return ""


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not proven: {error.verify_message}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
