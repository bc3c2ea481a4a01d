"""The filter: points by probability, cold start, reload, explanation."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.bayes.model.classifier import FULL_WEIGHT, MIN_LEARNS, Classifier, Learned
from filterd.bayes.model.explain import WINDOW, clues, strongest
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.store import Card, ModelFileError, StoredModel, load
from filterd.bayes.model.tokens import Hasher
from filterd.bayes.site.folder import ModelFolder, starter_path
from filterd.bayes.site.learner import Learner
from filterd.filters.bayes import filter as bayes_module
from filterd.filters.bayes.filter import STARTER_POINTS, Bayes
from filterd.filters.bayes.settings import BayesSettings
from filterd.filters.bayes.symbols import symbol_name
from filterd.filters.points import DEFAULT_POINTS, log_odds
from filterd.message import Message
from tests.helpers.training_mail import mail, message


def trained(count: int, origin: str = "site", salt: bytes = b"salt of the test") -> StoredModel:
    model, hasher = OnlineModel.empty(), Hasher(salt)
    for n in range(count):
        for spam in (True, False):
            model.learn(hasher.features(message(n, spam=spam)), spam=spam)
    card = replace(Card.new(), origin=origin, salt=salt)  # type: ignore[arg-type]
    return StoredModel(card, model)


STARTER = trained(100, "starter", b"the starter's")
FULL = trained(FULL_WEIGHT)


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    return ModelFolder(tmp_path / "models")


def teach(folder: ModelFolder, numbers: range, *, spam: bool) -> None:
    with Learner(folder, "cli:test") as learner:
        for n in numbers:
            learner.learn(message(n, spam=spam), spam=spam)


def test_points_follow_the_table() -> None:
    bayes = Bayes(BayesSettings())
    for p, points in DEFAULT_POINTS:
        assert bayes.points_at(log_odds(p)) == pytest.approx(points)
    assert bayes.points_at(-99.0) == DEFAULT_POINTS[0][1]
    assert bayes.points_at(99.0) == DEFAULT_POINTS[-1][1]


@given(st.floats(-30, 30), st.floats(-30, 30))
def test_more_probable_is_never_fewer_points(a: float, b: float) -> None:
    bayes = Bayes(BayesSettings())
    low, high = sorted((a, b))
    assert bayes.points_at(low) <= bayes.points_at(high)


@pytest.mark.parametrize(
    "points",
    [
        (),
        ((0.5, 1.0), (0.4, 2.0)),
        ((0.5, 2.0), (0.6, 1.0)),
        ((0.0, 1.0),),
        ((0.5, 1.0), (1.0, 2.0)),
    ],
)
def test_a_wrong_table_is_refused(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="points"):
        Bayes(BayesSettings(points=points))


@pytest.mark.parametrize(
    ("p", "name"),
    [
        (0.0, "BAYES_00"),
        (0.03, "BAYES_05"),
        (0.5, "BAYES_50"),
        (0.97, "BAYES_95"),
        (1.0, "BAYES_999"),
    ],
)
def test_symbols_are_spamassassins(p: float, name: str) -> None:
    assert symbol_name(p) == name


def test_the_sites_model_alone_labels_and_quarantines() -> None:
    bayes = Bayes(BayesSettings())
    bayes._classifier = Classifier(FULL, STARTER)
    bayes._next_look = math.inf
    verdict = bayes.examine(message(5000, spam=True))
    assert verdict.score >= 8.0
    assert verdict.probability is not None
    assert verdict.probability > 0.99
    (symbol,) = verdict.symbols
    assert "site=1.00" in symbol.detail
    assert "learned=100 spam,100 ham" in symbol.detail
    assert "spam: " in symbol.detail
    assert bayes.examine(message(5000, spam=False)).score < 0.0


@pytest.mark.parametrize("learned", [0, 10, 25, 49, 50])
def test_a_new_model_never_does_more_than_label(learned: int) -> None:
    bayes = Bayes(BayesSettings())
    bayes._classifier = Classifier(trained(learned) if learned else None, STARTER)
    bayes._next_look = math.inf
    for n in range(3000, 3020):
        assert bayes.examine(message(n, spam=True)).score <= STARTER_POINTS


def test_the_blend_is_smooth() -> None:
    counts = range(FULL_WEIGHT + 20)
    shares = [Learned(n, n).share for n in counts]
    weighted = [Learned(n, n).weight for n in counts]
    assert shares[0] == 0.0
    assert shares[MIN_LEARNS] == shares[-1] == weighted[-1] == 1.0
    assert max(weighted[: MIN_LEARNS + 1]) == 0.0
    for steps in (shares, weighted):
        assert all(0.0 <= b - a < 0.04 for a, b in pairwise(steps))
    assert Learned(1000, 3).missing == (0, 47)


def test_a_message_is_blended_from_both_models() -> None:
    opinion = Classifier(trained(25), STARTER).judge(message(7, spam=True))
    assert [one.name for one in opinion.models] == ["site", "starter"]
    assert sum(one.share for one in opinion.models) == pytest.approx(1.0)
    assert opinion.total == pytest.approx(sum(v.share * v.score.total for v in opinion.models))


@pytest.mark.slow
@pytest.mark.parametrize(("spam", "ham"), [(60, 0), (0, 60), (60, 60)])
def test_without_a_starter_one_class_alone_says_nothing(
    folder: ModelFolder, spam: int, ham: int
) -> None:
    teach(folder, range(spam), spam=True)
    teach(folder, range(ham), spam=False)
    bayes = Bayes(BayesSettings(models=folder.path, starter=False))
    found = [bayes.opinion(message(500, spam=spam)).probability for spam in (True, False)]
    assert (found == [0.5, 0.5]) is not (spam == ham)
    if spam == ham:
        assert found[0] > 0.8 > 0.2 > found[1]


def test_without_any_model_it_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="filterd train"):
        Classifier(None, None)


@pytest.mark.slow
def test_new_versions_are_picked_up_and_bad_ones_are_not(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bayes_module, "RELOAD_INTERVAL", 0.0)
    monkeypatch.setattr(bayes_module, "starter_path", lambda: None)
    teach(folder, range(60), spam=True)
    teach(folder, range(60), spam=False)
    bayes = Bayes(BayesSettings(models=folder.path))
    bayes.prepare()
    first = bayes.opinion(message(500, spam=True))
    assert first.learned == Learned(60, 60)
    teach(folder, range(60, 70), spam=True)
    assert bayes.opinion(message(500, spam=True)).learned == Learned(70, 60)
    folder.version_path(9).write_bytes(b"damaged")
    (folder.path / "new").symlink_to(folder.version_path(9).name)
    (folder.path / "new").replace(folder.link)
    assert bayes.opinion(message(500, spam=True)).learned == Learned(70, 60)
    assert "last good one stays" in caplog.text


def test_preparing_with_a_damaged_model_is_an_error(folder: ModelFolder) -> None:
    teach(folder, range(2), spam=True)
    current = folder.current()
    assert current is not None
    folder.version_path(current).write_bytes(b"damaged")
    with pytest.raises(ModelFileError):
        Bayes(BayesSettings(models=folder.path)).prepare()


PADDED = mail(1, spam=True) + mail(1, spam=False, words=900).partition(b"\n\n")[2]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("spam", mail(1, spam=True)),
        ("ham", mail(1, spam=False)),
        ("long", PADDED),
        ("empty", b""),
        ("no words", b"\n\n!!! ??? ...\n"),
    ],
)
def test_clues_add_up_to_the_log_odds(name: str, data: bytes) -> None:
    for classifier in (Classifier(FULL, None), Classifier(trained(25), STARTER)):
        opinion = classifier.judge(Message(data))
        total = math.fsum(clue.weight for clue in clues(opinion))
        assert total == pytest.approx(opinion.total, abs=1e-9), name


def test_a_window_that_decided_is_explained() -> None:
    opinion = Classifier(FULL, None).judge(Message(PADDED))
    assert opinion.models[0].score.window is not None
    assert any(clue.word == WINDOW[1] for clue in clues(opinion))


def test_clues_name_words_of_the_class() -> None:
    found = clues(Classifier(FULL, None).judge(message(5000, spam=True)))
    words = {word for clue in found[:40] for word in clue.word.split()}
    assert words & {"offer", "winner", "casino", "prize", "pills", "cheap"}
    told = " ".join(strongest(Classifier(FULL, None).judge(message(5000, spam=True))))
    assert told.startswith("spam: ")


STRANGE = (
    "совещание перенесено протокол чертежи таблица поезд ответ спасибо вторник дела письмо"
).split()


def in_two_languages(known: int) -> bytes:
    """The header of a spam, and ten words of text of which so many are the starter's."""
    header = mail(500, spam=True).partition(b"\n\n")[0]
    own = "offer winner million transfer pills cheap click prize urgent casino".split()
    text = " ".join((*own[:known], *STRANGE[: 10 - known]))
    return header + b"\n\n" + text.encode() + b"\n"


