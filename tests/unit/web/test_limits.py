"""What a reviewer cannot reach, by any page."""

from __future__ import annotations

import pytest

from filterd.quarantine.journal import Event
from filterd.review.principals import tokens_path
from filterd.review.tokens import TokenFile
from tests.helpers.receiving_mta import Mta
from tests.helpers.reports import record
from tests.helpers.site import Site, text_of

pytestmark = pytest.mark.slow


def test_a_reviewer_sees_its_own_only(bob: Site) -> None:
    mine, shared = bob.put("joe@mx.example"), bob.put("joe@mx.example", "max@other.example")
    foreign = bob.put("max@other.example")
    listed = bob.get("/quarantine").text
    assert mine in listed
    assert shared in listed
    assert foreign not in listed
    assert "max@other.example" not in listed
    assert bob.get(f"/message/{mine}").status_code == 200
    page = bob.get(f"/message/{shared}")
    assert "joe@mx.example" in page.text
    assert "max@other.example" not in page.text
    for path in ("", "/raw", "/part/0", "/removed/1"):
        assert bob.get(f"/message/{foreign}{path}").status_code == 404
    assert bob.events(foreign) == []
    assert "/message/" not in bob.get(f"/quarantine?text={foreign}").text


@pytest.mark.parametrize(
    "deed", ["release", "release-ham", "spam", "ham", "delete", "pin", "unpin", "allow", "block"]
)
def test_a_reviewer_does_nothing_to_others(bob: Site, deed: str) -> None:
    foreign = bob.put("max@other.example", subject=b"a secret subject")
    asked = bob.post("/quarantine/confirm", do=deed, id=foreign)
    assert "secret" not in asked.text
    answer = bob.post("/quarantine/do", do=deed, id=foreign)
    assert "not done" in text_of(answer)
    assert "secret" not in answer.text
    assert bob.events(foreign) == []
    assert not (bob.folder / "senders.list").exists()


@pytest.mark.parametrize("deed", ["delete", "release-ham"])
def test_a_reviewer_does_not_decide_for_others(bob: Site, deed: str) -> None:
    shared = bob.put("joe@mx.example", "max@other.example")
    answer = bob.post("/quarantine/do", do=deed, id=shared)
    assert "not yours" in text_of(answer)
    assert bob.events(shared) == []


def test_a_reviewer_does_not_see_what_concerns_others(bob: Site) -> None:
    shared = bob.put("joe@mx.example", "max@other.example")
    journal = bob.state.actions.store.journal
    for recipient, note in (
        ("max@other.example", "note-of-max"),
        ("joe@mx.example", "note-of-joe"),
    ):
        journal.append(Event("failed", shared, "cli:x", (recipient,), note, "550 no", time=1.0))
    journal.append(
        Event("allowed", shared, "cli:x", note="allow a for max@other.example", time=2.0)
    )
    text = bob.get(f"/message/{shared}").text
    assert "note-of-joe" in text
    assert "note-of-max" not in text
    assert "max@other.example" not in text


def test_a_reviewer_releases_its_own_copy_only(releasing: Site, mta: Mta) -> None:
    releasing.log_in("bob")
    shared = releasing.put("joe@mx.example", "max@other.example")
    for other in ("max@other.example", "it@lab.example"):
        answer = releasing.post(f"/message/{shared}/release", to="joe@mx.example", other=other)
        assert "your own recipients only" in text_of(answer)
    assert mta.taken == []
    releasing.post("/quarantine/do", do="release", id=shared)
    (taken,) = mta.taken
    assert ["joe@mx.example" in line for line in taken.rcpt] == [True]


def test_a_reviewer_leaves_viruses_to_admins(releasing: Site, mta: Mta) -> None:
    releasing.log_in("bob")
    id = releasing.put(reason="virus", virus="Eicar")
    releasing.post(f"/message/{id}/release", to="joe@mx.example", virus="yes", note="I want it")
    releasing.post("/quarantine/do", do="release", id=id)
    releasing.post("/quarantine/do", do="release-ham", id=id)
    assert mta.taken == []
    assert releasing.get(f"/message/{id}/raw").status_code == 403
    assert releasing.events(id) == ["viewed"], "by the page after the first try"


def test_a_reviewer_allows_for_its_own_only(bob: Site) -> None:
    shared = bob.put("joe@mx.example", "max@other.example")
    answer = bob.post("/quarantine/do", do="allow", id=shared, everybody="yes")
    assert "only an admin" in text_of(answer)
    bob.post("/quarantine/do", do="allow", id=shared)
    lines = (bob.folder / "senders.list").read_text().splitlines()
    assert lines == ["allow ann@a.example for joe@mx.example"]


def test_a_reviewer_has_no_dashboard(bob: Site) -> None:
    assert bob.get("/").headers["location"] == "/quarantine"


def test_a_reviewers_audit_page_has_its_own_deeds(bob: Site) -> None:
    mine, foreign = bob.put("joe@mx.example"), bob.put("max@other.example")
    bob.state.actions.store.note("viewed", foreign, "web:ann")
    bob.post("/quarantine/do", do="pin", id=mine)
    text = bob.get("/audit").text
    assert mine in text
    assert foreign not in text
    # What was asked for stands in the form again, and in what the footer leads back to.
    asked = bob.get(f"/audit?id={foreign}&text=").text.partition("</main>")[0]
    assert foreign not in asked.replace(f'"{foreign}"', "")


@pytest.mark.parametrize("name", ["text", "recipient", "domain"])
def test_a_reviewer_cannot_guess_hidden_recipients(bob: Site, name: str) -> None:
    shared = bob.put("joe@mx.example", "max@other.example")
    bob.state.history.add(
        [
            record(
                "h1", 1.0, recipients=("joe@mx.example", "max@other.example"), subject="to-be-found"
            )
        ]
    )
    secret = TokenFile(tokens_path(bob.state.settings)).add("robot", "reviewer", ["mx.example"])

    def hits(wish: str) -> list[bool]:
        headers = {"Authorization": f"Bearer {secret}"}
        rest = [
            bob.browser.get(f"/api/{where}?{name}={wish}", headers=headers).json()["messages"]
            for where in ("messages", "history")
        ]
        return [
            f"/message/{shared}" in bob.get(f"/quarantine?{name}={wish}").text,
            "to-be-found" in bob.get(f"/history?{name}={wish}").text,
            *map(bool, rest),
        ]

    assert hits("other.example") == [False] * 4
    assert hits("mx.example") == [True] * 4
