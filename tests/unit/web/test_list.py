"""The list of kept mail, and what is done with several messages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from filterd.chain.chain import ChainSettings
from filterd.chain.links import LinkSettings
from filterd.config.load import FilterSettings
from filterd.filters.auth.settings import AuthSettings
from tests.helpers.site import Site, text_of, token_in

pytestmark = pytest.mark.slow


def test_the_list_shows_what_is_kept(ann: Site) -> None:
    ann.put("joe@mx.example", subject=b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=")
    text = text_of(ann.get("/quarantine"))
    for word in ("Grüße", "ann@a.example", "joe@mx.example", "spam", "held", "9.0"):
        assert word in text


def test_an_empty_list_says_so(ann: Site) -> None:
    assert "The quarantine is empty." in text_of(ann.get("/quarantine"))
    assert "No matching messages." in text_of(ann.get("/quarantine?text=x"))


def test_what_a_message_says_of_itself_cannot_become_markup(ann: Site) -> None:
    id = ann.put(subject=b'"><script>alert(1)</script>\x1b[31m')
    for path in ("/quarantine", f"/message/{id}"):
        text = ann.get(path).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "\x1b" not in text


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("text=invoice", {"invoice"}),
        ("reason=virus", {"virus"}),
        ("domain=other.example", {"elsewhere"}),
        ("score_from=20", {"high"}),
        ("sender=nobody", set()),
        ("recipient=max&reason=spam", {"elsewhere"}),
        ("since=yesterday", {"invoice", "virus", "elsewhere", "high"}),
    ],
)
def test_search(ann: Site, asked: str, found: set[str]) -> None:
    ann.put(subject=b"the-invoice")
    ann.put(subject=b"the-virus", reason="virus", virus="Eicar")
    ann.put("max@other.example", subject=b"the-elsewhere")
    ann.put(subject=b"the-high", score=25.0)
    text = text_of(ann.get(f"/quarantine?{asked}"))
    seen = {w for w in ("invoice", "virus", "elsewhere", "high") if f"the-{w}" in text}
    assert seen == found
    assert ("expected 2026-11-23" in text) is ("yesterday" in asked)


def test_pages_follow_each_other(ann: Site) -> None:
    ids = [ann.put() for _ in range(60)]
    seen: list[str] = []
    path = "/quarantine?limit=25"
    for _ in range(3):
        text = ann.get(path).text
        seen += [id for id in ids if f'href="/message/{id}"' in text]
        if "data-next" not in text:
            break
        path = text.split('" rel="next"')[0].rpartition('href="')[2].replace("&amp;", "&")
    assert sorted(seen) == sorted(ids)


def test_a_page_that_is_none_is_told(ann: Site) -> None:
    answer = ann.get("/quarantine?after=nonsense")
    assert answer.status_code == 200
    assert "not the `next`" in text_of(answer)


def test_several_at_once_after_a_question(ann: Site) -> None:
    ids = [ann.put() for _ in range(3)]
    asked = ann.post("/quarantine/confirm", do="delete", id=ids[:2], back="/quarantine?text=a")
    assert "Delete 2 messages" in text_of(asked)
    assert ann.events() == [], "asking does nothing"
    done = ann.post(
        "/quarantine/do", do="delete", id=ids[:2], back="/quarantine?reason=spam", note="old"
    )
    assert "2 messages: done" in text_of(done)
    states = [ann.state.actions.store.delivery_state(id).state for id in ids]
    assert states == ["deleted", "deleted", "held"]
    (event,) = ann.state.actions.store.journal.events(ids[0])
    assert (event.who, event.note) == ("web:ann", "old")
    assert "2 messages: done" not in text_of(ann.get(str(done.url.raw_path, "ascii")))


@pytest.mark.parametrize(
    ("deed", "event"),
    [("pin", "pinned"), ("allow", "allowed"), ("block", "blocked"), ("delete", "deleted")],
)
def test_each_deed_is_in_the_journal(ann: Site, deed: str, event: str) -> None:
    id = ann.put()
    answer = ann.post("/quarantine/do", do=deed, id=id, back=f"/message/{id}")
    assert answer.status_code == 200
    assert "1 message: done" in text_of(answer)
    assert ann.events(id)[0] == event


@pytest.mark.parametrize("deed", ["spam", "ham"])
def test_what_is_learned_is_in_the_models_journal(ann: Site, deed: str) -> None:
    id = ann.put()
    answer = ann.post(f"/message/{id}/do", do=deed)
    assert f"learned as {deed}" in text_of(answer)
    assert ann.events(id)[0] == "learned"
    journal = b"".join(p.read_bytes() for p in (ann.folder / "models").rglob("*") if p.is_file())
    assert b"web:ann" in journal


def test_an_allowed_sender_is_in_the_list(ann: Site) -> None:
    ann.post("/quarantine/do", do="allow", id=ann.put())
    ann.post("/quarantine/do", do="block", id=ann.put(), everybody="yes")
    lines = (ann.folder / "senders.list").read_text().splitlines()
    assert lines == ["block ann@a.example for *", "allow ann@a.example for joe@mx.example"]


def test_who_allows_says_whether_forged_mail_counts_too(ann: Site) -> None:
    id = ann.put()
    asked = text_of(ann.post("/quarantine/confirm", do="allow", id=id))
    assert "also for mail that does not prove to come from these senders" in asked
    asked = text_of(ann.post("/quarantine/confirm", do="block", id=id))
    assert "does not prove" not in asked
    actions = ann.state.actions
    checking = {"auth": FilterSettings(LinkSettings(), AuthSettings())}
    actions.settings = replace(
        actions.settings,
        chain=ChainSettings(("auth", "senders")),
        filters={**actions.settings.filters, **checking},
    )
    ann.post("/quarantine/do", do="allow", id=id)
    file = ann.folder / "senders.list"
    assert file.read_text() == "allow ann@a.example for joe@mx.example if proven\n"
    ann.post("/quarantine/do", do="allow", id=id, unproven="yes")
    assert file.read_text() == "allow ann@a.example for joe@mx.example\n"


@pytest.mark.parametrize("deed", ["", "nonsense", "DELETE"])
def test_a_deed_that_is_none(ann: Site, deed: str) -> None:
    id = ann.put()
    paths = {"/quarantine/confirm": 400, "/quarantine/do": 400, f"/message/{id}/do": 403}
    assert {path: ann.post(path, do=deed, id=id).status_code for path in paths} == paths
    assert ann.events() == []


def test_a_grave_deed_is_not_done_without_the_question(ann: Site) -> None:
    id = ann.put()
    assert ann.post(f"/message/{id}/do", do="delete").status_code == 403
    assert ann.events() == []


def test_ids_that_are_none_are_told_and_stop_nothing(ann: Site) -> None:
    id = ann.put()
    answer = ann.post("/quarantine/do", do="pin", id=["../../etc/passwd", "1m8zzzzzzzzzzzzz", id])
    assert "1 message: done" in text_of(answer)
    assert "2 messages: not done" in text_of(answer)


def test_nobody_is_sent_to_another_site_after_a_deed(ann: Site) -> None:
    token = token_in(ann.get("/scan"))
    data = {"csrf": token, "do": "pin", "id": ann.put(), "back": "https://evil.example/"}
    answer = ann.browser.post("/quarantine/do", data=data)
    assert answer.headers["location"].startswith("/quarantine?done=")
