"""Requests and answers: HTTPS with a proven certificate, no redirects, bounded answers."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

ANSWER_LIMIT = 256 << 20
"""Octets of an answer; a message may have as many."""

THIS_HOST = frozenset({"localhost", "127.0.0.1", "::1"})
"""Where a token may go without TLS."""

Value = str | int | float | bool | datetime | Sequence[str] | None
"""A query parameter; None, an empty text and an empty list are left out."""


class ApiError(Exception):
    """The server refused the request. status: of HTTP. title, detail: in words."""

    def __init__(self, status: int, title: str, detail: str = "") -> None:
        super().__init__(f"{status} {title}{': ' if detail else ''}{detail}")
        self.status = status
        self.title = title
        self.detail = detail


class UnreachableError(Exception):
    """Nothing answered, or something other than filterd."""


class ApiConnection:
    """One server. Not for several threads at a time.

    url: as people reach the pages, `https://mail.example`; `http:` for this host only, since the
    token would be read on its way. timeout: seconds for which the server may say nothing. ca: file
    of certificates that prove the server, None for the system's. Raises ValueError for another
    URL, OSError for the file.
    """

    def __init__(
        self, url: str, token: str = "", *, timeout: float = 60.0, ca: Path | str | None = None
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError(f"{url!r} is not of the form 'https://mail.example'")
        if not (token.isascii() and token.isprintable()):
            raise ValueError("the token has characters that no token has")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http: http.client.HTTPConnection
        if parts.scheme == "https":
            proof = ssl.create_default_context(cafile=None if ca is None else str(ca))
            self._http = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=timeout, context=proof
            )
        elif parts.hostname in THIS_HOST:
            self._http = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
        else:
            raise ValueError(f"{url!r} would send the token in the clear; expected https")

    def close(self) -> None:
        """Close the connection; the next request opens it again."""
        self._http.close()

    def get(self, path: str, **parameters: Value) -> Any:
        """The JSON value of a path. Raises ApiError, UnreachableError."""
        return self._value("GET", path, parameters)

    def octets(self, path: str) -> bytes:
        """The octets of a path. Raises ApiError, UnreachableError."""
        status, _, body = self._exchange("GET", path, None, {})
        return body if status == 200 else self._refused(status, body)

    def post(self, path: str, **members: Any) -> Any:
        """The JSON answer to a JSON object; members that are None are left out. Raises ApiError,
        UnreachableError."""
        given = {name: _plain(one) for name, one in members.items() if one is not None}
        body = json.dumps(given, allow_nan=False).encode("ascii")
        return self._value("POST", path, {}, body, "application/json")

    def send(self, path: str, data: bytes, kind: str, **parameters: Value) -> Any:
        """The JSON answer to octets. Raises ApiError, UnreachableError."""
        return self._value("POST", path, parameters, data, kind)

    def ready(self, path: str) -> Any:
        """The JSON value of a path whose answer counts with 200 and 503 alike. Raises ApiError,
        UnreachableError."""
        return self._value("GET", path, {}, taken=(200, 503))

    def _value(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, Value],
        body: bytes | None = None,
        kind: str = "",
        taken: Sequence[int] = (200,),
    ) -> Any:
        words = _query(parameters)
        headers = {"Content-Type": kind} if kind else {}
        status, type, answer = self._exchange(
            method, f"{path}?{words}" if words else path, body, headers
        )
        if status not in taken or not type.startswith("application/json"):
            self._refused(status, answer)
        try:
            return json.loads(answer)
        except (ValueError, RecursionError):
            raise UnreachableError("the answer is not JSON") from None

    def _exchange(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, str, bytes]:
        """Status, content type and body of the answer."""
        try:
            self._http.request(method, target, body, {**self._headers, **headers})
            answer = self._http.getresponse()
            data = answer.read(ANSWER_LIMIT + 1)
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            words = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise UnreachableError(words) from error
        if len(data) > ANSWER_LIMIT:
            self._http.close()
            raise UnreachableError(f"the answer has more than {ANSWER_LIMIT} bytes")
        return answer.status, answer.headers.get_content_type(), data

    @staticmethod
    def _refused(status: int, body: bytes) -> Any:
        """Raise what the answer says."""
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict) or not isinstance(told.get("title"), str):
            # A proxy, or another server.
            raise UnreachableError(f"status {status}, and not an answer of filterd")
        raise ApiError(status, told["title"], str(told.get("detail", "")))


def part(text: str) -> str:
    """A part of a path, with whatever is in it."""
    return quote(text, safe="", errors="surrogateescape")


def _query(parameters: Mapping[str, Value]) -> str:
    pairs: list[tuple[str, str]] = []
    for name, value in parameters.items():
        match value:
            case None | "":
                continue
            case bool():
                pairs.append((name, "true" if value else "false"))
            case str() | int() | float():
                pairs.append((name, str(value)))
            case datetime():
                pairs.append((name, value.isoformat()))
            case _:
                pairs += [(name, one) for one in value]
    return urlencode(pairs, errors="surrogateescape")


def _plain(value: Any) -> Any:
    """A value as JSON has it: times as text, sequences as lists."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items() if one is not None}
    return [*value] if isinstance(value, tuple | set | frozenset) else value
