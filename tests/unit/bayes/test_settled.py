"""A settled model judges as before, to the last bit, and learning un-settles it."""

from __future__ import annotations

import numpy as np

from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.tokens import Features, Hasher
from filterd.message import Message

HASHER = Hasher(b"salt")


def features(text: str) -> Features:
    return HASHER.features(Message(f"Subject: {text}\r\n\r\n{text} again and {text}\r\n".encode()))


def trained() -> OnlineModel:
    model = OnlineModel.empty()
    for number in range(40):
        model.learn(features(f"cheap pills offer {number}"), spam=True)
        model.learn(features(f"minutes of meeting {number}"), spam=False)
    return model


def test_a_settled_model_says_the_same() -> None:
    model, settled = trained(), trained()
    settled.settle()
    for text in ("cheap pills", "minutes of meeting 3", "something never seen"):
        seen = features(text)
        assert np.array_equal(model.evidence(seen), settled.evidence(seen))
        assert model.score(seen) == settled.score(seen)


def test_learning_after_settling_counts() -> None:
    model, settled = trained(), trained()
    settled.settle()
    new = features("cheap minutes of pills")
    for one in (model, settled):
        one.learn(new, spam=False)
    assert settled.score(new) == model.score(new)


def test_a_model_without_both_classes_has_no_evidence() -> None:
    model = OnlineModel.empty()
    model.settle()
    assert not model.evidence(features("anything")).any()
