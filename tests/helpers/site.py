"""A site for one test: settings, some kept mail, accounts, and a browser that talks to it."""

from __future__ import annotations

import atexit
import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from html import unescape
from pathlib import Path

import argon2
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi.testclient import TestClient
from httpx import Response

from filterd.chain.verdict import Outcome, RemovedPart, Symbol
from filterd.config.load import load
from filterd.message import Client, Envelope, Recipient
from filterd.message.authentication import Authentication
from filterd.message.ids import new_id
from filterd.review.accounts import Accounts
from filterd.web.app import create_app
from filterd.web.state import WebState
from tests.helpers.reports import new_entry

QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"

TOML = """
[chain]
filters = ["senders", "gtube"]
[quarantine]
folder = "quarantine"
release_port = {port}
release_timeout = 5.0
[filters.senders]
file = "senders.list"
[filters.bayes]
models = "models"
starter = false
[web]
{web}
"""

PAGES = (
    "/",
    "/quarantine",
    "/history",
    "/live",
    "/search?q=hello",
    "/scan",
    "/account",
    "/accounts",
    "/senders",
    "/audit",
    "/trace",
    "/dmarc",
    "/message/{id}",
    "/message/{id}/raw",
    "/message/{id}/part/0",
    "/message/{id}/removed/1",
)
FORMS = (
    "/logout",
    "/account/password",
    "/account/factor",
    "/account/factor/on",
    "/account/factor/off",
    "/accounts/add",
    "/accounts/change",
    "/accounts/password",
    "/accounts/factor",
    "/accounts/remove",
    "/scan",
    "/trace",
    "/dmarc",
    "/greylist/allow",
    "/senders/add",
    "/senders/remove",
    "/lists/add",
    "/lists/change",
    "/lists/remove",
    "/lists/undo",
    "/rates/free",
    "/requests/answer",
    "/my/do",
    "/my/senders/add",
    "/my/senders/remove",
    "/my/strictness",
    "/quarantine/confirm",
    "/quarantine/do",
    "/message/{id}/release",
    "/message/{id}/do",
    "/message/{id}/rescan",
)
"""Every page that asks for a login, and every form."""

PLAIN = b"From: Ann <ann@a.example>\r\nSubject: hello\r\n\r\ntext of the message\r\n"


@cache
def _portal() -> BlockingPortal:
    """One event loop for all requests of this process, in a thread that ends with it. A browser
    without one starts a thread and a loop for each request."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(start_blocking_portal())


@dataclass
class Site:
    """The application, and one browser in front of it. port: of the MTA that takes releases. home:
    a page with the token of forms."""

    folder: Path
    port: int = 1
    web: str = ""
    base: str = "http://127.0.0.1"
    home: str = "/scan"
    state: WebState = field(init=False)
    browser: TestClient = field(init=False)

    def __post_init__(self) -> None:
        path = self.folder / "filterd.toml"
        path.write_text(TOML.format(port=self.port, web=self.web))
        self.app = create_app(load(path))
        self.state = self.app.state.filterd
        accounts = Accounts(self.state.accounts.path, QUICK)
        if not accounts.all():
            accounts.add("ann", PASSWORD, "admin")
            accounts.add("bob", PASSWORD, "reviewer", ["mx.example"])
            accounts.add("cid", PASSWORD, "reviewer", [], ["joe@mx.example"])
        self.browser = self.another()

    def another(self, address: str = "127.0.0.1") -> TestClient:
        """One more browser."""
        browser = TestClient(
            self.app,
            base_url=self.base,
            follow_redirects=False,
            raise_server_exceptions=False,
            client=(address, 50000),
        )
        browser.portal = _portal()
        return browser

    def put(
        self,
        *recipients: str,
        data: bytes = PLAIN,
        reason: str = "spam",
        virus: str = "",
        subject: bytes = b"",
        score: float = 9.0,
        removed: tuple[RemovedPart, ...] = (),
        outcomes: tuple[Outcome, ...] = (),
        symbols: tuple[Symbol, ...] = (),
        authentication: Authentication | None = None,
        held_for: tuple[str, ...] = (),
    ) -> str:
        """Keep a message; its id. held_for: all recipients where nobody is named."""
        to = recipients or ("joe@mx.example",)
        if subject:
            data = data.replace(b"Subject: hello", b"Subject: " + subject)
        return self.state.actions.store.put(
            new_entry(
                id=new_id(),
                data=data,
                envelope=Envelope(
                    "ann@a.example", tuple(map(Recipient, to)), Client("a.example", "192.0.2.1")
                ),
                held_for=held_for or to,
                authentication=authentication,
                reason=reason,
                action="quarantine",
                score=score,
                required=5.0,
                symbols=symbols or (Symbol("BAYES_99", score, "spam: text:money(+1.0)"),),
                virus=virus,
                removed=removed,
                outcomes=outcomes,
                received=datetime.now(UTC),
            )
        )

    def log_in(
        self, name: str = "ann", password: str = PASSWORD, browser: TestClient | None = None
    ) -> Response:
        """Fill in the form and send it."""
        browser = browser or self.browser
        form = browser.get("/login")
        return browser.post(
            "/login", data={"csrf": token_in(form), "name": name, "password": password}
        )

    def get(self, path: str) -> Response:
        """A page, the redirects after a login not followed."""
        return self.browser.get(path)

    def post(self, path: str, **fields: object) -> Response:
        """A form, with the token of a page; then the page to which it leads."""
        token = token_in(self.browser.get(self.home))
        answer = self.browser.post(path, data={"csrf": token, **fields})
        if answer.status_code == 303:
            return self.browser.get(answer.headers["location"])
        return answer

    def events(self, id: str | None = None) -> list[str]:
        """What the journal says was done."""
        return [event.what for event in self.state.actions.store.journal.events(id)]


def with_users(folder: Path, port: int = 1, more: str = "", auth: bool = False) -> Site:
    """A site whose users have pages; eva has the mail of eva@mx.example and is logged in. more:
    settings of `[users]`. auth: senders are checked."""
    site = Site(folder, port, f"[users]\nenabled = true\n{more}", home="/my")
    if auth:
        file = folder / "filterd.toml"
        file.write_text(file.read_text().replace("filters = [", 'filters = ["auth", ', 1))
        site.state.close()
        site.app = create_app(load(file))
        site.state = site.app.state.filterd
        site.browser = site.another()
    Accounts(site.state.accounts.path, QUICK).add(
        "eva", PASSWORD, "user", [], ["eva@mx.example", "info@mx.example"]
    )
    site.log_in("eva")
    return site


def with_rates(folder: Path, state: str = "") -> Site:
    """A site with the filter rates in its chain. state: settings `[state]`."""
    site = Site(folder)
    file = folder / "filterd.toml"
    file.write_text(state + file.read_text().replace("filters = [", 'filters = ["rates", ', 1))
    site.state.close()
    site.app = create_app(load(file))
    site.state = site.app.state.filterd
    site.browser = site.another()
    return site


def token_in(answer: Response) -> str:
    """The token of the page's forms."""
    found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
    assert found, f"{answer.status_code}: {answer.text[:2000]}"
    return found[1]


def text_of(answer: Response) -> str:
    """What the page reads, roughly: tags out, blanks as one."""
    text = re.sub(r"<(script|style|head)\b.*?</\1>", " ", answer.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", text)).split())
