"""What holds for every answer: headers that keep a browser from doing harm, and limits on what
comes in."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from filterd.web.api.problems import problem

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Content-Security-Policy of our own pages: our own files, no inline script, no inline style."""

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""Headers of every answer that does not set them itself."""

FORM_LIMIT = 1 << 20
"""Octets of a form without a file; the largest has some hundred ids and a reason."""

UPLOAD_MARGIN = 1 << 16
"""Octets that a form with a file may have besides the file."""

UPLOADS = ("/scan", "/api/scan", "/dmarc", "/api/dmarc")
"""Where a whole message, or a report, may be sent to."""


class SecurityHeaders:
    """Puts `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


class BodyLimit:
    """Answers 413 to a body that is too large, whether or not it says so, and 400 to one whose
    length is told in two ways. upload: octets."""

    def __init__(self, app: ASGIApp, upload: int) -> None:
        self._app = app
        self._upload = upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        names = [name for name, _ in scope["headers"]]
        if b"transfer-encoding" in names and b"content-length" in names:
            # RFC 9112 §6.3: it may be an attempt to smuggle a request past a proxy.
            await _refuse(scope, send, 400, TWO_LENGTHS)
            return
        takes_file = scope["path"].startswith(UPLOADS)
        limit = self._upload + UPLOAD_MARGIN if takes_file else FORM_LIMIT
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if told.isdigit() and int(told) > limit:
            await _refuse(scope, send)
            return
        came, refused = 0, False

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            return message if came <= limit else {"type": "http.disconnect"}

        async def checked(message: Message) -> None:
            nonlocal refused
            if came <= limit:
                await send(message)
            elif not refused:
                refused = True
                await _refuse(scope, send)

        try:
            await self._app(scope, counted, checked)
        except ClientDisconnect:
            # How Starlette takes the end that `counted` has put to it.
            if came <= limit:
                raise
            if not refused:
                await _refuse(scope, send)


TOO_LARGE = "what was sent is too large"
TWO_LENGTHS = "Content-Length and Transfer-Encoding exclude each other"


async def _refuse(scope: Scope, send: Send, status: int = 413, words: str = TOO_LARGE) -> None:
    answer: Response = PlainTextResponse(f"{words[0].upper()}{words[1:]}.\n", status)
    if scope["path"].startswith("/api/"):
        answer = problem(status, words)
    answer.headers["Connection"] = "close"
    await answer(scope, _nothing, send)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
