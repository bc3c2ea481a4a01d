"""A candidate scores live mail along: the log hears of it, the verdict never."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.store import Card, ModelFileError, StoredModel, load, save
from filterd.bayes.model.tokens import Hasher
from filterd.bayes.site import shadow as shadow_module
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.learner import Learner
from filterd.bayes.site.shadow import clear_candidate, set_candidate, shadow_path, zone
from filterd.filters.bayes import filter as bayes_module
from filterd.filters.bayes.filter import Bayes
from filterd.filters.bayes.settings import BayesSettings
from tests.helpers.training_mail import message

SPAM = message(999, spam=True)


@pytest.fixture
def folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> ModelFolder:
    caplog.set_level(logging.INFO)
    folder = ModelFolder(tmp_path / "models")
    teach(folder, swapped=False)
    return folder


@pytest.fixture
def bayes(folder: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> Bayes:
    monkeypatch.setattr(bayes_module, "RELOAD_INTERVAL", 0.0)
    bayes = Bayes(BayesSettings(models=folder.path, starter=False))
    bayes.prepare()
    return bayes


def teach(folder: ModelFolder, *, swapped: bool) -> int:
    """Train a version on 30 messages of each class, right or with the classes swapped."""
    with Learner(folder, "cli:test", fresh=True) as learner:
        for n in range(30):
            for spam in (True, False):
                learner.learn(message(n, spam=spam), spam=spam is not swapped)
    return learner.stored.card.generation


def candidate(path: Path, *, salt: bytes, swapped: bool) -> Path:
    model, hasher = OnlineModel.empty(), Hasher(salt)
    for n in range(30):
        for spam in (True, False):
            model.learn(hasher.features(message(n, spam=spam)), spam=spam is not swapped)
    save(path, StoredModel(Card(salt), model))
    return path


@pytest.mark.parametrize("salt", ["its own", "the site's"])
def test_where_it_differs_the_log_says_so_and_the_verdict_stays(
    salt: str, folder: ModelFolder, bayes: Bayes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alone = bayes.examine(SPAM)
    site = folder.load_current()
    assert site is not None
    salts = {"its own": b"another salt", "the site's": site.card.salt}
    set_candidate(folder, candidate(tmp_path / "c.fdm", salt=salts[salt], swapped=True))
    assert bayes.examine(SPAM) == alone
    (line,) = [r.getMessage() for r in caplog.records if r.getMessage().startswith("shadow")]
    assert f"shadow id={SPAM.id} zone=spam p=0.9" in line
    assert "zone=ham p=0.0" in line


def test_where_it_agrees_the_log_is_silent(
    folder: ModelFolder, bayes: Bayes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    set_candidate(folder, candidate(tmp_path / "c.fdm", salt=b"x", swapped=False))
    bayes.examine(SPAM)
    assert not [r for r in caplog.records if r.getMessage().startswith("shadow")]


def test_workers_follow_it_on_and_off(folder: ModelFolder, bayes: Bayes, tmp_path: Path) -> None:
    assert not clear_candidate(folder)
    set_candidate(folder, candidate(tmp_path / "c.fdm", salt=b"x", swapped=True))
    bayes.examine(SPAM)
    assert bayes._shadow._candidate is not None
    assert clear_candidate(folder)
    bayes.examine(SPAM)
    assert bayes._shadow._candidate is None


def test_a_version_stays_a_candidate_when_its_file_is_pruned(folder: ModelFolder) -> None:
    set_candidate(folder, folder.version_path(1))
    teach(folder, swapped=False)
    folder.prune(keep=1)
    assert not folder.version_path(1).exists()
    assert load(shadow_path(folder)).card.generation == 1


def test_its_errors_are_logged_once_and_cost_no_verdict(
    folder: ModelFolder,
    bayes: Bayes,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = bayes.examine(SPAM)
    set_candidate(folder, candidate(tmp_path / "c.fdm", salt=b"x", swapped=True))

    def broken(_x: float) -> float:
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(shadow_module, "logistic", broken)
    for _ in range(3):
        assert bayes.examine(SPAM) == alone
    assert caplog.text.count("the candidate failed") == 1


def test_a_damaged_candidate_is_refused_and_one_that_rots_is_logged_once(
    folder: ModelFolder, bayes: Bayes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = tmp_path / "bad.fdm"
    bad.write_bytes(b"no model")
    with pytest.raises(ModelFileError, match="is not a filterd model"):
        set_candidate(folder, bad)
    assert not shadow_path(folder).exists()
    alone = bayes.examine(SPAM)
    shadow_path(folder).write_bytes(b"no model")
    for _ in range(3):
        assert bayes.examine(SPAM) == alone
    assert caplog.text.count("the candidate is not used") == 1


def test_zones() -> None:
    assert [zone(p) for p in (0.0, 0.0999, 0.1, 0.5, 0.8999, 0.9, 1.0)] == [
        "ham",
        "ham",
        "unsure",
        "unsure",
        "unsure",
        "spam",
        "spam",
    ]