def test_the_starters_word_for_spam_counts_less_the_stranger_the_text() -> None:
    classifier = Classifier(None, STARTER)
    shares = [classifier.judge(Message(in_two_languages(n))).models[0].share for n in range(11)]
    assert shares == sorted(shares)
    assert (shares[0], shares[10]) == (0.0, 1.0)
    assert 0.0 < shares[6] < 1.0
    silent = classifier.judge(Message(in_two_languages(0)))
    assert silent.models[0].score.total > 0.0
    assert (silent.total, silent.probability) == (0.0, 0.5)
    assert sum(clue.weight for clue in clues(silent)) == 0.0


def test_the_starters_word_for_ham_counts_in_any_language() -> None:
    header = mail(500, spam=False).partition(b"\n\n")[0]
    letter = header + b"\n\n" + " ".join(STRANGE).encode()
    (starter,) = Classifier(None, STARTER).judge(Message(letter)).models
    assert starter.score.total < 0.0
    assert starter.share == 1.0


def test_a_sites_own_model_counts_in_any_language() -> None:
    (site,) = Classifier(FULL, STARTER).judge(Message(in_two_languages(0))).models
    assert (site.name, site.share) == ("site", 1.0)


def test_the_starter_comes_with_the_project() -> None:
    path = starter_path()
    assert path is not None, "models/starter.fdm is missing: `make model` makes it"
    stored = load(path)
    assert stored.card.origin == "starter"
    assert stored.model.spam > 1000
    assert stored.model.ham > 1000
    assert path.stat().st_size <= 8 << 20
