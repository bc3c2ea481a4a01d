"""The web application: pages, static files and the REST interface under one roof."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from filterd import __version__
from filterd.config.load import Settings
from filterd.history import HistoryError
from filterd.quarantine import GoneError, StoreError, UnknownIdError
from filterd.quarantine.query import QueryError
from filterd.review.actions import ActionError
from filterd.review.principals import PrincipalError
from filterd.web import api, health, pages
from filterd.web.api.examples import DescribedApp
from filterd.web.api.problems import problem
from filterd.web.dates import BrowserZone
from filterd.web.forwarded import ForwardedNotice
from filterd.web.identity import LoginNeededError, UserOnlyError, anybody
from filterd.web.security import HEADERS, BodyLimit, SecurityHeaders
from filterd.web.state import WebState
from filterd.web.views import page, plain_page

log = logging.getLogger(__name__)

NO_MESSAGE = "No such message is in the quarantine."
NO_PAGE = "There is no such page."
NO_SESSION = "The session has ended. Log in again."
NO_STORE = "The store cannot be read or written now; the log says why."
WRONG = "Something is wrong"

HEADS = {
    400: "That cannot be done",
    403: "Not allowed",
    404: "Not found",
    405: "Not found",
    413: "Too large",
    503: "Not possible now",
}


def create_app(settings: Settings) -> FastAPI:
    """The application for these settings."""
    state = WebState(settings)

    @contextlib.asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        yield
        state.close()

    app = DescribedApp(
        routes=list(_routes().routes),
        title="filterd",
        version=__version__,
        description="What filterd keeps, and what is done with it.",
        # FastAPI's own pages for reading this load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=life,
    )
    app.state.filterd = state
    app.mount("/static", _CachedFiles(directory=Path(__file__).parent / "static"), "static")
    _add_handlers(app)
    app.add_middleware(BrowserZone)
    app.add_middleware(BodyLimit, upload=settings.web.upload_megabytes << 20)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(ForwardedNotice, settings=settings)
    return app


@cache
def _routes() -> APIRouter:
    """Pages and REST interface, the same for all applications of a process: FastAPI works out what
    the functions ask for when a router is included, which takes longer than all else here."""
    found = APIRouter()
    found.include_router(api.router(), prefix="/api")
    found.include_router(health.router)
    found.include_router(pages.router())
    return found


class _CachedFiles(StaticFiles):
    """Our own files; their addresses carry the version, so that browsers may keep them."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """One file."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "max-age=3600"
        return response


def _add_handlers(app: FastAPI) -> None:
    @app.exception_handler(LoginNeededError)
    def to_login(request: Request, _cause: LoginNeededError) -> Response:
        if request.method != "GET":
            return _error(request, 403, NO_SESSION)
        query = f"?{request.url.query}" if request.url.query else ""
        target = urlencode({"next": request.url.path + query})
        return RedirectResponse("/login" if request.url.path == "/" else f"/login?{target}", 303)

    @app.exception_handler(UserOnlyError)
    def to_own_mail(request: Request, _cause: UserOnlyError) -> Response:
        if request.method != "GET":
            return _error(request, 403, "This page is not for users.")
        return RedirectResponse("/my", 303)

    @app.exception_handler(HTTPException)
    def told(request: Request, error: HTTPException) -> Response:
        if _is_program(request):
            return problem(error.status_code, error.detail, dict(error.headers or {}))
        words = error.detail if error.status_code not in (404, 405) else ""
        return _error(request, error.status_code, words or NO_PAGE)

    @app.exception_handler(RequestValidationError)
    def not_understood(request: Request, error: RequestValidationError) -> Response:
        # Where and what is wrong, without what was sent: that may be anything.
        words = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5]
        )
        return _error(request, 422, words)

    @app.exception_handler(QueryError)
    def no_question(request: Request, error: QueryError) -> Response:
        return _error(request, 422, str(error))

    @app.exception_handler(UnknownIdError)
    def unknown(request: Request, _cause: UnknownIdError) -> Response:
        return _error(request, 404, NO_MESSAGE)

    @app.exception_handler(GoneError)
    def gone(request: Request, _cause: GoneError) -> Response:
        return _error(request, 410, "The message was deleted or has expired.")

    @app.exception_handler(ActionError)
    def refused(request: Request, error: ActionError) -> Response:
        return _error(request, 403, str(error))

    @app.exception_handler(StoreError)
    def failed(request: Request, error: StoreError) -> Response:
        log.error("%s %s: %s", request.method, request.url.path, error)
        return _error(request, 503, NO_STORE)

    @app.exception_handler(HistoryError)
    def no_history(request: Request, error: HistoryError) -> Response:
        log.error("%s", error)
        return _error(request, 503, "The history cannot be read now; the log says why.")

    @app.exception_handler(PrincipalError)
    def no_accounts(request: Request, error: PrincipalError) -> Response:
        log.error("%s", error)
        return _error(request, 503, "The accounts cannot be read now; the log says why.")

    @app.exception_handler(Exception)
    def broken(request: Request, _cause: Exception) -> Response:
        # The server logs it. This answer passes no middleware of ours.
        words = "Something is wrong here; the log says what."
        response: Response = problem(500, words)
        if not _is_program(request):
            response = plain_page(request, "error.html", 500, head=WRONG, words=words)
        response.headers.update(HEADERS)
        return response


def _is_program(request: Request) -> bool:
    """True for a request whose answer is for a program."""
    return request.url.path.startswith(("/api/", "/healthz", "/readyz"))


def _error(request: Request, status: int, words: str) -> Response:
    if _is_program(request):
        return problem(status, words)
    head = HEADS.get(status, WRONG)
    try:
        return page(request, "error.html", anybody(request), status, head=head, words=words)
    except (LoginNeededError, PrincipalError):
        return plain_page(request, "error.html", status, head=head, words=words)
