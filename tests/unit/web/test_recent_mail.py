"""Copies of recent mail in pages and REST: looked at, learned, blocked, scanned again; not more."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from filterd.config.assembly import open_recent_mail
from filterd.config.load import load
from filterd.message import Client, Envelope, Message, Recipient
from filterd.review.actions import ActionRequest
from filterd.web.app import create_app
from tests.helpers.commands import filterd
from tests.helpers.reports import record, report
from tests.helpers.site import Site, text_of

pytestmark = pytest.mark.slow

MAIL = (
    b"From: Ann <ann@a.example>\r\nSubject: Offer\r\n\r\ncheap <b>pills</b>, the same each week\r\n"
)


class Recent(Site):
    """A site that has copies of the mail of the last day."""

    def __post_init__(self) -> None:
        super().__post_init__()
        file = self.folder / "filterd.toml"
        file.write_text(
            file.read_text() + '[history]\nmail_hours = 24\nmail_key = "recent-mail.key"\n'
        )
        self.state.close()
        self.app = create_app(load(file))
        self.state = self.app.state.filterd
        self.browser = self.another()

    def passes(self, id: str, *recipients: str, data: bytes = MAIL) -> None:
        """A message that was delivered."""
        to = recipients or ("joe@mx.example",)
        envelope = Envelope(
            "ann@a.example", tuple(map(Recipient, to)), Client("a.example", "192.0.2.1")
        )
        done = report(id, action="accept", score=1.5, required=5.0, sender="ann@a.example")
        assert open_recent_mail(self.state.settings).keep(Message(data, envelope, id), done)
        self.state.history.add(
            [record(id, time.time(), recipients=to, subject="Offer", sender="ann@a.example")]
        )


@pytest.fixture
def recent(tmp_path: Path) -> Recent:
    site = Recent(tmp_path)
    site.passes("id1")
    return site


def test_the_record_leads_to_the_copy(recent: Recent) -> None:
    recent.log_in()
    assert 'href="/message/id1">Open the copy</a>' in recent.get("/history/id1").text
    answer = recent.get("/message/id1")
    words = text_of(answer)
    assert answer.status_code == 200
    assert "cheap <b>pills</b>, the same each week" in words
    assert "The message is not in the quarantine: it went on to its recipients." in words
    assert 'href="/history/id1">record</a>' in answer.text
    # There is nothing to be released, and nobody's copy to be decided about.
    for form in ("/release", 'value="pin"', 'value="delete"', 'value="release-ham"', "h-copies"):
        assert form not in answer.text
    for form in ('value="spam"', 'value="ham"', 'value="allow"', 'value="block"', "/rescan"):
        assert form in answer.text
    assert recent.get("/message/id1/raw").content == MAIL
    # Who looked is known, as with mail that is kept.
    assert recent.events("id1") == ["viewed", "exported"]
    assert "viewed" in text_of(recent.get("/history/id1"))


def test_it_is_in_no_list_of_what_is_kept(recent: Recent) -> None:
    recent.log_in()
    assert "id1" not in recent.get("/quarantine?state=any").text
    report = recent.state.actions.store.fsck(repair=False)
    assert (report.checked, report.added, report.stale, report.damaged) == (0, (), (), ())


def test_it_is_learned_and_its_sender_blocked(recent: Recent) -> None:
    recent.log_in()
    answer = text_of(recent.post("/message/id1/do", do="spam"))
    assert "learned as spam" in answer
    assert "already learned as spam" in text_of(recent.post("/message/id1/do", do="spam"))
    answer = text_of(recent.post("/quarantine/do", do="block", id="id1"))
    assert "block ann@a.example" in answer
    assert recent.events("id1").count("blocked") == 1
    answer = text_of(recent.post("/message/id1/rescan"))
    assert "ann@a.example" in answer


@pytest.mark.parametrize("action", ["release", "release-ham", "pin", "delete", "undelete"])
def test_what_needs_the_quarantine_is_refused(recent: Recent, action: str) -> None:
    recent.log_in()
    answer = text_of(recent.post("/quarantine/do", do=action, id="id1"))
    assert "it is not in the quarantine: this is a copy of recent mail" in answer
    assert recent.state.actions.data("id1") == MAIL


def test_a_reviewer_sees_copies_of_its_recipients_only(recent: Recent) -> None:
    recent.passes("id2", "max@other.example")
    recent.passes("id3", "max@other.example", "joe@mx.example")
    recent.log_in("bob")
    assert recent.get("/message/id1").status_code == 200
    assert recent.get("/message/id2").status_code == 404
    assert recent.get("/history/id2").status_code == 404
    answer = recent.get("/message/id3")
    assert answer.status_code == 200
    assert "max@" not in answer.text
    for path in ("/message/id2/raw", "/message/id2/part/0"):
        assert recent.get(path).status_code == 404
    recent.post("/message/id2/do", do="spam")
    assert recent.events("id2") == []


def test_a_copy_that_cannot_be_read_does_not_exist(
    recent: Recent, caplog: pytest.LogCaptureFixture
) -> None:
    recent.log_in()
    (recent.folder / "recent-mail.key").write_bytes(bytes(32))
    recent.state.actions = type(recent.state.actions)(recent.state.settings)
    assert recent.get("/message/id1").status_code == 404
    assert "the copy of id1 cannot be read: it is damaged, or was made with another key" in (
        caplog.text
    )
    assert "Open the copy" not in recent.get("/history/id1").text


def test_the_same_at_the_command_line(
    recent: Recent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str) -> tuple[int, str]:
        config = recent.folder / "filterd.toml"
        status, out, errors = filterd(monkeypatch, capsys, "quarantine", *words, "--config", config)
        return status, out + errors

    status, out = said("raw", "id1")
    assert (status, out.replace("\r", "")) == (0, MAIL.decode().replace("\r", ""))
    assert said("learn", "spam", "id1") == (0, "id1: learned as spam\n")
    status, out = said("release", "id1")
    assert (status, "no message id1 in the quarantine" in out) == (66, True)


def test_nothing_is_done_to_a_copy_that_is_gone(recent: Recent) -> None:
    actions = recent.state.actions
    for file in recent.folder.rglob("id1.copy"):
        file.unlink()
    with pytest.raises(LookupError, match="no message id1 in the quarantine"):
        actions.learn(["id1"], ActionRequest(), spam=True)
    with pytest.raises(LookupError):
        actions.rescan("id1")


def test_rest_has_it_too(recent: Recent) -> None:
    token = recent.state.tokens.add("ci", "admin")
    asked = recent.another()
    asked.headers["Authorization"] = f"Bearer {token}"
    answer = asked.get("/api/messages/id1")
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.text)["subject"] == "Offer"
    assert asked.get("/api/messages/id1/raw").content == MAIL
    answer = asked.post("/api/messages/learn", json={"ids": ["id1"], "class": "spam"})
    assert answer.json()["results"][0]["words"] == "learned as spam"
    answer = asked.post("/api/messages/release", json={"ids": ["id1"]})
    assert answer.json()["results"][0]["words"] == (
        "it is not in the quarantine: this is a copy of recent mail"
    )
