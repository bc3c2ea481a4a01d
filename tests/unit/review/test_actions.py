"""Review actions: one way to do things with kept mail, for command line, REST and pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.journal import LearningJournal
from filterd.config.load import load
from filterd.filters.gtube import STRING
from filterd.filters.senders import list as senders
from filterd.filters.senders.filter import Senders
from filterd.filters.senders.settings import SendersSettings
from filterd.message import Client, Envelope, Message, Recipient
from filterd.quarantine.journal import Event
from filterd.review.actions import ActionError, ActionRequest, ReviewActions
from filterd.workers import sandbox
from filterd.workers.sandbox import SandboxError
from tests.helpers.entries import new
from tests.helpers.postgresql import emptied
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.reports import revised

ANN = "web:ann"
BY_ANN = ActionRequest(ANN, "web")


@pytest.fixture
def mta() -> Iterator[Mta]:
    with running() as mta:
        yield mta


@pytest.fixture
def actions(tmp_path: Path, mta: Mta) -> ReviewActions:
    return opened(tmp_path, mta.port)


def opened(folder: Path, port: int = 1, more: str = "", database: str = "") -> ReviewActions:
    config = folder / "filterd.toml"
    config.write_text(
        '[chain]\nfilters = ["senders", "gtube"]\n'
        f'[quarantine]\nfolder = "{folder}/q"\nrelease_port = {port}\nrelease_timeout = 5.0\n'
        f'[filters.bayes]\nmodels = "{folder}/models"\ndatabase = "{database}"\n'
        f'[filters.senders]\nfile = "{folder}/senders"\n{more}'
    )
    return ReviewActions(load(config))


def told(actions: ReviewActions, id: str) -> list[str]:
    def line(event: Event) -> str:
        return f"{event.who} {event.what} {event.note}".rstrip()

    return [line(event) for event in actions.store.journal.events(id)]


def test_a_release_says_what_the_mta_said_of_each_recipient(
    actions: ReviewActions, mta: Mta
) -> None:
    actions.store.put(new("id1"))
    mta.answers["DOT"] = "250 2.0.0 Ok: queued as 4F2A"
    (done,) = actions.release(["id1"], replace(BY_ANN, note="asked for it"))
    assert done.ok
    assert "250 2.0.0 Ok: queued as 4F2A" in done.words
    assert [one["state"] for one in done.detail["recipients"]] == ["released"] * len(mta.taken)
    (again,) = actions.release(["id1"], BY_ANN)
    assert again.ok
    assert "was released already" in again.words
    assert len(mta.taken) == len(done.detail["recipients"])


def test_what_must_not_be_released_is_said(actions: ReviewActions) -> None:
    actions.store.put(revised(new("id1"), virus="Evil"))
    (done,) = actions.release(["id1"], BY_ANN)
    assert not done.ok
    assert "contains Evil" in done.words


def test_released_mail_is_learned_and_what_was_refused_is_not(
    actions: ReviewActions, mta: Mta
) -> None:
    actions.store.put(new("id1"))
    actions.store.put(revised(new("id2"), data=b"Subject: other\r\n\r\nx\r\n", virus="E"))
    first, second = actions.release_and_learn(["id1", "id2"], BY_ANN)
    assert first.ok
    assert first.detail["outcome"] == "learned"
    assert not second.ok
    assert f"{ANN} learned ham" in told(actions, "id1")
    assert not any("learned" in line for line in told(actions, "id2"))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_learning_is_in_the_models_journal_with_who(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    url = emptied(request.getfixturevalue(database)) if database == "postgresql" else ""
    actions = opened(tmp_path, database=url)
    actions.store.put(new("id1"))
    (done,) = actions.learn(["id1"], replace(BY_ANN, note="clear"), spam=True)
    assert done.words == "learned as spam"
    (done,) = actions.learn(["id1"], BY_ANN, spam=True)
    assert done.words == "already learned as spam"
    (done,) = actions.learn(["id1"], BY_ANN, spam=False)
    assert done.words == "learned as ham, and no longer as spam"
    assert ModelFolder(tmp_path / "models").load_current() is not None
    journal = LearningJournal(ModelFolder(tmp_path / "models", url))
    assert {batch.source for batch in journal.batches()} == {ANN}
    journal.close()
    assert f"{ANN} learned spam clear" in told(actions, "id1")


def test_deleted_mail_cannot_be_learned_and_the_rest_is(actions: ReviewActions) -> None:
    actions.store.put(new("id1"))
    actions.store.put(new("id2"))
    (gone,) = actions.delete(["id1"], replace(BY_ANN, note="junk"))
    assert gone.detail["octets"] > 0
    first, second = actions.learn(["id1", "id2"], BY_ANN, spam=True)
    assert (first.ok, second.ok) == (False, True)
    assert actions.delete(["id1"], BY_ANN)[0].words == "was already deleted"


def test_a_model_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    actions = opened(tmp_path)
    (tmp_path / "models").write_text("a file, not a folder")
    actions.store.put(new("id1"))
    with pytest.raises(ActionError, match="cannot be taught"):
        actions.learn(["id1"], BY_ANN, spam=True)


def test_senders_are_listed_for_the_messages_recipients_or_for_all(actions: ReviewActions) -> None:
    actions.store.put(new("id1"))
    entry = actions.store.get("id1")
    path = actions.senders.file
    actions.list_senders("allow", ["id1"], BY_ANN)
    assert {e.recipient for e in senders.read(path)} == set(entry.held_for or entry.recipients)
    actions.list_senders("block", ["id1"], replace(BY_ANN, everybody=True))
    assert senders.SenderEntry("block", entry.sender) in senders.read(path)
    (done,) = actions.list_senders("block", ["id1"], replace(BY_ANN, everybody=True))
    assert "nothing to change" in done.words
    actions.list_senders("block", ["id1"], replace(BY_ANN, everybody=True, off=True))
    assert senders.SenderEntry("block", entry.sender) not in senders.read(path)


@pytest.mark.parametrize(
    ("sender", "recipients"),
    [
        ("jürgen@müller.example", ("joe@mx.example",)),
        ("jürgen@müller.example".encode().decode("ascii", "surrogateescape"), ("joe@mx.example",)),
        ("ann@a.example", ("jürgen@mx.example", '"team"@mx.example', "joe+x@mx.example")),
        ("ann@a.example", ("postmaster",)),
        ('"ann lee"@a.example', ('"joe smith"@mx.example',)),
        ('"a#b"@a.example', ("joe@mx.example",)),
        ("@relay.example:ann@a.example", ("@relay.example:joe@mx.example",)),
        ("ann@[192.0.2.1]", ("joe@[IPv6:2001:db8::1]",)),
    ],
)
def test_who_is_allowed_gets_points_and_off_takes_them_back(
    actions: ReviewActions, sender: str, recipients: tuple[str, ...]
) -> None:
    envelope = Envelope(sender, tuple(map(Recipient, recipients)))
    actions.store.put(revised(new("id1"), envelope=envelope, held_for=recipients))

    def score() -> float:
        examined = Senders(SendersSettings(actions.senders.file)).examine(
            Message(b"A: b\r\n\r\n", envelope)
        )
        return examined.score

    actions.senders.file.write_text(f"# by hand\nblock {senders.EVERYBODY}\n")
    blocked = score()
    (done,) = actions.list_senders("allow", ["id1"], BY_ANN)
    assert done.ok
    assert "allowed" in done.words
    assert score() < 0 < blocked
    (done,) = actions.list_senders("allow", ["id1"], replace(BY_ANN, off=True))
    assert "unlisted" in done.words
    assert score() == blocked


@pytest.mark.parametrize("sender", ["ann\udce9@a.example", "a\x01b@a.example", "ann@192.0.2.1"])
def test_a_sender_that_no_entry_could_name_is_not_called_allowed(
    actions: ReviewActions, sender: str
) -> None:
    envelope = Envelope(sender, (Recipient("joe@mx.example"),))
    actions.store.put(revised(new("id1"), envelope=envelope, held_for=()))
    (done,) = actions.list_senders("allow", ["id1"], BY_ANN)
    listed = Senders(SendersSettings(actions.senders.file)).examine(
        Message(b"A: b\r\n\r\n", envelope)
    )
    assert done.ok == (listed.score < 0)


def test_the_null_sender_cannot_be_listed(actions: ReviewActions) -> None:
    envelope = Envelope("", (Recipient("joe@mx.example"),))
    actions.store.put(revised(new("id1"), envelope=envelope))
    (done,) = actions.list_senders("block", ["id1"], BY_ANN)
    assert not done.ok
    assert "stands for many" in done.words


def test_pins(actions: ReviewActions) -> None:
    actions.store.put(new("id1"))
    assert actions.pin(["id1"], BY_ANN, pinned=True)[0].words == "pinned: does not expire"
    assert actions.store.delivery_state("id1").pinned
    actions.pin(["id1"], BY_ANN, pinned=False)
    assert not actions.store.delivery_state("id1").pinned


def test_a_scan_is_what_would_happen_now_and_changes_nothing(actions: ReviewActions) -> None:
    envelope = Envelope("a@b.example", (Recipient("joe@mx.example"),), Client("", "192.0.2.1"))
    found = actions.scan(b"Subject: test\n\n" + STRING + b"\n", envelope)
    assert [s.name for s in found.symbols] == ["GTUBE"]
    assert found.action == "reject"
    assert found.reply is not None
    assert found.reply.code == 550
    assert set(found.milliseconds) == {"senders", "gtube"}
    assert actions.store.index.counts() == []


def test_a_rescan_goes_by_todays_settings(actions: ReviewActions) -> None:
    actions.store.put(new("id1"))
    before = actions.rescan("id1").score
    actions.list_senders("block", ["id1"], replace(BY_ANN, everybody=True))
    assert actions.rescan("id1").score > before


def test_a_filter_that_cannot_start_is_told(tmp_path: Path) -> None:
    (tmp_path / "senders").write_text("nonsense\n")
    actions = opened(tmp_path)
    with pytest.raises(ActionError, match=r"senders:1: is not an entry"):
        actions.scan(b"Subject: x\n\nx")


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"nothing",
        b"{}",
        b'{"action": "explode"}',
        b'{"action": "accept", "score": "high"}',
        b"[" * 100_000,
        b"x" * (sandbox.ANSWER_LIMIT + 1),
    ],
)
def test_a_child_in_the_hands_of_a_message_is_not_believed(output: bytes) -> None:
    with pytest.raises(SandboxError):
        sandbox._checked(Message(b"\r\n"), output)
