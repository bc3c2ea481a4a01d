"""Models of recipients and domains: what one of them calls spam is nothing to the others."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.recipient import RecipientModel
from filterd.bayes.model.store import ModelFileError
from filterd.bayes.model.tokens import Hasher
from filterd.bayes.site import recipient_folder
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.learner import Learner, LearnOutcome
from filterd.bayes.site.recipient_folder import (
    RecipientFolder,
    RecipientLesson,
    StoredRecipient,
    encoded,
    owner_of,
    owners_of,
    read,
)
from filterd.bayes.site.recipient_learner import RecipientLearner
from filterd.filters.bayes.filter import Bayes
from filterd.filters.bayes.settings import BayesSettings
from filterd.filters.bayes.symbols import RECIPIENT
from filterd.message import Envelope, Message, Recipient
from tests.helpers.training_mail import mail, message

JOE, SUE, ANN = "joe@mx.example", "sue@mx.example", "ann@other.example"
HASHER = Hasher(b"salt of the test")
FEATURES = [HASHER.features(message(n, spam=n % 2 == 0)) for n in range(12)]


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    """A site that has learned a little of both."""
    folder = ModelFolder(tmp_path / "models")
    with Learner(folder, "cli:test") as learner:
        for n in range(30):
            for spam in (True, False):
                learner.learn(message(n, spam=spam), spam=spam)
    return folder


def teach(folder: ModelFolder, owner: str, numbers: range, *, was: bool, spam: bool) -> None:
    """Mail that the site knows as spam (`was`) or ham is spam or ham to this owner."""
    with RecipientLearner(folder, owner, starter=False) as learner:
        for n in numbers:
            learner.learn(message(n, spam=was), spam=spam)


def points(folder: ModelFolder, *recipients: str, spam: bool = True) -> dict[str, float]:
    """What one more message adds to the points of each recipient."""
    bayes = Bayes(BayesSettings(models=folder.path, starter=False))
    return given_by(bayes, *recipients, spam=spam)


def given_by(bayes: Bayes, *recipients: str, spam: bool = True) -> dict[str, float]:
    envelope = Envelope("a@b.example", tuple(Recipient(one) for one in recipients))
    verdict = bayes.examine(Message(mail(999, spam=spam), envelope))
    found = {}
    for one in verdict.points_apart:
        (symbol,) = one.symbols
        assert symbol.name == RECIPIENT
        assert "to the log-odds for" in symbol.detail
        found[one.recipient] = symbol.score
    return found


def test_what_one_recipient_calls_ham_stays_spam_to_the_others(folder: ModelFolder) -> None:
    assert points(folder, JOE, SUE) == {}
    teach(folder, JOE, range(100, 120), was=True, spam=False)
    found = points(folder, "JOE+shop@MX.example", SUE)
    assert list(found) == ["JOE+shop@MX.example"]
    assert found["JOE+shop@MX.example"] < -3.0
    assert points(folder, SUE, spam=False) == {}


def test_a_domains_model_counts_for_all_in_it(folder: ModelFolder) -> None:
    teach(folder, "@mx.example", range(100, 120), was=False, spam=True)
    found = points(folder, JOE, SUE, ANN, spam=False)
    assert found.keys() == {JOE, SUE}
    assert found[JOE] == found[SUE] > 3.0
    # Joe wants it all the same: his own model comes on top of the domain's.
    teach(folder, JOE, range(100, 140), was=False, spam=False)
    again = points(folder, JOE, SUE, spam=False)
    assert again[SUE] == found[SUE]
    assert again.get(JOE, 0.0) < 1.0


def test_a_lesson_counts_once_and_is_taken_back_exactly(folder: ModelFolder) -> None:
    one = message(1, spam=True)
    with RecipientLearner(folder, JOE, starter=False) as learner:
        assert learner.learn(one, spam=False) is LearnOutcome.LEARNED
        first = learner.stored.model.steps.copy()
        assert learner.learn(one, spam=False) is LearnOutcome.KNOWN
        assert np.array_equal(learner.stored.model.steps, first)
    with RecipientLearner(folder, JOE, starter=False) as learner:
        assert np.array_equal(learner.stored.model.steps, first)
        assert learner.learn(one, spam=True) is LearnOutcome.MOVED
        assert (learner.stored.model.spam, learner.stored.model.ham) == (1, 0)
    with RecipientLearner(folder, JOE, starter=False) as learner:
        assert learner.forget(message(2, spam=True)) is LearnOutcome.UNKNOWN
        assert learner.forget(one) is LearnOutcome.FORGOTTEN
    assert list(RecipientFolder(folder.path).files()) == []


@given(order=st.permutations(range(len(FEATURES))))
def test_all_lessons_are_taken_back_in_any_order(order: list[int]) -> None:
    model = RecipientModel()
    steps = [model.learn(one, 0.0, spam=n % 3 == 0) for n, one in enumerate(FEATURES)]
    assert model.steps.any()
    for n in order:
        model.apply(FEATURES[n], steps[n], spam=n % 3 == 0, sign=-1)
    assert not model.steps.any()
    assert (model.spam, model.ham) == (0, 0)


def test_an_error_within_a_batch_leaves_what_was_there(folder: ModelFolder) -> None:
    teach(folder, JOE, range(100, 102), was=True, spam=False)
    before = RecipientFolder(folder.path).file(JOE).read_bytes()
    with (
        pytest.raises(RuntimeError),
        RecipientLearner(folder, JOE, starter=False) as learner,
    ):
        learner.learn(message(7, spam=True), spam=False)
        raise RuntimeError
    assert RecipientFolder(folder.path).file(JOE).read_bytes() == before


def test_a_site_that_begins_anew_keeps_what_its_recipients_taught(folder: ModelFolder) -> None:
    teach(folder, JOE, range(100, 120), was=True, spam=False)
    with Learner(folder, "cli:test", fresh=True) as learner:  # another salt
        for n in range(30):
            for spam in (True, False):
                learner.learn(message(n, spam=spam), spam=spam)
    assert points(folder, JOE)[JOE] < -3.0


def test_a_recipient_may_teach_before_the_site_has_a_model(folder: ModelFolder) -> None:
    empty = ModelFolder(folder.path.parent / "empty")
    with RecipientLearner(empty, JOE, starter=False) as learner:
        for n in range(20):
            learner.learn(message(n, spam=True), spam=True)
            learner.learn(message(n, spam=False), spam=False)
    (file,) = RecipientFolder(empty.path).files()
    shift = read(file).model.shift(Hasher(read(file).salt).features(message(99, spam=True)))
    assert shift > 1.0


def test_running_workers_follow_a_model(folder: ModelFolder) -> None:
    bayes = Bayes(BayesSettings(models=folder.path, starter=False))
    assert given_by(bayes, JOE) == {}
    teach(folder, JOE, range(100, 110), was=True, spam=False)
    first = given_by(bayes, JOE)[JOE]
    teach(folder, JOE, range(110, 130), was=True, spam=False)
    assert given_by(bayes, JOE)[JOE] < first
    RecipientFolder(folder.path).delete(JOE)
    assert given_by(bayes, JOE) == {}


def test_a_damaged_model_is_left_out_and_said_once(
    folder: ModelFolder, caplog: pytest.LogCaptureFixture
) -> None:
    teach(folder, JOE, range(100, 110), was=True, spam=False)
    path = RecipientFolder(folder.path).file(JOE)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    bayes = Bayes(BayesSettings(models=folder.path, starter=False))
    with caplog.at_level(logging.ERROR):
        assert given_by(bayes, JOE) == given_by(bayes, JOE) == {}
    (record,) = caplog.records
    assert f"the model of a recipient is not used: {path}: is damaged" in record.getMessage()
    with pytest.raises(ModelFileError, match="is damaged"):
        teach(folder, JOE, range(5), was=True, spam=False)


def stored() -> StoredRecipient:
    found = StoredRecipient(JOE, b"s" * 16, taught=1)
    for n, one in enumerate(FEATURES):
        step = found.model.learn(one, 0.0, spam=n % 3 == 0)
        found.lessons[n.to_bytes(16, "big")] = RecipientLesson(n % 3 == 0, step)
    return found


def test_a_file_says_what_was_written(tmp_path: Path) -> None:
    kept = stored()
    folder = RecipientFolder(tmp_path)
    folder.save(kept)
    found = folder.load(JOE)
    assert found is not None
    assert np.array_equal(found.model.steps, kept.model.steps)
    assert (found.owner, found.salt, found.taught) == (kept.owner, kept.salt, kept.taught)
    assert list(found.lessons.items()) == list(kept.lessons.items())
    assert folder.file(JOE).stat().st_mode & 0o777 == 0o600
    assert folder.path.stat().st_mode & 0o777 == 0o700


WHOLE = encoded(stored())


@given(at=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7), length=st.none() | st.integers(0))
def test_a_damaged_file_is_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int, length: int | None
) -> None:
    data = bytearray(WHOLE)
    data[at] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "damaged.fdr"
    path.write_bytes(data if length is None else WHOLE[: length % len(WHOLE)])
    with pytest.raises(ModelFileError, match=str(path)):
        read(path)


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "wrong first bytes"),
        (b"\x89filterd model\r\n" + bytes(200), "wrong first bytes"),
        (recipient_folder.MAGIC, "wrong first bytes"),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, octets: bytes, said: str) -> None:
    (tmp_path / "x.fdr").write_bytes(octets)
    with pytest.raises(ModelFileError, match=said):
        read(tmp_path / "x.fdr")


def test_weights_and_counters_have_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = stored()
    far.model.steps[7] = recipient_folder.STEPS_LIMIT + 1
    (tmp_path / "far.fdr").write_bytes(encoded(far))
    with pytest.raises(ModelFileError, match="weights beyond"):
        read(tmp_path / "far.fdr")
    least = stored()
    least.model.steps[7] = np.iinfo(np.int32).min
    (tmp_path / "least.fdr").write_bytes(encoded(least))
    with pytest.raises(ModelFileError, match="weights beyond"):
        read(tmp_path / "least.fdr")
    many = stored()
    many.model.spam = 1 << 60
    (tmp_path / "many.fdr").write_bytes(encoded(many))
    with pytest.raises(ModelFileError, match="counters beyond"):
        read(tmp_path / "many.fdr")
    monkeypatch.setattr(recipient_folder, "FORMAT_VERSION", 2)
    (tmp_path / "new.fdr").write_bytes(encoded(stored()))
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match="format version 2, this filterd reads 1"):
        read(tmp_path / "new.fdr")


def test_a_model_under_another_ones_name_is_refused(tmp_path: Path) -> None:
    folder = RecipientFolder(tmp_path)
    folder.save(stored())
    folder.file(JOE).rename(folder.file(SUE))
    with pytest.raises(ModelFileError, match=f"is of '{JOE}'"):
        folder.load(SUE)


def test_lessons_and_models_have_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipient_folder, "LESSONS_LIMIT", 5)
    monkeypatch.setattr(recipient_folder, "MODELS_LIMIT", 1)
    folder = RecipientFolder(tmp_path)
    folder.save(stored())
    folder.save(stored())  # it is there
    found = folder.load(JOE)
    assert found is not None
    assert list(found.lessons) == [n.to_bytes(16, "big") for n in range(7, 12)]
    assert np.array_equal(found.model.steps, stored().model.steps)
    other = stored()
    other.owner = SUE
    with pytest.raises(ModelFileError, match="has 1 models"):
        folder.save(other)


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("Joe@MX.Example", JOE),
        ("joe+shop@mx.example", JOE),
        ('"joe"@mx.example.', JOE),
        ("@MX.example", "@mx.example"),
        ("jörg@münchen.example", "jörg@xn--mnchen-3ya.example"),
    ],
)
def test_an_owner_has_one_spelling(text: str, owner: str) -> None:
    assert owner_of(text) == owner
    assert owners_of(owner)[-1:] == ((owner,) if owner[0] != "@" else ())


@pytest.mark.parametrize("text", ["", "joe", "mx.example", "@", "joe@", "x" * 600 + "@mx.example"])
def test_what_is_no_owner_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="expected an address, or a domain"):
        owner_of(text)


def test_who_agrees_with_the_site_has_next_to_nothing_in_the_model() -> None:
    site, own = OnlineModel.empty(), RecipientModel()
    for n in range(40):
        for spam in (True, False):
            site.learn(HASHER.features(message(n, spam=spam)), spam=spam)
    for n in range(40, 60):
        features = HASHER.features(message(n, spam=True))
        own.learn(features, site.score(features).total, spam=True)
    assert abs(own.shift(HASHER.features(message(99, spam=True)))) < 0.5
