"""Messages as they come, by server-sent events over HTTP."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from filterd.history import Record
from filterd.web.pages import live
from tests.helpers.reports import record
from tests.helpers.site import PASSWORD, Site, text_of, token_in

pytestmark = pytest.mark.slow


def came(id: str, recipient: str = "joe@mx.example", ago: float = 1.0) -> Record:
    return record(
        id,
        time.time() - ago,
        sender="ann@a.example",
        recipients=(recipient,),
        subject=f"<b>{id}</b>\ndata: x",
        action="reject",
        score=9.5,
    )


@pytest.fixture
def url(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(live, "INTERVAL", 0.05)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(site.app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    site.state.is_stopping = lambda: True
    server.should_exit = server.force_exit = True
    thread.join(20)
    listener.close()


@contextmanager
def browser(url: str, name: str) -> Iterator[httpx.Client]:
    """A browser that is logged in."""
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as found:
        token = token_in(found.get("/login"))
        sent = found.post("/login", data={"csrf": token, "name": name, "password": PASSWORD})
        assert sent.status_code == 303
        yield found


def told(lines: Iterator[str]) -> Generator[tuple[str, str], None, None]:
    """Events: kind and data."""
    kind = "message"
    for line in lines:
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, line.removeprefix("data: ")
            kind = "message"


def test_what_comes_is_told_once(site: Site, url: str) -> None:
    site.state.history.add([came("one", ago=5)])
    with browser(url, "ann") as ann, ann.stream("GET", "/live/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        found = told(stream.iter_lines())
        kind, data = next(found)
        assert kind == "message"
        row = json.loads(data)
        assert (row["id"], row["action"], row["to"]) == ("one", "reject", "joe@mx.example")
        assert "\n" not in row["subject"]
        site.state.history.add([came("two")])
        assert json.loads(next(found)[1])["id"] == "two"


def test_a_reviewer_hears_of_its_own_mail(site: Site, url: str) -> None:
    with browser(url, "bob") as bob, bob.stream("GET", "/live/events") as stream:
        found = told(stream.iter_lines())
        site.state.history.add([came("foreign", "max@other.example"), came("own", ago=0.5)])
        assert json.loads(next(found)[1])["id"] == "own"


def test_the_stream_ends_with_the_session(site: Site, url: str) -> None:
    with browser(url, "bob") as bob, bob.stream("GET", "/live/events") as stream:
        site.state.accounts.set_password("bob", "another password")
        # All of it: the server ends the stream.
        assert list(told(stream.iter_lines())) == [("end", "The session has ended.")]


def test_a_stream_is_no_use_of_the_session(site: Site, url: str) -> None:
    with browser(url, "ann") as ann:
        (session,) = site.state.sessions._known.values()
        with ann.stream("GET", "/live/events") as stream:
            site.state.history.add([came("one")])
            found = told(stream.iter_lines())
            next(found)
            used = session.used
            site.state.history.add([came("two")])
            next(found)
            assert session.used == used


def test_only_so_many(site: Site, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "OWN_STREAMS_LIMIT", 1)
    site.state.history.add([came("one")])
    with browser(url, "ann") as ann, ann.stream("GET", "/live/events") as stream:
        # Forgotten, it would close the stream.
        found = told(stream.iter_lines())
        next(found)
        assert ann.get("/live/events").status_code == 503
        found.close()


def test_the_page_without_a_script(ann: Site) -> None:
    ann.state.history.add([came("one")])
    page = ann.get("/live")
    assert "<b>one</b>" in text_of(page).replace("&lt;", "<")
    assert '<noscript><meta http-equiv="refresh"' in page.text
    assert "connect-src 'self'" in page.headers["content-security-policy"]


def test_nobody_without_a_login(site: Site) -> None:
    assert site.get("/live").status_code == 303
    assert site.get("/live/events").status_code == 303
