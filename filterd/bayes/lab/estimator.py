"""The classifier as a scikit-learn estimator, for people who know scikit-learn.

`SpamClassifier` takes whole messages as octets and works where an estimator works: pipelines,
`cross_val_predict`, `GridSearchCV`. The learning itself is `filterd.bayes.model.online`; only this
module and `filterd.bayes.lab.baselines` import scikit-learn, and no worker imports them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from filterd.bayes.lab.measures import probabilities
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.tokens import Hasher
from filterd.message import Message

Messages = Sequence[bytes] | Sequence[str] | NDArray[Any]


class SpamClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # untyped bases
    """filterd's classifier of mail.

    X: messages as bytes, or as str (encoded as UTF-8). y: two classes; the one that sorts last
    (True, 1, "spam") is spam.

    threshold: probability from which `predict` says spam. passes: times that `fit` goes over the
    messages. shuffle: whether `fit` learns them in random order; False keeps theirs, which is right
    for mail in the order of its arrival. random_state: seed of that order. salt: of the feature
    hash.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.5,
        passes: int = 1,
        shuffle: bool = True,
        random_state: int | None = 1,
        salt: str = "filterd estimator",
    ) -> None:
        self.threshold = threshold
        self.passes = passes
        self.shuffle = shuffle
        self.random_state = random_state
        self.salt = salt

    def fit(self, X: Messages, y: Any) -> SpamClassifier:  # noqa: N803  # scikit-learn's name
        """Learn the messages from nothing. Raises ValueError unless y has two classes."""
        messages, labels = _checked(X), np.asarray(y)
        self._begin(labels)
        self._teach(messages, labels, self.passes, self.shuffle)
        return self

    def partial_fit(
        self,
        X: Messages,  # noqa: N803  # scikit-learn's name
        y: Any,
        classes: Any = None,
    ) -> SpamClassifier:
        """Learn more messages, in their order. classes: both of them, in the first call if y lacks
        one. Raises ValueError for a third one."""
        messages, labels = _checked(X), np.asarray(y)
        if not hasattr(self, "model_"):
            self._begin(labels if classes is None else np.asarray(classes))
        unknown = set(np.unique(labels).tolist()) - set(self.classes_.tolist())
        if unknown:
            raise ValueError(f"y has classes {unknown} beside {self.classes_.tolist()}")
        self._teach(messages, labels, 1, False)
        return self

    def decision_function(self, X: Messages) -> NDArray[np.float64]:  # noqa: N803
        """Log-odds of spam, one a message."""
        check_is_fitted(self, "model_")
        return np.array(
            [
                self.model_.score(self.hasher_.features(message)).total
                for message in map(_message, _checked(X))
            ],
            np.float64,
        )

    def predict_proba(self, X: Messages) -> NDArray[np.float64]:  # noqa: N803
        """Probabilities, shape (messages, 2), columns as `classes_`."""
        spam = probabilities(self.decision_function(X))
        return np.column_stack((1.0 - spam, spam))

    def predict(self, X: Messages) -> NDArray[Any]:  # noqa: N803
        """The class of each message."""
        called = self.predict_proba(X)[:, 1] >= self.threshold
        predicted: NDArray[Any] = self.classes_[called.astype(np.intp)]
        return predicted

    def _begin(self, labels: NDArray[Any]) -> None:
        check_classification_targets(labels)
        self.classes_ = np.unique(labels)
        if len(self.classes_) != 2:
            raise ValueError(
                f"two classes are needed, the number of classes is {len(self.classes_)}"
            )
        self.model_ = OnlineModel.empty()
        self.hasher_ = Hasher(self.salt.encode())

    def _teach(
        self, messages: Sequence[Any], labels: NDArray[Any], passes: int, shuffle: bool
    ) -> None:
        if len(messages) != len(labels):
            raise ValueError(f"{len(messages)} messages have {len(labels)} labels")
        features = [self.hasher_.features(_message(message)) for message in messages]
        order = np.arange(len(features))
        random = np.random.default_rng(self.random_state)
        for _ in range(passes):
            if shuffle:
                random.shuffle(order)
            for i in order.tolist():
                self.model_.learn(features[i], spam=bool(labels[i] == self.classes_[1]))


def _checked(messages: Messages) -> Sequence[Any]:
    """The messages as a flat sequence. Raises ValueError for anything else."""
    if isinstance(messages, (bytes, str)):
        raise ValueError("X is one message; expected a list of messages")
    array = np.asarray(messages, dtype=object)
    if array.ndim != 1:
        raise ValueError(f"X has {array.ndim} dimensions; expected a list of messages")
    return list(array)


def _message(message: Any) -> Message:
    if isinstance(message, str):
        return Message(message.encode("utf-8", "surrogateescape"))
    if isinstance(message, bytes):
        return Message(message)
    raise ValueError(f"a message is bytes or str, not {type(message).__name__}")
