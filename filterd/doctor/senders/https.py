"""One file by HTTPS, as RFC 8461 §3.3 asks for it: from an address that is known, with a
certificate that fits, without following redirections; within a time and a size, whatever the server
does."""

from __future__ import annotations

import http.client
import io
import re
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

HEADER_LIMIT = 32 << 10
"""Octets of status line and header, and of the marks between the chunks of a body."""

_PIECE = 16 << 10
"""Octets of one TLS record, RFC 8446 §5.1."""

_UNPRINTABLE = re.compile(r"[^ -~]")


class FetchError(Exception):
    """Why there is no answer, for people: printable ASCII."""


@dataclass(frozen=True, slots=True)
class HttpsAnswer:
    """An answer. kind: its media type in lower case, without parameters. content: at most the limit
    that was asked for."""

    status: int
    kind: str
    content: bytes


def fetch(
    host: str,
    path: str,
    address: str,
    *,
    seconds: float,
    limit: int,
    port: int = 443,
    context: ssl.SSLContext | None = None,
) -> HttpsAnswer:
    """The answer of `https://host/path` at that address. Raises FetchError.

    seconds: for all of it. limit: octets of its content. context: whom to trust, by default the
    certificate authorities of the system.
    """
    end = time.monotonic() + seconds
    trusted = context if context is not None else ssl.create_default_context()
    try:
        with socket.create_connection((address, port), seconds) as plain:
            plain.setblocking(False)
            with trusted.wrap_socket(
                plain, server_hostname=host, do_handshake_on_connect=False
            ) as server:
                _until(end, server, server.do_handshake)
                request = (
                    f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: filterd\r\n"
                    "Accept: text/plain\r\nConnection: close\r\n\r\n"
                ).encode("ascii")
                # A few hundred octets fit into the buffer of a new connection at once.
                _until(end, server, lambda: server.send(request))
                return _page(_received(server, end, limit + HEADER_LIMIT), limit)
    except ssl.SSLCertVerificationError as error:
        raise FetchError(f"its certificate does not fit: {_plain(error.verify_message)}") from None
    except ssl.SSLError as error:
        raise FetchError(f"TLS fails: {_plain(error.reason or str(error))}") from None
    except TimeoutError:
        raise FetchError(f"no answer within {seconds:.0f} s") from None
    except OSError as error:
        raise FetchError(_plain(error.strerror or str(error))) from None


def _until(end: float, server: ssl.SSLSocket, step: Callable[[], T]) -> T:
    """Do a step as soon as the connection is ready for it. Raises TimeoutError, OSError."""
    while True:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        try:
            return step()
        except ssl.SSLWantReadError:
            select.select([server], [], [], left)
        except ssl.SSLWantWriteError:
            select.select([], [server], [], left)


def _received(server: ssl.SSLSocket, end: float, limit: int) -> bytes:
    """What the server sends until it closes the connection. Raises FetchError where that is more
    than the limit."""
    pieces, size = [], 0
    while piece := _until(end, server, lambda: server.recv(_PIECE)):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise FetchError(f"the answer has more than {limit} octets")
    return b"".join(pieces)


class _Whole:
    """A whole answer in memory, as `HTTPResponse` reads a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def _page(data: bytes, limit: int) -> HttpsAnswer:
    response = http.client.HTTPResponse(_Whole(data), method="GET")  # type: ignore[arg-type]
    try:
        response.begin()
        content = response.read()
    except (http.client.HTTPException, ValueError, OverflowError) as error:
        raise FetchError(f"the answer is not HTTP ({type(error).__name__})") from None
    if len(content) > limit:
        raise FetchError(f"the answer has more than {limit} octets")
    kind = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
    return HttpsAnswer(response.status, _plain(kind), content)


def _plain(text: str) -> str:
    return _UNPRINTABLE.sub("?", text[:200])
