"""The learners: what they learn, what they forget, and the worst window of a message."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.bayes.model import windows
from filterd.bayes.model.online import STEP, OnlineModel, Score, fused, logistic, merged, unfused
from filterd.bayes.model.tokens import Hasher
from filterd.message import Message
from tests.helpers.training_mail import mail, message

HASHER = Hasher(b"a test's own salt")


def trained(count: int = 60) -> OnlineModel:
    model = OnlineModel.empty()
    for n in range(count):
        for spam in (True, False):
            model.learn(HASHER.features(message(n, spam=spam)), spam=spam)
    return model


TRAINED = trained()


def test_an_empty_model_has_no_opinion() -> None:
    score = OnlineModel.empty().score(HASHER.features(message(1, spam=True)))
    assert (score.linear, score.counts, score.probability) == (0.0, 0.0, 0.5)


def test_it_tells_new_mail_of_two_classes_apart() -> None:
    for n in range(1000, 1050):
        assert TRAINED.score(HASHER.features(message(n, spam=True))).probability > 0.9
        assert TRAINED.score(HASHER.features(message(n, spam=False))).probability < 0.1


def test_learning_moves_the_score_towards_the_class() -> None:
    model = OnlineModel.empty()
    features = HASHER.features(message(1, spam=True))
    before = model.score(features).total
    model.learn(features, spam=True)
    middle = model.score(features).total
    model.learn(features, spam=False)
    assert before < middle
    assert model.score(features).total < middle


@pytest.mark.slow
@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=12),
    st.lists(st.tuples(st.integers(41, 80), st.booleans()), min_size=1, max_size=12),
    st.randoms(),
)
def test_forgetting_in_any_order_restores_the_model(before, lessons, chance) -> None:  # type: ignore[no-untyped-def]
    model = OnlineModel.empty()
    for n, spam in before:
        model.learn(HASHER.features(message(n, spam=spam)), spam=spam)
    kept = model.copy()
    taught = []
    for n, spam in lessons:
        features = HASHER.features(message(n, spam=not spam))
        taught.append((features, model.learn(features, spam=spam)))
    chance.shuffle(taught)
    for features, lesson in taught:
        model.forget(features, lesson)
    assert np.array_equal(model.weights, kept.weights)
    assert np.array_equal(model.counts, kept.counts)
    assert (model.spam, model.ham) == (kept.spam, kept.ham)
    assert (model.spam_counted, model.ham_counted) == (kept.spam_counted, kept.ham_counted)


def test_steps_are_exact_in_single_precision() -> None:
    model = OnlineModel.empty()
    lesson = model.learn(HASHER.features(message(1, spam=True)), spam=True)
    assert lesson.step / STEP == round(lesson.step / STEP)
    assert float(np.float32(lesson.step)) == lesson.step


@settings(max_examples=100)
@given(st.binary(max_size=2000))
def test_scores_are_finite_for_any_octets(data: bytes) -> None:
    score = TRAINED.score(HASHER.features(Message(data)))
    assert math.isfinite(score.total)
    assert 0.0 <= score.probability <= 1.0


@pytest.mark.parametrize("x", [-1e9, -40.0, -1.0, 0.0, 0.5, 30.0, 1e9])
def test_logistic_has_no_overflow(x: float) -> None:
    assert logistic(x) + logistic(-x) == pytest.approx(1.0)


@pytest.mark.parametrize("x", [-500.0, -1.0, 0.0, 3.0, 60.0])
def test_fusion_can_be_inverted(x: float) -> None:
    assert unfused(fused(x)) == pytest.approx(x)


def test_counts_do_not_overflow() -> None:
    model = OnlineModel.empty()
    model.counts[:] = np.iinfo(np.uint16).max
    model.spam_counted = model.ham_counted = 1
    features = HASHER.features(message(1, spam=True))
    model.learn(features, spam=True)
    assert model.counts.max() == np.iinfo(np.uint16).max
    assert math.isfinite(model.score(features).total)


def padded(n: int, words: int, *, before: bool) -> bytes:
    header, _, body = mail(n, spam=True).partition(b"\n\n")
    good = mail(n, spam=False, words=words).partition(b"\n\n")[2]
    return header + b"\n\n" + (good + body if before else body + good)


@pytest.mark.parametrize("before", [True, False])
def test_a_spam_padded_with_ham_is_judged_by_its_worst_window(before: bool) -> None:
    for n in range(2000, 2020):
        features = HASHER.features(Message(padded(n, 1500, before=before)))
        whole, deciding = TRAINED.opinions(features)
        assert deciding.window is not None
        assert deciding.total > whole.total
        assert deciding.probability > 0.5


def test_a_short_message_has_no_windows() -> None:
    features = HASHER.features(message(1, spam=True))
    assert not windows.is_long(features)
    assert TRAINED.score(features).window is None


def test_sums_over_windows_are_those_of_a_plain_loop() -> None:
    features = HASHER.features(Message(padded(5, 700, before=True)))
    chance = np.random.default_rng(1)
    grams = chance.normal(size=len(features.grams))
    words = chance.normal(size=len(features.words))
    evidence = chance.normal(size=len(features.words) + len(features.skips))
    found = windows.window_sums(features, grams, words, evidence)
    word_at, skip_at = windows.word_of(features)
    for k, (start, end) in enumerate(zip(found.starts, found.ends, strict=True)):

        def inside(at: int, start: int = start, end: int = end) -> bool:
            return at < features.header_words or start <= at < end

        chosen = [i for i, at in enumerate(word_at) if inside(at)]
        skips = [len(words) + i for i, at in enumerate(skip_at) if inside(at)]
        heads = [i for i, at in enumerate(features.gram_at) if at < features.header_octets]
        assert found.weight[k] == pytest.approx(words[chosen].sum() + grams[heads].sum())
        assert found.size[k] == len(chosen) + len(heads)
        assert found.evidence[k] == pytest.approx(evidence[chosen + skips].sum())
        part = windows.part_of(features, int(start), int(end))
        assert np.array_equal(part.words, features.words[chosen])
        assert np.array_equal(part.grams, features.grams[heads])
        assert part.size == found.size[k]


def quoting(n: int) -> bytes:
    """An honest letter of 1,500 words with the text of a spam at its end."""
    header, _, body = mail(n, spam=False, words=1500).partition(b"\n\n")
    return header + b"\n\n" + body + mail(n, spam=True, words=200).partition(b"\n\n")[2]


def test_an_honest_letter_that_quotes_a_spam_is_taught_by_its_window() -> None:
    model = trained()
    letter = HASHER.features(Message(quoting(7)))
    whole, deciding = model.opinions(letter)
    assert whole.probability < 0.1 < deciding.probability
    assert deciding.window is not None
    lesson = model.learn(letter, spam=False)
    assert lesson.window is not None
    assert (lesson.window.start, lesson.window.end) == deciding.window
    assert lesson.window.step < lesson.step <= 0.0, "the whole was nearly right"
    part = windows.part_of(letter, *deciding.window)
    expected = TRAINED.weights.copy()
    expected[np.concatenate((letter.grams, letter.words))] += np.float32(lesson.step)
    expected[np.concatenate((part.grams, part.words))] += np.float32(lesson.window.step)
    assert np.array_equal(model.weights, expected)
    for _ in range(20):
        model.learn(letter, spam=False)
    assert model.score(letter).probability < 0.1


def test_what_a_window_was_taught_is_forgotten_bit_for_bit() -> None:
    model = trained()
    before = model.copy()
    letters = [HASHER.features(Message(quoting(n))) for n in range(8)]
    lessons = [model.learn(letter, spam=False) for letter in letters]
    assert any(lesson.window for lesson in lessons)
    for letter, lesson in zip(letters, lessons, strict=True):
        model.forget(letter, lesson)
    assert np.array_equal(model.weights, before.weights)
    assert np.array_equal(model.counts, before.counts)


def test_the_windows_of_spam_are_not_taught() -> None:
    lesson = trained().learn(HASHER.features(Message(padded(3, 1500, before=True))), spam=True)
    assert lesson.window is None


def test_a_score_adds_up() -> None:
    assert Score(1.0, 2.0).total == 3.0
    assert Score(1.0, 2.0, 7, (0, 5)).total == 3.0 - windows.MARGIN


def test_merging_adds_counts_and_averages_weights() -> None:
    first, second = OnlineModel.empty(), OnlineModel.empty()
    joint = OnlineModel.empty()
    for n in range(30):
        part = first if n % 2 else second
        for spam in (True, False):
            features = HASHER.features(message(n, spam=spam))
            lesson = part.learn(features, spam=spam)
            joint.apply(features, lesson, 1)
    both = merged([first, second])
    assert np.array_equal(both.counts, joint.counts)
    assert np.allclose(both.weights, joint.weights / 2)
    assert (both.spam, both.ham) == (joint.spam, joint.ham) == (30, 30)
    assert (both.spam_counted, both.ham_counted) == (joint.spam_counted, joint.ham_counted)
    for n in range(500, 520):
        assert both.score(HASHER.features(message(n, spam=True))).probability > 0.5
        assert both.score(HASHER.features(message(n, spam=False))).probability < 0.5
    with pytest.raises(ValueError, match="at least one"):
        merged([])
