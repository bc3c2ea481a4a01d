"""`filterd web` as an admin starts it, kept mail in its store, and people in front of it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filterd.chain.verdict import Symbol
from filterd.config.load import load
from filterd.message import Client, Envelope, Recipient
from filterd.message.ids import new_id
from filterd.quarantine import Store
from filterd.quarantine.query import Query
from tests.helpers.process import Program, answers, free_port
from tests.helpers.reports import new_entry
from tests.helpers.servers.filterd import COMMAND

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = "/usr/bin/chromium"

OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run"
    " --disable-background-networking --disable-component-update --disable-sync"
).split()

JOE = "joe@mx.example.test"
MAX = "max@other.example"

PASSWORD = "correct horse battery"

TOML = """
[chain]
filters = [{filters}]
[quarantine]
folder = "quarantine"
release_port = {release_port}
release_timeout = 20.0
[filters.senders]
file = "senders.list"
[filters.bayes]
models = "models"
[users]
enabled = true
request = ["banned"]
[web]
port = {port}
login_attempts = 50
{web}
"""

ZONE = "Asia/Tokyo"
"""Where the browser is; not where the server is."""

LIMIT = 15_000
"""Milliseconds that the browser waits for a page or an element; the machine may be busy."""


@dataclass
class Visit:
    """One person at one window. asked: the addresses of everything that the browser requested;
    said: what scripts and the browser wrote to the console, dialogs, errors of scripts."""

    page: Page
    context: BrowserContext
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))

    @property
    def text(self) -> str:
        """What the page reads."""
        return self.page.inner_text("body")


class Site:
    """One `filterd web` process. web: lines of its section `[web]`, and sections behind that.
    filters: of its chain, beside those of every site."""

    def __init__(
        self, folder: Path, release_port: int, web: str = "", filters: tuple[str, ...] = ()
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = folder / "filterd.toml"
        config.write_text(
            TOML.format(
                port=self.port,
                release_port=release_port,
                web=web,
                filters=", ".join(f'"{one}"' for one in ("senders", "gtube", "bayes", *filters)),
            )
        )
        secret = folder / "password"
        secret.touch(0o600)
        secret.write_text(PASSWORD + "\n")
        self._process = Program(
            [COMMAND, "web", "--config", config, "--first-password-file", secret], folder
        )
        subprocess.run(
            [
                COMMAND,
                "web",
                "account",
                "add",
                "bob",
                "--domain",
                "mx.example.test",
                "--password-file",
                secret,
                "--config",
                config,
            ],
            check=True,
        )
        subprocess.run(
            [
                COMMAND,
                "web",
                "account",
                "add",
                "admin",
                "--admin",
                "--password-file",
                secret,
                "--config",
                config,
            ],
            check=True,
        )
        subprocess.run(
            [
                COMMAND,
                "web",
                "account",
                "add",
                "joe",
                "--role",
                "user",
                "--recipient",
                JOE,
                "--password-file",
                secret,
                "--config",
                config,
            ],
            check=True,
        )
        self.store = Store(load(config).quarantine)
        self.browser: Browser | None = None
        self._contexts: list[BrowserContext] = []

    def start(self) -> None:
        self._process.start(lambda: answers(self.port))

    def stop(self) -> None:
        self._process.stop()

    @property
    def output(self) -> str:
        """What the process wrote."""
        return self._process.output

    def empty(self) -> None:
        """Take everything out of the quarantine."""
        for row in self.store.index.search(Query(limit=1000)).rows:
            self.store.delete(row.id, "test", at_once=True)
        self.store.forget(float("inf"))

    def put(self, data: bytes, *recipients: str, virus: str = "", reason: str = "spam") -> str:
        """Keep a message; its id."""
        to = recipients or (JOE,)
        return self.store.put(
            new_entry(
                id=new_id(),
                data=data,
                envelope=Envelope(
                    "ann@client.example",
                    tuple(map(Recipient, to)),
                    Client("client.example", "192.0.2.1", helo="client.example"),
                ),
                held_for=to,
                reason="virus" if virus else reason,
                action="quarantine",
                score=9.0,
                required=5.0,
                symbols=(Symbol("BAYES_99", 9.0, "spam: text:money(+1.0)"),),
                virus=virus,
                removed=(),
                received=datetime.now(UTC),
            )
        )

    def visit(self, *, scripts: bool = True, width: int = 1280, height: int = 800) -> Visit:
        """A fresh window without cookies."""
        assert self.browser is not None
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            java_script_enabled=scripts,
            timezone_id=ZONE,
        )
        context.set_default_timeout(LIMIT)
        self._contexts.append(context)
        return Visit(context.new_page(), context)

    def logged_in(self, name: str = "admin", **options: bool | int) -> Visit:
        """A window of somebody who has logged in."""
        visit = self.visit(**options)  # type: ignore[arg-type]
        self.log_in(visit, name)
        return visit

    def log_in(self, visit: Visit, name: str = "admin", password: str = PASSWORD) -> None:
        """Fill in the form and send it."""
        visit.page.goto(f"{self.url}/login")
        visit.page.get_by_label("Name").fill(name)
        visit.page.get_by_label("Password").fill(password)
        visit.page.get_by_role("button", name="Log in").click()
        visit.page.wait_for_load_state()

    def close_pages(self) -> None:
        for context in self._contexts:
            context.close()
        self._contexts.clear()

    def state(self, id: str) -> str:
        """The state of a kept message."""
        return self.store.delivery_state(id).state

    def events(self, id: str) -> list[str]:
        """What was done with it."""
        return [event.what for event in self.store.journal.events(id)]


def message(subject: str, body: bytes = b"text of the message\r\n", kind: str = "plain") -> bytes:
    """A message with a text part."""
    return (
        f"From: Ann <ann@client.example>\r\nTo: {JOE}\r\nSubject: {subject}\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/{kind}; charset=utf-8\r\n\r\n"
    ).encode() + body
