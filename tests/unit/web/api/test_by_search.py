"""Something is done with all messages that a search finds; a reviewer does what is its own."""

from __future__ import annotations

from typing import Any

import pytest

from filterd.quarantine.query import Query
from filterd.review.access import Access
from filterd.review.by_search import matching
from tests.helpers.api import Program
from tests.helpers.site import Site

pytestmark = pytest.mark.slow


def act(program: Program, action: str, **wish: Any) -> dict[str, Any]:
    answer = program.post("/messages/act", {"action": action, **wish})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids_of(found: dict[str, Any], *, ok: bool = True) -> list[str]:
    return [one["id"] for one in found["results"] if one["ok"] is ok]


def test_first_it_is_only_said_which(site: Site, admin: Program) -> None:
    ids = [site.put(subject=b"pills") for _ in range(3)]
    other = site.put(subject=b"flowers")
    search = {"subject": "pills"}
    told = act(admin, "delete", search=search)
    assert ids_of(told) == ids[::-1]
    assert (told["dry_run"], told["more"]) == (True, False)
    assert site.events() == []
    done = act(admin, "delete", search=search, dry_run=False, note="junk")
    assert (ids_of(done), done["dry_run"]) == (ids[::-1], False)
    assert [site.events(id) for id in (*ids, other)] == [["deleted"]] * 3 + [[]]


def test_undelete(site: Site, admin: Program) -> None:
    id, other = site.put(), site.put()
    assert admin.get(f"/messages/{id}").json()["undelete_until"] is None
    (done,) = admin.post("/messages/delete", {"ids": [id]}).json()["results"]
    assert done["detail"]["until"] == admin.get(f"/messages/{id}").json()["undelete_until"]
    (again,) = admin.post("/messages/delete", {"ids": [id]}).json()["results"]
    assert (again["detail"]["octets"], again["detail"]["until"]) == (0, done["detail"]["until"])
    (now,) = admin.post("/messages/delete", {"ids": [other], "now": True}).json()["results"]
    assert now["detail"]["until"] is None
    results = admin.post("/messages/undelete", {"ids": [id, other, "x"]}).json()["results"]
    assert [one["ok"] for one in results] == [True, False, False]
    assert admin.get("/messages", state="held").json()["messages"][0]["id"] == id
    act(admin, "delete", search={"state": "held"}, dry_run=False)
    assert ids_of(act(admin, "undelete", search={"state": "deleted"}, dry_run=False)) == [id]


def test_what_a_token_has_seen(site: Site, admin: Program) -> None:
    ids = [site.put() for _ in range(3)]
    admin.get(f"/messages/{ids[0]}")
    found = admin.get("/messages").json()["messages"]
    assert [(one["id"], one["seen"]) for one in found] == [
        (ids[2], False),
        (ids[1], False),
        (ids[0], True),
    ]
    for seen, expected in (("true", ids[:1]), ("false", ids[:0:-1])):
        found = admin.get("/messages", seen=seen).json()["messages"]
        assert [one["id"] for one in found] == expected
    assert ids_of(act(admin, "pin", search={"seen": True})) == ids[:1]


def test_the_limit(site: Site, admin: Program) -> None:
    ids = [site.put() for _ in range(5)]
    for limit, more in ((4, True), (5, False), (6, False)):
        told = act(admin, "pin", search={"state": "held"}, limit=limit)
        assert (ids_of(told), told["more"]) == (ids[::-1][:limit], more)
    done = act(admin, "pin", search={"state": "held"}, limit=2, dry_run=False)
    assert done["more"]
    assert site.events() == ["pinned"] * 2


def test_several_pages_of_the_store(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterd.review.by_search.PAGE_LIMIT", 2)
    ids = [site.put() for _ in range(5)][::-1]
    access = Access(site.state.actions, site.state.accounts.all()[0].reviewer, "web")
    for limit in range(1, 7):
        rows, more = matching(access, Query(sender="ann"), limit)
        assert ([row.id for row in rows], more) == (ids[:limit], limit < 5)


def test_what_a_reviewer_may_not_do_is_told_and_not_done(site: Site, reviewer: Program) -> None:
    own = site.put("joe@mx.example")
    shared = site.put("joe@mx.example", "sue@other.example")
    site.put("sue@other.example")
    for dry in (True, False):
        found = act(reviewer, "delete", search={"sender": "ann"}, dry_run=dry)
        assert (ids_of(found), ids_of(found, ok=False)) == ([own], [shared])
        assert "not yours" in str(found)
    assert site.events() == ["deleted"]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"action": "delete", "search": {}}, "expected a condition"),
        ({"action": "delete"}, "search"),
        ({"action": "rescan", "search": {"sender": "a"}}, "action"),
        ({"action": "delete", "search": {"sendr": "a"}}, "sendr"),
        ({"action": "delete", "search": {"reason": "spma"}}, "did you mean spam?"),
        ({"action": "delete", "search": {"sender": "a"}, "limit": 1001}, "limit"),
        ({"action": "delete", "search": {"sender": "a"}, "limit": 0}, "limit"),
    ],
)
def test_nothing_is_done_by_a_search_that_makes_no_sense(
    site: Site, admin: Program, wish: dict[str, Any], words: str
) -> None:
    site.put()
    answer = admin.post("/messages/act", {"dry_run": False, **wish})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert site.events() == []


def test_a_reviewer_scans_for_its_own_recipients(site: Site, reviewer: Program) -> None:
    answer = site.browser.post(
        "/api/scan",
        content=b"Subject: x\r\n\r\nx\r\n",
        headers=reviewer.headers,
        params={"recipient": ["joe@mx.example", "sue@other.example"]},
    )
    assert answer.status_code == 403
    assert "your own recipients" in answer.json()["detail"]
    answer = site.browser.post(
        "/api/scan",
        content=b"Subject: x\r\n\r\nx\r\n",
        headers=reviewer.headers,
        params={"recipient": ["joe@mx.example"]},
    )
    assert answer.status_code == 200


def test_no_folder_of_the_server_is_told(site: Site, admin: Program) -> None:
    id = site.put()
    file = site.state.actions.senders.file
    file.write_text("allow\n")
    told = admin.post("/messages/senders", {"ids": [id], "kind": "block"}).json()["results"]
    assert told[0]["words"].startswith("senders.list:1:")
    for text in (str(told), admin.get("/status").text):
        assert str(site.folder) not in text
    assert "filterd.sock" in admin.get("/status").json()["daemon"]["socket"]
