"""Teaching: idempotent, reversible, and whole after a crash at any moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.reading import message_key
from filterd.bayes.model.store import Card, ModelFileError, StoredModel
from filterd.bayes.model.tokens import Hasher
from filterd.bayes.site import learner as learner_module
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.learned import JournalError
from filterd.bayes.site.learner import Learner, LearnOutcome
from filterd.message import Message
from tests.helpers.learning import contents, empty_folder, kill_and_check, model_of
from tests.helpers.training_mail import mail, message

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", "postgresql"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> ModelFolder:
    """A folder whose journal is in either database."""
    return empty_folder(request, tmp_path)


def teach(
    folder: ModelFolder, numbers: range, *, spam: bool, source: str = "cli:test"
) -> list[LearnOutcome]:
    with Learner(folder, source) as learner:
        return [learner.learn(message(n, spam=spam), spam=spam) for n in numbers]


def same(a: OnlineModel, b: OnlineModel) -> bool:
    return (
        np.array_equal(a.weights, b.weights)
        and np.array_equal(a.counts, b.counts)
        and (a.spam, a.ham, a.spam_counted, a.ham_counted)
        == (b.spam, b.ham, b.spam_counted, b.ham_counted)
    )


def test_learning_a_message_twice_changes_nothing(folder: ModelFolder) -> None:
    assert teach(folder, range(5), spam=True) == [LearnOutcome.LEARNED] * 5
    first = folder.current()
    assert teach(folder, range(5), spam=True) == [LearnOutcome.KNOWN] * 5
    assert folder.current() == first
    assert contents(folder) == {True: 5, False: 0}


def test_learning_as_the_other_class_moves_it(folder: ModelFolder) -> None:
    teach(folder, range(5), spam=True)
    with Learner(folder, "cli:test") as learner:
        assert learner.learn(message(0, spam=True), spam=False) is LearnOutcome.MOVED
    assert contents(folder) == {True: 4, False: 1}
    assert (model_of(folder).spam, model_of(folder).ham) == (4, 1)


def test_forgetting_restores_the_model_bit_for_bit(folder: ModelFolder) -> None:
    teach(folder, range(4), spam=True)
    teach(folder, range(4), spam=False)
    before = model_of(folder).copy()
    teach(folder, range(4, 9), spam=True)
    assert not same(before, model_of(folder))
    with Learner(folder, "cli:test") as learner:
        for n in (6, 4, 8, 5, 7):
            assert learner.forget(message(n, spam=True)) is LearnOutcome.FORGOTTEN
        assert learner.forget(message(77, spam=True)) is LearnOutcome.UNKNOWN
    assert same(before, model_of(folder))


def test_what_a_window_was_taught_is_in_the_journal(folder: ModelFolder) -> None:
    """A later process forgets it bit for bit, an undo as well."""
    teach(folder, range(60), spam=True)
    teach(folder, range(60), spam=False)
    before = model_of(folder).copy()
    header, _, body = mail(7, spam=False, words=1500).partition(b"\n\n")
    quoted = mail(7, spam=True, words=200).partition(b"\n\n")[2]
    letter = Message(header + b"\n\n" + body + quoted)
    with Learner(folder, "cli:test") as learner:
        learner.learn(letter, spam=False)
    with Learner(folder, "cli:test") as learner:
        found = learner.journal.find(message_key(letter))
        assert found is not None
        assert found.lesson.window is not None
        assert learner.forget(letter) is LearnOutcome.FORGOTTEN
    assert same(before, model_of(folder))
    with Learner(folder, "cli:test") as learner:
        learner.learn(letter, spam=False)
    assert not same(before, model_of(folder))


def test_a_message_is_the_same_with_other_line_ends_and_mailbox_notes() -> None:
    data = mail(1, spam=True)
    key = message_key(Message(data))
    assert message_key(Message(data.replace(b"\n", b"\r\n"))) == key
    assert message_key(Message(b"Status: RO\nX-Spam-Flag: YES\n" + data + b"\n")) == key
    assert message_key(Message(b"Received: by mx.example; now\n" + data)) == key
    assert message_key(Message(data.replace(b"Subject: ", b"Subject: x"))) != key


def test_undo_takes_out_a_batch_from_the_middle(folder: ModelFolder) -> None:
    teach(folder, range(5), spam=True)  # batch 1
    teach(folder, range(5), spam=False)  # batch 2
    before = model_of(folder).copy()
    teach(folder, range(20, 30), spam=True)  # batch 3
    teach(folder, range(40, 45), spam=False)  # batch 4
    added = model_of(folder).weights - before.weights
    with Learner(folder, "cli:test") as learner:
        learner.undo(3)
    assert contents(folder) == {True: 5, False: 10}
    with Learner(folder, "cli:test") as learner:
        learner.undo(4)
    assert np.any(added)
    assert same(before, model_of(folder))


def test_undo_gives_back_the_class_that_a_batch_changed(folder: ModelFolder) -> None:
    teach(folder, range(3), spam=True)
    before = model_of(folder).copy()
    with Learner(folder, "cli:test") as learner:
        learner.learn(message(0, spam=True), spam=False)
        learner.forget(message(1, spam=True))
    with Learner(folder, "cli:test") as learner, pytest.raises(JournalError, match="undo them"):
        learner.undo(1)
    with Learner(folder, "cli:test") as learner:
        learner.undo(2)
    assert same(before, model_of(folder))
    assert contents(folder) == {True: 3, False: 0}
    with Learner(folder, "cli:test") as learner, pytest.raises(JournalError, match="undone"):
        learner.undo(2)


def test_rollback_puts_an_earlier_version_in_force(folder: ModelFolder) -> None:
    teach(folder, range(5), spam=True)
    first = model_of(folder).copy()
    generation = folder.current()
    assert generation is not None
    teach(folder, range(5), spam=False)
    with Learner(folder, "cli:test") as learner:
        learner.go_back(generation)
    assert same(first, model_of(folder))
    assert contents(folder) == {True: 5, False: 0}
    assert teach(folder, range(5), spam=False) == [LearnOutcome.LEARNED] * 5
    with Learner(folder, "cli:test") as learner, pytest.raises(JournalError, match="no version 2"):
        learner.go_back(2)


def test_no_machine_overrules_a_person(folder: ModelFolder) -> None:
    teach(folder, range(1), spam=False, source="web:ann")
    with Learner(folder, "auto:clamav") as learner:
        assert learner.learn(message(0, spam=False), spam=True) is LearnOutcome.KEPT
        assert learner.forget(message(0, spam=False)) is LearnOutcome.KEPT
    with Learner(folder, "cli:root") as learner:
        assert learner.forget(message(0, spam=False)) is LearnOutcome.FORGOTTEN
    with Learner(folder, "auto:clamav") as learner:
        assert learner.learn(message(0, spam=False), spam=True) is LearnOutcome.KEPT


def test_an_exception_keeps_what_was_committed(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner_module, "CHECKPOINT_MESSAGES", 4)
    with pytest.raises(KeyboardInterrupt), Learner(folder, "cli:test") as learner:
        for n in range(10):
            learner.learn(message(n, spam=True), spam=True)
        raise KeyboardInterrupt
    assert contents(folder) == {True: 8, False: 0}
    assert model_of(folder).spam == 8
    outcomes = teach(folder, range(10), spam=True)
    assert outcomes == [LearnOutcome.KNOWN] * 8 + [LearnOutcome.LEARNED] * 2


def test_training_afresh_replaces_the_model_and_can_be_undone(folder: ModelFolder) -> None:
    teach(folder, range(5), spam=True)
    before = model_of(folder).copy()
    with Learner(folder, "cli:test", fresh=True) as learner:
        learner.learn(message(50, spam=False), spam=False)
    assert contents(folder) == {True: 0, False: 1}
    assert (model_of(folder).spam, model_of(folder).ham) == (0, 1)
    with Learner(folder, "cli:test") as learner:
        learner.undo(2)
    assert same(before, model_of(folder))
    assert contents(folder) == {True: 5, False: 0}


@pytest.mark.server
@pytest.mark.parametrize("delay", [0.0, 0.011, 0.05, 0.13])
def test_kill_9_leaves_model_and_journal_in_agreement(folder: ModelFolder, delay: float) -> None:
    kill_and_check(folder, delay)


def test_a_person_who_agrees_with_a_machine_is_never_overruled_by_one(folder: ModelFolder) -> None:
    one = message(1, spam=True)

    def told(source: str, *, spam: bool) -> LearnOutcome:
        with Learner(folder, source) as learner:
            return learner.learn(one, spam=spam)

    assert told("autolearn", spam=True) is LearnOutcome.LEARNED
    assert told("cli:ann", spam=True) is LearnOutcome.KNOWN
    assert told("autolearn", spam=False) is LearnOutcome.KEPT
    assert contents(folder) == {True: 1, False: 0}


def test_what_a_person_made_forget_no_machine_teaches_again(folder: ModelFolder) -> None:
    one = message(1, spam=True)
    with Learner(folder, "autolearn") as learner:
        learner.learn(one, spam=True)
    with Learner(folder, "cli:ann") as learner:
        assert learner.forget(one) is LearnOutcome.FORGOTTEN
    with Learner(folder, "autolearn") as learner:
        assert learner.learn(one, spam=True) is LearnOutcome.KEPT
    assert contents(folder) == {True: 0, False: 0}


def test_a_persons_word_survives_undo_and_rollback(folder: ModelFolder) -> None:
    one = message(1, spam=True)
    with Learner(folder, "autolearn") as learner:
        learner.learn(one, spam=True)
    with Learner(folder, "cli:ann") as learner:
        learner.learn(one, spam=True)
    with Learner(folder, "cli:ann") as learner:
        learner.undo(1)
    assert contents(folder) == {True: 0, False: 0}
    with Learner(folder, "autolearn") as learner:
        assert learner.learn(one, spam=True) is LearnOutcome.KEPT


def test_a_model_from_elsewhere_is_adopted_with_its_salt(folder: ModelFolder) -> None:
    teach(folder, range(5), spam=True)
    before = model_of(folder).copy()
    hasher = Hasher(b"another salt")
    theirs = OnlineModel.empty()
    for n in range(20):
        theirs.learn(hasher.features(message(n, spam=n % 2 == 0)), spam=n % 2 == 0)
    with Learner(folder, "cli:test") as learner:
        learner.adopt(StoredModel(Card(b"another salt"), theirs))
    stored = folder.load_current()
    assert stored is not None
    assert (stored.card.salt, stored.card.generation) == (b"another salt", 2)
    assert same(stored.model, theirs)
    assert contents(folder) == {True: 0, False: 0}
    # It is taught on with its own salt, and gone back from with the former one.
    assert teach(folder, range(100, 101), spam=True) == [LearnOutcome.LEARNED]
    with (
        pytest.raises(JournalError, match="later batches changed"),
        Learner(folder, "x") as learner,
    ):
        learner.undo(1)
    with pytest.raises(ModelFileError, match="rollback"), Learner(folder, "x") as learner:
        learner.undo(2)
    with Learner(folder, "cli:test") as learner:
        learner.go_back(1)
    assert same(model_of(folder), before)
    assert contents(folder) == {True: 5, False: 0}
    with Learner(folder, "cli:test") as learner:
        assert learner.forget(message(3, spam=True)) is LearnOutcome.FORGOTTEN
