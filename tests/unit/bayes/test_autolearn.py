"""Autolearn: only other filters' evidence, few of one sender, never against a person, never in the
way of mail."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from filterd.bayes.site.autolearn import MESSAGE_LIMIT, AutolearnSettings, Queue, evident, sender_of
from filterd.bayes.site.autolearn_learning import learn_queued
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.journal import LearningJournal
from filterd.bayes.site.learner import Learner, LearnOutcome
from filterd.config import load as config
from filterd.config.assembly import build_pipeline
from filterd.lab.samples import GTUBE
from filterd.message import Envelope, Message
from filterd.message.envelope import Client
from filterd.message.ids import new_id
from tests.helpers.commands import filterd
from tests.helpers.learning import empty_folder
from tests.helpers.training_mail import mail, message

pytestmark = pytest.mark.slow

ON = AutolearnSettings(enabled=True)
EVIDENT = {True: [("VIRUS", 20.0)], False: [("SENDER_ALLOWED", -20.0)]}


def sent(number: int, *, spam: bool, sender: str = "a@x.example", id: str = "") -> Message:
    return Message(mail(number, spam=spam), Envelope(sender), id or new_id())


@pytest.fixture(params=["sqlite", "postgresql"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> ModelFolder:
    return empty_folder(request, tmp_path)


@pytest.fixture
def queue(folder: ModelFolder) -> Queue:
    return Queue(folder.path, ON)


@pytest.mark.parametrize(
    ("points", "label"),
    [
        ([], None),
        ([("GTUBE", 1000.0)], None),
        ([("VIRUS", 15.0)], True),
        ([("BAYES_999", 1000.0)], None),
        ([("BAYES_999", 14.9), ("SKLEARN_999", 14.9), ("BANNED_PART", 14.9)], None),
        ([("BAYES_00", -30.0)], None),
        ([("SENDER_ALLOWED", -20.0), ("BAYES_999", 14.9)], False),
        ([("SENDER_ALLOWED", -20.0), ("VIRUS", 20.0)], None),
        ([("SENDER_BLOCKED", 20.0), ("BAYES_00", -3.0)], True),
        ([("BANNED_PART", 8.0), ("SENDER_BLOCKED", 7.0)], True),
    ],
)
def test_only_what_other_filters_found_is_evidence(
    points: list[tuple[str, float]], label: bool | None
) -> None:
    assert evident(points, ON) is label


@given(
    st.lists(
        st.tuples(st.sampled_from(["BAYES_00", "BAYES_999", "SKLEARN_99"]), st.floats(-1e9, 1e9))
    )
)
def test_the_classifiers_own_opinion_never_is(points: list[tuple[str, float]]) -> None:
    assert evident(points, ON) is None


def test_a_queued_copy_is_learned_and_the_journal_says_by_whom(
    folder: ModelFolder, queue: Queue
) -> None:
    assert queue.offer(sent(1, spam=True), EVIDENT[True])
    assert queue.offer(sent(2, spam=False), EVIDENT[False])
    assert not queue.offer(sent(3, spam=False), [("PARTS", 3.0)])
    assert learn_queued(folder, queue) == {"learned": 2}
    assert queue.waiting() == []
    journal = LearningJournal(folder)
    (batch,) = journal.batches()
    assert (batch.source, batch.spam, batch.ham) == ("autolearn", 1, 1)
    journal.close()
    assert learn_queued(folder, queue) == {}


def test_a_sender_is_learned_no_more_than_its_share_a_day(
    folder: ModelFolder, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(20):
        # As many addresses as he likes: it is one domain.
        queue.offer(sent(n, spam=True, sender=f"u{n}@Many.example"), EVIDENT[True])
    for n in range(20, 23):
        assert queue.offer(sent(n, spam=True, sender="few@b.example"), EVIDENT[True])
    assert learn_queued(folder, queue) == {"learned": 5 + 3}
    for n in range(30, 33):
        assert queue.offer(sent(n, spam=True, sender="u@many.example"), EVIDENT[True])
        assert queue.offer(sent(n + 10, spam=True, sender="few@b.example"), EVIDENT[True])
    assert learn_queued(folder, queue) == {"capped": 3 + 1, "learned": 2}
    monkeypatch.setattr("filterd.bayes.site.journal._today", lambda: "2199-01-01")
    assert queue.offer(sent(50, spam=True, sender="u@many.example"), EVIDENT[True])
    assert learn_queued(folder, queue) == {"learned": 1}


def test_all_senders_together_have_a_share_a_day(folder: ModelFolder) -> None:
    queue = Queue(folder.path, AutolearnSettings(enabled=True, per_day=7))
    for n in range(10):
        queue.offer(sent(n, spam=True, sender=f"a@{n}.example"), EVIDENT[True])
    assert learn_queued(folder, queue) == {"learned": 7, "capped": 3}


def test_a_person_is_never_overruled_and_always_overrules(
    folder: ModelFolder, queue: Queue
) -> None:
    with Learner(folder, "cli:ann") as learner:
        learner.learn(message(1, spam=True), spam=False)
    queue.offer(sent(1, spam=True), EVIDENT[True])
    queue.offer(sent(2, spam=True), EVIDENT[True])
    assert learn_queued(folder, queue) == {"kept": 1, "learned": 1}
    with Learner(folder, "cli:ann") as learner:
        assert learner.learn(message(2, spam=True), spam=False) is LearnOutcome.MOVED
    queue.offer(sent(2, spam=True), EVIDENT[True])
    assert learn_queued(folder, queue) == {"kept": 1}


def test_the_copy_in_the_mailbox_corrects_what_was_learned_of_the_one_on_the_way(
    folder: ModelFolder, queue: Queue
) -> None:
    queue.offer(sent(1, spam=False), EVIDENT[True])
    learn_queued(folder, queue)
    delivered = (
        b"Return-Path: <a@x.example>\r\nDelivered-To: joe@mx.example\r\n"
        b"Received: from x.example by mx.example (Postfix); Mon, 23 Nov 2026 10:00:01 +0000\r\n"
        b"X-Spam-Flag: YES\r\n" + mail(1, spam=False).replace(b"\n", b"\r\n")
    )
    with Learner(folder, "dovecot:joe") as learner:
        assert learner.learn(Message(delivered), spam=False) is LearnOutcome.MOVED
    stored = folder.load_current()
    assert stored is not None
    assert (stored.model.spam, stored.model.ham) == (0, 1)


def taught(folder: ModelFolder, count: int) -> None:
    """Teach that many messages of each class, by a person."""
    with Learner(folder, "cli:ann") as learner:
        for n in range(1000, 1000 + count):
            for spam in (True, False):
                learner.learn(message(n, spam=spam), spam=spam)


@pytest.mark.parametrize(
    ("count", "disputed", "outcome"),
    [(60, False, "disputed"), (60, True, "learned"), (10, False, "learned")],
)
@pytest.mark.parametrize("spam", [True, False])
def test_what_the_sites_model_is_sure_of_is_not_taught_otherwise(
    count: int, disputed: bool, outcome: str, spam: bool, folder: ModelFolder
) -> None:
    taught(folder, count)
    queue = Queue(folder.path, AutolearnSettings(enabled=True, disputed=disputed))
    queue.offer(sent(1, spam=not spam), EVIDENT[spam])
    queue.offer(sent(2, spam=spam, sender="b@y.example"), EVIDENT[spam])
    assert learn_queued(folder, queue) == Counter([outcome, "learned"])


def test_a_machines_lesson_weighs_less_and_is_taken_back_exactly(folder: ModelFolder) -> None:
    def weights() -> NDArray[np.float32]:
        stored = folder.load_current()
        assert stored is not None
        return stored.model.weights.copy()

    taught(folder, 5)
    before = weights()
    one = message(1, spam=True)
    moved = {}
    for source in ("cli:ann", "autolearn"):
        with Learner(folder, source) as learner:
            learner.learn(one, spam=True)
        moved[source] = float(np.abs(weights() - before).max())
        with Learner(folder, source) as learner:
            learner.undo(learner.journal.batches()[1].id)
        assert np.array_equal(weights(), before)
        one = message(2, spam=True)
    assert 0 < moved["autolearn"] < moved["cli:ann"] / 4


def test_the_queue_is_bounded(folder: ModelFolder) -> None:
    queue = Queue(folder.path, AutolearnSettings(enabled=True, queue_messages=3))
    came = [
        queue.offer(sent(n, spam=True, sender=f"a@{n}.example"), EVIDENT[True]) for n in range(9)
    ]
    assert came == [True] * 3 + [False] * 6
    large = Message(mail(1, spam=True) + b"x" * MESSAGE_LIMIT, Envelope("a@x.example"), new_id())
    assert not Queue(folder.path / "other", ON).offer(large, EVIDENT[True])


def test_a_disk_that_refuses_costs_a_lesson_and_one_line_of_log(
    folder: ModelFolder, caplog: pytest.LogCaptureFixture
) -> None:
    folder.path.mkdir()
    queue = Queue(folder.path, ON)
    queue.folder.write_text("a file where the folder should be")
    for n in range(3):
        assert not queue.offer(sent(n, spam=True), EVIDENT[True])
    assert caplog.text.count("nothing is queued") == 1


def test_a_crash_before_the_copies_are_deleted_learns_nothing_twice(
    folder: ModelFolder, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.offer(sent(1, spam=True), EVIDENT[True])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", _crash)
        with pytest.raises(KeyboardInterrupt):
            learn_queued(folder, queue)
    assert len(queue.waiting()) == 1
    assert learn_queued(folder, queue) == {"known": 1}
    stored = folder.load_current()
    assert stored is not None
    assert stored.model.spam == 1


_unlink = Path.unlink


def _crash(path: Path, missing_ok: bool = False) -> None:
    if path.suffix == ".eml":
        raise KeyboardInterrupt
    _unlink(path, missing_ok)


def test_files_that_are_no_copies_are_left_alone(folder: ModelFolder, queue: Queue) -> None:
    queue.folder.mkdir(parents=True)
    (queue.folder / "notes.eml").write_bytes(b"mine")
    (queue.folder / ".spam-0123456789abcdef-half.eml").write_bytes(b"half")
    assert queue.waiting() == []


def test_who_sent_it() -> None:
    def of(sender: str, address: str = "") -> str:
        return sender_of(Message(b"", Envelope(sender, client=Client(address=address))))

    assert of("a@x.example") == of("<B@X.EXAMPLE>") != of("a@y.example")
    assert of("", "192.0.2.1") == of("<>", "192.0.2.1") != of("<>", "192.0.2.2")


SETTINGS = """
[chain]
filters = ["gtube", "bayes"]
[autolearn]
enabled = {enabled}
not_evidence = ["BAYES_*"]
[filters.bayes]
models = "models"
[quarantine]
folder = "quarantine"
"""


def test_mail_through_the_chain_is_queued_and_learned_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "filterd.toml"
    body = b"Subject: test\r\nFrom: a@x.example\r\n\r\n" + GTUBE.encode() + b"\r\n"
    for enabled, waiting in (("false", 0), ("true", 1)):
        file.write_text(SETTINGS.format(enabled=enabled))
        pipeline = build_pipeline(config.load(file))
        pipeline.process(Message(body, Envelope("a@x.example"), new_id()))
        pipeline.process(sent(1, spam=True))
        assert len(Queue(tmp_path / "models", ON).waiting()) == waiting
    status, out, err = filterd(monkeypatch, capsys, "learn", "auto", "--config", file, "--json")
    assert (status, json.loads(out)) == (0, {"learned": 1}), err
    file.write_text(SETTINGS.format(enabled="false"))
    assert filterd(monkeypatch, capsys, "learn", "auto", "--config", file)[1] == ""


def test_offline_scans_teach_nothing(tmp_path: Path) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(SETTINGS.format(enabled="true"))
    pipeline = build_pipeline(config.load(file), keeping=False)
    pipeline.process(Message(b"\r\n" + GTUBE.encode(), Envelope("a@x.example"), new_id()))
    assert not (tmp_path / "models").exists()
