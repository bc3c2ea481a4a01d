"""The compiled inner loops give what numpy gives, for any octets, and believe no length."""

from __future__ import annotations

import math
from dataclasses import fields
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.bayes.model import _kernel, windows
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.text import Section, Text
from filterd.bayes.model.tokens import COMPILED, TABLE, Features, Hasher, distinct_words

SALT = b"a salt of sixteen"
KERNEL = Hasher(SALT, compiled=True)
NUMPY = Hasher(SALT, compiled=False)


@cache
def trained() -> OnlineModel:
    """A model that has an opinion of every feature."""
    model = OnlineModel.empty()
    random = np.random.default_rng(7)
    model.weights[:] = random.normal(0.0, 0.3, len(model.weights))
    model.counts[:] = random.integers(0, 40, model.counts.shape)
    model.spam = model.ham = model.spam_counted = model.ham_counted = 50
    model.settle()
    return model


words = st.lists(
    st.sampled_from([b"free", b"money", b"a", b"meeting", b"\xc3\xa9t\xc3\xa9", b"$$$"])
)
octets = st.one_of(
    st.binary(max_size=400),
    words.map(b" ".join),
    st.tuples(words, st.integers(1, 60)).map(lambda t: b" ".join(t[0] * t[1])),
)
sections = st.lists(
    st.builds(Section, st.sampled_from(["subject", "text", "part", "received"]), octets),
    min_size=2,
    max_size=6,
)


@st.composite
def texts(draw: st.DrawFn) -> Text:
    found = tuple(draw(sections))
    place = st.integers(0, len(found))
    return Text(found, draw(place), draw(place), draw(octets), draw(octets))


def same(a: Features, b: Features) -> None:
    for field in fields(Features):
        left, right = getattr(a, field.name), getattr(b, field.name)
        if field.name == "source":
            for inner in fields(left):
                one, other = getattr(left, inner.name), getattr(right, inner.name)
                assert np.array_equal(one, other), inner.name
        else:
            assert np.array_equal(left, right), field.name


def test_the_kernel_is_there() -> None:
    """Set-up installs a compiler: without the kernel this suite would compare numpy with itself."""
    assert COMPILED


@given(texts())
def test_features_are_the_same(text: Text) -> None:
    same(KERNEL.features_of(text), NUMPY.features_of(text))


def test_features_of_a_text_over_every_limit_are_the_same() -> None:
    long = b"word and another " * 20000
    text = Text((Section("subject", long), Section("text", long)), 1, 1, long, long)
    same(KERNEL.features_of(text), NUMPY.features_of(text))


@given(texts())
def test_the_words_that_a_reader_sees_count_once(text: Text) -> None:
    visible = KERNEL.features_of(text).visible
    kernel = distinct_words(visible, compiled=True)
    assert sorted(kernel.tolist()) == distinct_words(visible, compiled=False).tolist()


@given(texts())
def test_scores_are_the_same(text: Text) -> None:
    features = KERNEL.features_of(text)
    kernel = trained().opinions(features, compiled=True)
    numpy = trained().opinions(features, compiled=False)
    for ours, reference in zip(kernel, numpy, strict=True):
        assert ours.window == reference.window
        assert ours.size == reference.size
        assert math.isclose(ours.linear, reference.linear, abs_tol=1e-9)
        assert math.isclose(ours.counts, reference.counts, abs_tol=1e-9)


def test_a_long_message_is_scored_by_its_worst_window_alike() -> None:
    decided_by_a_window = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        body = b" ".join(b"w%d" % n for n in random.integers(0, 500, 3000))
        text = Text(
            (Section("subject", b"hi"), Section("text", body)), 1, 1, b"subject: hi\n", body
        )
        features = KERNEL.features_of(text)
        assert windows.is_long(features)
        kernel, numpy = (
            trained().opinions(features)[1],
            trained().opinions(features, compiled=False)[1],
        )
        assert kernel.window == numpy.window
        assert math.isclose(kernel.total, numpy.total, abs_tol=1e-9)
        decided_by_a_window += kernel.window is not None
    assert decided_by_a_window > 0


