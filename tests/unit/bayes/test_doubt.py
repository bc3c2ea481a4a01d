"""Labels that are probably wrong weigh less; a person's correction does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from filterd.bayes.model.classifier import MIN_LEARNS
from filterd.bayes.model.online import STEP, Lesson, OnlineModel, WindowStep
from filterd.bayes.model.store import load
from filterd.bayes.model.tokens import Hasher
from filterd.bayes.site import doubt
from filterd.bayes.site.doubt import is_doubted, softened
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.learner import Learner
from tests.helpers.commands import filterd
from tests.helpers.training_mail import mail, message

pytestmark = pytest.mark.slow

HASHER = Hasher(b"salt of the test")


def trained(count: int) -> OnlineModel:
    model = OnlineModel.empty()
    for n in range(count):
        for spam in (True, False):
            model.learn(HASHER.features(message(n, spam=spam)), spam=spam)
    return model


@pytest.mark.parametrize("spam", [True, False])
def test_a_label_is_doubted_where_the_model_is_sure_of_the_other(spam: bool) -> None:
    model = trained(MIN_LEARNS)
    sure = HASHER.features(message(999, spam=spam))
    assert is_doubted(model, sure, spam=not spam)
    assert not is_doubted(model, sure, spam=spam)
    assert not is_doubted(trained(MIN_LEARNS - 1), sure, spam=not spam)


def test_a_doubted_lesson_moves_less_and_is_taken_back_bit_for_bit() -> None:
    model = trained(MIN_LEARNS)
    before = model.copy()
    features = HASHER.features(message(999, spam=False))
    believed = model.copy()
    believed.learn(features, spam=True)
    lesson, doubted = doubt.learn(model, features, spam=True)
    assert doubted
    score = before.score(features).total
    assert score < model.score(features).total < believed.score(features).total
    assert np.array_equal(model.counts, before.counts)
    assert (model.spam, model.spam_counted) == (before.spam + 1, before.spam_counted)
    model.forget(features, lesson)
    assert np.array_equal(model.weights, before.weights)
    assert (model.spam, model.ham) == (before.spam, before.ham)


def test_a_softened_lesson_has_its_share_of_every_step() -> None:
    lesson = Lesson(False, -8 * STEP, True, WindowStep(3, 131, -20 * STEP))
    assert softened(lesson, 0.25, counted=False) == Lesson(
        False, -2 * STEP, False, WindowStep(3, 131, -5 * STEP)
    )


def test_a_person_who_corrects_one_message_is_believed(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path / "models")
    with Learner(folder, "cli:ann") as learner:
        for n in range(MIN_LEARNS):
            for spam in (True, False):
                learner.learn(message(n, spam=spam), spam=spam)
        features = learner._hasher.features(message(999, spam=False))
        assert learner.model.score(features).probability < 0.1
        learner.learn(message(999, spam=False), spam=True)
        assert learner.model.score(features).probability > 0.5
    assert learner.doubted == 0


@pytest.mark.parametrize("trust", [False, True])
def test_training_names_the_labels_that_it_doubts(
    trust: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = {150, 171, 190}
    lines = []
    for n in range(200):
        spam = n % 2 == 0
        (tmp_path / f"{n}.eml").write_bytes(mail(n, spam=spam))
        lines.append(f"{'spam' if spam is not (n in wrong) else 'ham'} {n}.eml\n")
    (tmp_path / "index").write_text("".join(lines))
    (tmp_path / "filterd.toml").write_text('[filters.bayes]\nmodels = "models"\n')
    listed = tmp_path / "doubted"

    def train(*more: object) -> int:
        status, out, err = filterd(
            monkeypatch,
            capsys,
            "train",
            tmp_path,
            "--config",
            tmp_path / "filterd.toml",
            "--json",
            "--doubted",
            listed,
            *(["--trust"] if trust else []),
            *more,
        )
        assert status == 0, err
        return int(json.loads(out)["doubted"])

    expected = [] if trust else ["ham 150.eml", "spam 171.eml", "ham 190.eml"]
    for more in ([], ["-o", tmp_path / "one.fdm"], ["-j", 2]):
        assert train(*more) == len(expected)
        found = [line.replace(f"{tmp_path}/", "") for line in listed.read_text().splitlines()]
        assert found == expected
    salted = ["--salt-of", tmp_path / "models" / "current", "-o", tmp_path / "two.fdm"]
    train(*salted)
    site, two = load(tmp_path / "models" / "current").model, load(tmp_path / "two.fdm").model
    assert np.array_equal(site.weights, two.weights)
    assert np.array_equal(site.counts, two.counts)


def test_a_label_that_fits_is_learned_as_ever() -> None:
    model, ever = trained(MIN_LEARNS), trained(MIN_LEARNS)
    for n in range(500, 530):
        spam = n % 2 == 0
        features = HASHER.features(message(n, spam=spam))
        assert doubt.learn(model, features, spam=spam) == (ever.learn(features, spam=spam), False)
    assert np.array_equal(model.weights, ever.weights)
    assert np.array_equal(model.counts, ever.counts)
