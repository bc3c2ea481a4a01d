"""scikit-learn's own classifiers under the protocols of `filterd.bayes.lab.evaluate`.

Each sees the words of the same text that filterd's classifier reads, without origin, hashed. They
are what one would build in an afternoon, with scikit-learn's defaults. The logistic regression is
trained online by stochastic gradient descent, for the others learn online too.

Only evaluation imports this module: no worker loads scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import ComplementNB, MultinomialNB

from filterd.bayes.model.text import text_of
from filterd.message import Message

NAMES = ("nb", "complement", "logreg")
FEATURES = 1 << 18
"""Hash table size; scikit-learn's partial_fit touches all of it for every message."""

_CLASSES = np.array([False, True])


@dataclass(frozen=True)
class _WordReader:
    """Makes word counts of messages; travels to other processes."""

    vectorizer: Any

    def __call__(self, data: bytes) -> object:
        text = b"\n".join(section.text for section in text_of(Message(data)).words)
        return self.vectorizer.transform([text])


class Baseline:
    """One of scikit-learn's classifiers, learning message by message."""

    def __init__(self, name: str) -> None:
        self._read = _WordReader(
            HashingVectorizer(
                n_features=FEATURES,
                alternate_sign=False,
                norm="l2" if name == "logreg" else None,
                decode_error="replace",
            )
        )
        made: dict[str, Any] = {
            "nb": MultinomialNB(),
            "complement": ComplementNB(),
            "logreg": SGDClassifier(loss="log_loss", random_state=1),
        }
        self._model: Any = made[name]
        self._fitted = False

    @property
    def read(self) -> Callable[[bytes], object]:
        return self._read

    def score(self, seen: object) -> float:
        if not self._fitted:
            return 0.0
        if isinstance(self._model, SGDClassifier):
            return float(self._model.decision_function(seen)[0])
        ham, spam = self._model.predict_joint_log_proba(seen)[0]
        return float(spam - ham)

    def learn(self, seen: object, spam: bool) -> None:
        self._model.partial_fit(seen, np.array([spam]), classes=_CLASSES)
        self._fitted = True