@given(texts(), st.integers(1, 5))
def test_the_strongest_words_are_the_same(text: Text, shown: int) -> None:
    features = KERNEL.features_of(text)
    for score in trained().opinions(features):
        kernel = trained().strongest(features, score, shown)
        numpy = trained().strongest(features, score, shown, compiled=False)
        for ours, reference in zip(kernel, numpy, strict=True):
            assert [at for _, at in ours] == [at for _, at in reference]
            assert np.allclose([w for w, _ in ours], [w for w, _ in reference])


I8, U8, F4 = np.dtype(np.int64), np.dtype(np.uint64), np.dtype(np.float32)


def zeros(*shapes: tuple[int, np.dtype[np.generic]]) -> list[np.ndarray]:
    return [np.zeros(count, dtype) for count, dtype in shapes]


@pytest.mark.parametrize("number", [-1, TABLE, 1 << 62, -(1 << 63)])
def test_a_number_outside_the_table_is_refused(number: int) -> None:
    numbers = np.array([0, number], np.int64)
    with pytest.raises(ValueError, match="outside the table"):
        _kernel.distinct(numbers, 0, *zeros((2, I8), (2, I8)))


def test_what_was_refused_leaves_no_trace() -> None:
    kept, at = zeros((2, I8), (2, I8))
    with pytest.raises(ValueError, match="outside"):
        _kernel.distinct(np.array([5, TABLE]), 0, kept, at)
    assert _kernel.distinct(np.array([5, 5]), 0, kept, at) == 1
    assert (kept[0], at[0]) == (5, 1)


def test_outputs_that_are_too_short_are_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        _kernel.distinct(*zeros((3, I8)), 0, *zeros((2, I8), (3, I8)))
    with pytest.raises(ValueError, match="too short"):
        _kernel.grams(b"12345678", 1, 12, *zeros((4, I8)))
    with pytest.raises(ValueError, match="fit"):
        _kernel.number(*zeros((5, U8), (5, U8)), 44, TABLE, *zeros((11, I8)))
    with pytest.raises(ValueError, match="fit"):
        _kernel.cut(
            b"a b c d", *zeros((1, I8), (1, U8), (2, U8), (3, I8), (3, I8), (3, I8), (3, U8))
        )


def test_items_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="octets"):
        _kernel.distinct(*zeros((3, F4)), 0, *zeros((3, I8), (3, I8)))


def test_memory_that_may_not_be_written_is_refused() -> None:
    kept, at = zeros((1, I8), (1, I8))
    kept.flags.writeable = False
    with pytest.raises(ValueError, match=r"read-only|writ"):
        _kernel.distinct(np.zeros(1, np.int64), 0, kept, at)


@pytest.mark.parametrize(
    ("grams", "words", "skips", "word_at", "skip_at"),
    [
        ([2 * TABLE], [], [], [], []),
        ([-1], [], [], [], []),
        ([], [2 * TABLE], [], [0], []),
        ([], [0], [], [0], []),
        ([], [TABLE], [], [10], []),
        ([], [TABLE], [], [-1], []),
        ([], [], [3 * TABLE], [], [0]),
        ([], [], [2 * TABLE], [], [99]),
    ],
)
def test_a_feature_outside_the_model_is_refused(
    grams: list[int], words: list[int], skips: list[int], word_at: list[int], skip_at: list[int]
) -> None:
    arrays = [np.array(a, np.int64) for a in (grams, words, skips, word_at, skip_at)]
    with pytest.raises(ValueError, match="outside"):
        _kernel.score(
            *zeros((2 * TABLE, F4), (2 * TABLE, F4)), *arrays, 5, 0, 0, 128, 64, 4.0, 0.75
        )
