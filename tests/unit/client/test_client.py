"""The Python client against the real interface, over HTTP."""

from __future__ import annotations

import ast
import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn

import filterd.client
from filterd.client import ApiError, FilterdClient, UnreachableError, site_interface
from tests.helpers.api import tokens_of
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.site import Site
from tests.helpers.webhook import receiving

pytestmark = pytest.mark.slow

JOE = "joe@mx.example"


@pytest.fixture
def mta() -> Iterator[Mta]:
    with running() as mta:
        yield mta


@pytest.fixture
def site(tmp_path: Path, mta: Mta) -> Iterator[Site]:
    site = Site(tmp_path, mta.port)
    yield site
    site.state.close()


@pytest.fixture
def url(site: Site) -> Iterator[str]:
    """Where the site's interface answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(site.app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = server.force_exit = True
    thread.join(20)
    listener.close()


@pytest.fixture
def admin(site: Site, url: str) -> Iterator[FilterdClient]:
    with FilterdClient(url, tokens_of(site).add("robot", "admin")) as client:
        yield client


def test_a_lost_message_is_found_and_released(site: Site, admin: FilterdClient, mta: Mta) -> None:
    id = site.put(JOE)
    (found,) = admin.messages(recipient="joe@", state="held", since=datetime(2020, 1, 1))
    assert (found["id"], found["seen"]) == (id, False)
    assert admin.message(id)["verdict"]
    assert b"Subject" in admin.raw(id)
    (done,) = admin.release([id], note="asked for it")
    assert done["ok"], done
    assert [taken.rcpt for taken in mta.taken] == [[JOE]]
    assert [one["what"] for one in admin.audit(id=id, order="oldest")][-1] == "released"


def test_pages_are_read_one_after_the_other(
    site: Site, admin: FilterdClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_interface, "PAGE", 2)
    ids = {site.put(JOE) for _ in range(5)}
    assert {one["id"] for one in admin.messages()} == ids
    assert len(list(admin.messages(most=3))) == 3
    assert {one["id"] for one in admin.search("to:joe@mx.example")} == ids


def test_actions(site: Site, admin: FilterdClient) -> None:
    id, other = site.put(JOE), site.put(JOE)
    assert [one["ok"] for one in admin.pin([id])] == [True]
    tried = admin.act("delete", {"recipient": JOE, "pinned": False})
    assert (tried["dry_run"], [one["id"] for one in tried["results"]]) == (True, [other])
    assert admin.act("delete", {"recipient": JOE, "pinned": False}, dry_run=False)["more"] is False
    assert [one["ok"] for one in admin.undelete([other])] == [True]
    assert [one["ok"] for one in admin.delete([other], now=True)] == [True]
    assert {one["state"] for one in admin.messages()} == {"held", "deleted"}
    assert {one["id"]: one["words"] for one in admin.learn(["none"], "spam")}.keys() == {"none"}
    assert [one["ok"] for one in admin.list_senders([id], "block")] == [True]
    assert [one["kind"] for one in admin.senders()] == ["block"]


def test_the_list_of_senders(admin: FilterdClient) -> None:
    added = admin.add_sender("block", "a.example", recipient=JOE, note="newsletters")
    assert added["changed"] is True
    (entry,) = admin.senders("a.example")
    assert (entry["sender"], entry["recipient"]) == ("a.example", JOE)
    assert entry["note"].endswith("newsletters")
    assert admin.remove_sender("block", "a.example", recipient=JOE)["changed"] is True
    assert list(admin.senders()) == []
    assert admin.sender_meaning("prvs=1234567890=joe@a.example")["scheme"] == "BATV"


def test_accounts(admin: FilterdClient) -> None:
    assert len(admin.add_account("dora", "helpdesk", ["mx.example"])) > 15
    assert admin.add_account("script", "auditor", kind="token")
    known = admin.accounts()
    assert "dora" in [one["name"] for one in known["accounts"]]
    assert "script" in [one["name"] for one in known["tokens"]]
    assert admin.change_account("dora", "auditor") == "role auditor"
    assert len(admin.new_password("dora")) > 15
    admin.factor_off("dora")
    admin.remove_account("dora")
    admin.remove_account("script", kind="token")
    assert "dora" not in [one["name"] for one in admin.accounts()["accounts"]]


def test_requests_where_users_have_no_pages(admin: FilterdClient) -> None:
    for ask in (
        admin.requests,
        lambda: admin.grant("x", "joe@mx.example"),
        lambda: admin.refuse("x", "joe@mx.example"),
    ):
        with pytest.raises(ApiError) as caught:
            ask()
        assert caught.value.status == 404


def test_scanning_and_figures(site: Site, admin: FilterdClient) -> None:
    site.put(JOE)
    data = b"From: ann@a.example\r\nSubject: x\r\n\r\nhello\r\n"
    scanned = admin.scan(data, sender="ann@a.example", recipients=[JOE, "sue@mx.example"])
    assert (scanned["action"], scanned["recipients"]) == ("accept", [JOE, "sue@mx.example"])
    assert [one["messages"] for one in admin.counts()] == [1]
    until = datetime.now(UTC)
    flow = admin.flow(until - timedelta(hours=2), until, 3600)
    assert len(flow["bins"]) == 2
    assert "quarantine" in admin.status()
    assert list(admin.history(action="reject")) == []
    with pytest.raises(ApiError, match="no filter locallists"):
        admin.lists()


def test_health_needs_no_token(url: str) -> None:
    with FilterdClient(url) as client:
        assert client.is_alive()
        assert client.ready()["checks"]["store"] is True
        with pytest.raises(ApiError, match="401 Unauthorized") as found:
            list(client.messages())
    assert found.value.status == 401


@pytest.mark.parametrize(
    ("id", "status"), [("none", 404), ("../../x", 404), ("a b?c#d%", 404), ("x" * 65, 422)]
)
def test_what_the_interface_refuses(admin: FilterdClient, id: str, status: int) -> None:
    with pytest.raises(ApiError) as found:
        admin.message(id)
    assert found.value.status == status


def test_a_word_that_is_not_known_is_said(admin: FilterdClient) -> None:
    with pytest.raises(ApiError, match="did you mean spam"):
        list(admin.messages(reason="spma"))


@pytest.mark.parametrize(
    "url",
    ["http://mail.example", "mail.example", "https://", "ftp://127.0.0.1", "https://a.example/x"],
)
def test_where_it_does_not_go(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected https|of the form"):
        FilterdClient(url, "secret")


def test_nobody_there_and_somebody_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        FilterdClient(f"http://127.0.0.1:{port}") as client,
        pytest.raises(UnreachableError, match="refused"),
    ):
        client.is_alive()
    with receiving() as other:
        other.status, other.headers = 302, {"Location": f"http://127.0.0.1:{other.port}/"}
        with (
            FilterdClient(f"http://127.0.0.1:{other.port}", "secret") as client,
            pytest.raises(UnreachableError, match="status 302, and not an answer of filterd"),
        ):
            client.free("user", "joe")
        assert len(other.posts) == 1


def test_every_operation_has_a_method(site: Site) -> None:
    folder = Path(filterd.client.__file__).parent
    named = set()
    for file in folder.glob("*interface.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                text = "".join(
                    one.value if isinstance(one, ast.Constant) else "{}" for one in node.values
                )
                named.add(text)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                named.add(node.value)
    paths = {re.sub(r"{\w+}", "{}", path) for path in site.app.openapi()["paths"]}
    assert len(paths) > 30
    assert paths - named == set()
