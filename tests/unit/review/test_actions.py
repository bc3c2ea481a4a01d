"""Review actions: one way to do things with kept mail, for command line, REST and pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.journal import LearningJournal
from filterd.bayes.site.recipient_folder import RecipientFolder
from filterd.config.load import load
from filterd.filters.gtube import STRING
from filterd.filters.senders import list as senders
from filterd.filters.senders.filter import Senders
from filterd.filters.senders.settings import SendersSettings
from filterd.message import Client, Envelope, Message, Recipient
from filterd.message.authentication import Authentication, AuthResult, DmarcCheck, SpfCheck
from filterd.quarantine import StoreError, UnknownIdError
from filterd.quarantine.journal import Event
from filterd.quarantine.release import ReleaseOutcome, Releaser, ReleaseRequest
from filterd.review.actions import (
    ActionError,
    ActionRequest,
    ActionResult,
    ReviewActions,
    released,
)
from filterd.workers import sandbox
from filterd.workers.sandbox import SandboxError
from tests.helpers.entries import HOSTILE, new
from tests.helpers.postgresql import emptied
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.reports import revised

pytestmark = pytest.mark.slow

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


def test_a_release_is_asked_for_with_all_that_the_request_says(
    actions: ReviewActions, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ReleaseRequest] = []

    def release(_releaser: Releaser, one: ReleaseRequest) -> tuple[ReleaseOutcome, ...]:
        asked.append(one)
        return (ReleaseOutcome("joe@mx.test", "releasing", "", "", 0.0, False),)

    monkeypatch.setattr(Releaser, "release", release)
    request = ActionRequest(ANN, "web", "why", ("joe@mx.test",), "attached", True, True)
    results = actions.release(["id1", "id2"], request)
    assert [(one.id, one.ok, one.words) for one in results] == [
        ("id1", False, "joe@mx.test: was releasing already"),
        ("id2", False, "joe@mx.test: was releasing already"),
    ]
    assert asked == [
        ReleaseRequest(id, ANN, ("joe@mx.test",), "why", "attached", True, True)
        for id in ("id1", "id2")
    ]


def test_what_became_of_a_release_is_what_became_of_each_recipient() -> None:
    sent = ReleaseOutcome("joe@mx.test", "released", "250 2.0.0 Ok", "Q1", 0.0, True)
    had = ReleaseOutcome("sue@mx.test", "released", "250 2.0.0 Ok", "Q0", 0.0, False)
    later = ReleaseOutcome("max@mx.test", "failed", "452 4.3.1 full", "", 1_800_000_300.0, True)
    assert released("id1", [sent, had]) == ActionResult(
        "id1",
        True,
        "joe@mx.test: released 250 2.0.0 Ok; sue@mx.test: was released already 250 2.0.0 Ok",
        {"recipients": [asdict(sent), asdict(had)]},
    )
    assert released("id1", [later, sent]) == ActionResult(
        "id1",
        False,
        "max@mx.test: failed 452 4.3.1 full; joe@mx.test: released 250 2.0.0 Ok",
        {"recipients": [asdict(later), asdict(sent)]},
    )


def test_what_must_not_be_released_is_said(actions: ReviewActions) -> None:
    actions.store.put(revised(new("id1"), virus="Evil"))
    actions.store.put(new("id2"))
    actions.delete(["id2"], BY_ANN)
    actions.store.put(new("id3"))
    evil, gone, good = actions.release(["id1", "id2", "id3"], BY_ANN)
    assert evil == ActionResult(
        "id1", False, "id1 contains Evil; to release it, confirm that and give a reason"
    )
    assert gone == ActionResult("id2", False, "id2 was deleted; it can still be brought back")
    assert good.ok


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
    (plain,) = first.detail.pop("recipients")
    assert (plain["recipient"], plain["state"]) == ("joe@mx.test", "released")
    assert first.words == f"joe@mx.test: released {plain['reply']}; learned as ham"
    assert first.detail == {"class": "ham", "outcome": "learned", "learned": "learned as ham"}


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (StoreError(28, "No space left on device", "/var/spool/q"), "No space left on device"),
        (ActionError("the model is locked"), "the model is locked"),
    ],
)
def test_what_was_released_and_could_not_be_learned_is_told_with_both(
    actions: ReviewActions, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    def learn(*_: object, **__: object) -> list[ActionResult]:
        raise error

    actions.store.put(new("id1"))
    monkeypatch.setattr(actions, "learn", learn)
    (done,) = actions.release_and_learn(["id1"], BY_ANN)
    assert not done.ok
    assert done.words.startswith("joe@mx.test: released 250 ")
    assert done.words.endswith(f"; not learned: {why}")
    assert done.detail["learned"] == f"not learned: {why}"
    assert done.detail["recipients"][0]["state"] == "released"


def test_recipients_teach_models_of_their_own(tmp_path: Path) -> None:
    actions = opened(tmp_path)
    actions.store.put(new("id1"))
    own = replace(BY_ANN, own_models=("joe@mx.test", "sue@mx.test"))
    (done,) = actions.learn(["id1"], own, spam=False)
    assert (done.ok, done.words) == (True, "learned as ham")
    (done,) = actions.learn(["id1"], own, spam=False)
    assert done.words == "already learned as ham"
    assert f"{ANN} learned ham for joe@mx.test, sue@mx.test" in told(actions, "id1")
    models = RecipientFolder(tmp_path / "models")
    for owner in own.own_models:
        stored = models.load(owner)
        assert stored is not None
        assert (stored.model.spam, stored.model.ham) == (0, 1)
    assert ModelFolder(tmp_path / "models").load_current() is None
    with pytest.raises(ActionError, match="expected an address"):
        actions.learn(["id1"], replace(BY_ANN, own_models=("joe",)), spam=False)


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
    size = len(HOSTILE)
    until = gone.detail["until"]
    assert gone == ActionResult(
        "id1",
        True,
        f"{size} bytes deleted; for 24 hours that can be undone",
        {"octets": size, "until": until},
    )
    assert told(actions, "id1") == [f"{ANN} deleted junk"]
    results = actions.learn(["id1", "id2", "id1"], BY_ANN, spam=True)
    assert results == [
        ActionResult("id1", False, "id1 was deleted; it can still be brought back"),
        ActionResult("id2", True, "learned as spam", {"class": "spam", "outcome": "learned"}),
    ]
    assert told(actions, "id2") == [f"{ANN} learned spam"]
    assert actions.delete(["id1"], BY_ANN) == [
        ActionResult("id1", True, "was already deleted", {"octets": 0, "until": until})
    ]


def test_without_a_message_no_model_is_opened(actions: ReviewActions, tmp_path: Path) -> None:
    actions.store.put(new("id1"))
    actions.delete(["id1"], BY_ANN)
    (tmp_path / "models").write_text("a file, not a folder")
    assert [one.ok for one in actions.learn(["id1"], BY_ANN, spam=True)] == [False]
    assert actions.learn([], BY_ANN, spam=True) == []


def test_a_model_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    actions = opened(tmp_path)
    (tmp_path / "models").write_text("a file, not a folder")
    actions.store.put(new("id1"))
    with pytest.raises(ActionError, match=r"^the model cannot be taught now: .*models"):
        actions.learn(["id1"], BY_ANN, spam=True)
    assert told(actions, "id1") == []


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
    assert done == ActionResult("id1", False, "id1 has the null sender, which stands for many")
    assert not actions.senders.file.exists()


def test_an_entry_is_told_and_noted_for_each_recipient(actions: ReviewActions) -> None:
    envelope = Envelope(
        "ann@a.example",
        (Recipient("joe@mx.example"), Recipient("postmaster")),
        macros={"j": "host.example"},
    )
    actions.store.put(revised(new("id1"), envelope=envelope, held_for=()))
    (done,) = actions.list_senders("allow", ["id1"], replace(BY_ANN, note="a friend"))
    joe = "allow ann@a.example for joe@mx.example"
    postmaster = "allow ann@a.example for postmaster@host.example"
    assert done == ActionResult(
        "id1",
        True,
        f"{joe}: allowed; {postmaster}: allowed",
        {"entries": [{"entry": joe, "changed": True}, {"entry": postmaster, "changed": True}]},
    )
    block = "block ann@a.example for joe@mx.example"
    asked = replace(BY_ANN, recipients=("joe@mx.example",))
    (done,) = actions.list_senders("block", ["id1"], asked)
    assert (done.words, done.detail) == (
        f"{block}: blocked",
        {"entries": [{"entry": block, "changed": True}]},
    )
    (done,) = actions.list_senders("block", ["id1"], asked)
    assert (done.ok, done.words, done.detail) == (
        True,
        f"{block}: nothing to change",
        {"entries": [{"entry": block, "changed": False}]},
    )
    (done,) = actions.list_senders("block", ["id1"], replace(asked, off=True))
    assert done.words == f"{block}: unlisted"
    # What changed nothing is not in the journal.
    assert told(actions, "id1") == [
        f"{ANN} allowed {joe} a friend",
        f"{ANN} allowed {postmaster} a friend",
        f"{ANN} blocked {block}",
        f"{ANN} unlisted {block}",
    ]


def test_what_no_entry_can_name_is_told_with_what_was_listed_before_it(
    actions: ReviewActions,
) -> None:
    envelope = Envelope(
        "ann@a.example", (Recipient("joe@mx.example"), Recipient("x\x01@b.example"))
    )
    actions.store.put(revised(new("id1"), envelope=envelope, held_for=()))
    (done,) = actions.list_senders("allow", ["id1"], BY_ANN)
    joe = "allow ann@a.example for joe@mx.example"
    assert (done.id, done.ok) == ("id1", False)
    assert done.words.startswith("not listed: ")
    assert done.detail == {"entries": [{"entry": joe, "changed": True}]}


def test_a_list_that_cannot_be_changed_is_named(actions: ReviewActions) -> None:
    actions.store.put(new("id1"))
    path = actions.senders.file
    path.write_text("nonsense\n")
    with pytest.raises(ActionError, match=rf"^{path}:1: is not an entry; expected `allow SENDER"):
        actions.list_senders("allow", ["id1"], BY_ANN)
    path.unlink()
    path.mkdir()
    with pytest.raises(ActionError, match=rf"^{path}: "):
        actions.list_senders("allow", ["id1"], BY_ANN)
    assert told(actions, "id1") == []


@pytest.mark.parametrize(
    ("name", "more", "kind", "why"),
    [
        ("gtube", "", "allow", '"senders" is not in [chain] filters'),
        ("senders", "dry_run = true", "block", "[filters.senders] has dry_run = true"),
        ("senders", "allow_score = 0", "allow", "[filters.senders] has allow_score = 0"),
        ("senders", "block_score = 0", "block", "[filters.senders] has block_score = 0"),
        ("senders", "allow_score = 0", "block", ""),
        ("senders", "block_score = 0", "allow", ""),
    ],
)
def test_what_would_have_no_effect_is_not_listed(
    tmp_path: Path, name: str, more: str, kind: senders.Kind, why: str
) -> None:
    actions = opened(tmp_path, more=more)
    config = tmp_path / "filterd.toml"
    config.write_text(config.read_text().replace('["senders", "gtube"]', f'["{name}"]'))
    actions = ReviewActions(load(config))
    actions.store.put(new("id1"))
    if why:
        with pytest.raises(ActionError) as error:
            actions.list_senders(kind, ["id1"], BY_ANN)
        assert str(error.value) == f"nothing was listed, it would have no effect: {why}"
        # What is in the list can be taken out all the same.
        (done,) = actions.list_senders(kind, ["id1"], replace(BY_ANN, off=True))
    else:
        (done,) = actions.list_senders(kind, ["id1"], BY_ANN)
    assert done.ok


def test_pins(actions: ReviewActions) -> None:
    actions.store.put(new("id1"))
    assert actions.pin(["id1"], replace(BY_ANN, note="a case"), pinned=True) == [
        ActionResult("id1", True, "pinned: does not expire", {"pinned": True})
    ]
    assert actions.store.delivery_state("id1").pinned
    assert actions.pin(["id1"], BY_ANN, pinned=False) == [
        ActionResult("id1", True, "unpinned: expires as others do", {"pinned": False})
    ]
    assert not actions.store.delivery_state("id1").pinned
    assert told(actions, "id1") == [f"{ANN} pinned a case", f"{ANN} unpinned"]


def test_who_takes_the_bytes_away_is_in_the_journal(actions: ReviewActions) -> None:
    actions.store.put(new("id1"))
    assert actions.download("id1", BY_ANN) == HOSTILE
    assert actions.download("id1", BY_ANN, 1) == HOSTILE[10:20]
    for id, number in (("id1", 2), ("id2", 0)):
        with pytest.raises(UnknownIdError):
            actions.download(id, BY_ANN, number)
    assert told(actions, "id1") == [f"{ANN} exported", f"{ANN} exported part 1"]


def test_a_scan_is_what_would_happen_now_and_changes_nothing(actions: ReviewActions) -> None:
    envelope = Envelope("a@b.example", (Recipient("joe@mx.example"),), Client("", "192.0.2.1"))
    found = actions.scan(b"Subject: test\n\n" + STRING + b"\n", envelope)
    assert [s.name for s in found.symbols] == ["GTUBE"]
    assert found.action == "reject"
    assert found.reply is not None
    assert found.reply.code == 550
    assert set(found.milliseconds) == {"senders", "gtube"}
    assert (found.sender, found.recipients) == ("a@b.example", ("joe@mx.example",))
    # Its lines end with CRLF then.
    assert found.size == len(b"Subject: test\n\n" + STRING + b"\n") + 3
    assert actions.store.index.counts() == []
    other = actions.scan(b"Subject: test\n\n")
    assert (other.sender, other.recipients, other.action) == ("", (), "accept")
    assert other.id != found.id


def test_a_rescan_goes_by_todays_settings(actions: ReviewActions) -> None:
    actions.store.put(new("id1"))
    before = actions.rescan("id1")
    entry = actions.store.get("id1")
    assert (before.id, before.sender, before.size) == ("id1", entry.sender, len(HOSTILE))
    actions.list_senders("block", ["id1"], replace(BY_ANN, everybody=True))
    assert actions.rescan("id1").score > before.score


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


PROVEN = Authentication(SpfCheck(AuthResult.PASS, "a.example"))
FORGED = Authentication(
    SpfCheck(AuthResult.FAIL, "a.example"), dmarc=DmarcCheck(AuthResult.FAIL, "a.example")
)


def allowed(
    folder: Path, chain: str, known: Authentication | None, request: ActionRequest = BY_ANN
) -> tuple[ActionResult, list[str]]:
    actions = opened(folder, more="[filters.auth]\n")
    file = actions.settings.source
    assert file is not None
    file.write_text(file.read_text().replace('["senders", "gtube"]', chain))
    actions = ReviewActions(load(file))
    envelope = Envelope("ann@a.example", (Recipient("joe@mx.example"),))
    actions.store.put(
        revised(new("id1"), envelope=envelope, held_for=("joe@mx.example",), authentication=known)
    )
    (done,) = actions.list_senders("allow", ["id1"], request)
    path = actions.senders.file
    return done, path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize(
    ("chain", "known", "unproven", "entry"),
    [
        ('["auth", "senders"]', PROVEN, False, " if proven"),
        ('["auth", "senders"]', None, False, " if proven"),
        ('["auth", "senders"]', PROVEN, True, ""),
        ('["auth", "senders"]', FORGED, True, ""),
        # Where nobody would prove it in time, the entry counts as ever.
        ('["senders", "auth"]', PROVEN, False, ""),
        ('["senders"]', FORGED, False, ""),
    ],
)
def test_a_new_entry_demands_proof_where_auth_runs_before(
    tmp_path: Path, chain: str, known: Authentication | None, unproven: bool, entry: str
) -> None:
    done, lines = allowed(tmp_path, chain, known, replace(BY_ANN, unproven=unproven))
    assert done.ok
    assert lines == [f"allow ann@a.example for joe@mx.example{entry}"]


def test_who_does_not_prove_it_is_not_allowed_unless_that_is_wanted(tmp_path: Path) -> None:
    done, lines = allowed(tmp_path, '["auth", "senders"]', FORGED)
    assert not done.ok
    assert done.words.startswith(
        "not listed: id1 does not prove to be from a.example (claims a.example, but fails)"
    )
    assert lines == []


def test_points_do_not_free_what_dmarc_holds(actions: ReviewActions) -> None:
    actions.store.put(revised(new("id1"), reason="dmarc", authentication=FORGED))
    (done,) = actions.list_senders("allow", ["id1"], replace(BY_ANN, unproven=True))
    assert not done.ok
    assert "it fails DMARC, which points do not change" in done.words
    (done,) = actions.list_senders("block", ["id1"], BY_ANN)
    assert done.ok


def test_an_entry_is_taken_out_whether_it_demands_proof_or_not(tmp_path: Path) -> None:
    allowed(tmp_path, '["auth", "senders"]', PROVEN)
    done, lines = allowed(tmp_path, '["auth", "senders"]', FORGED, replace(BY_ANN, off=True))
    assert done.ok
    assert lines == []
