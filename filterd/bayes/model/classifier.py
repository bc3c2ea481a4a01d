"""Judging a message with the site's own model, the starter model, or a blend of both.

A site without training of its own still deserves an answer, but a model trained on other people's
mail must not decide about it. So only the starter counts at first, its share falls smoothly to
nothing as the site's model learns, and until the site's model has learned enough of both classes
the answer is held below what quarantines. Without a starter its share is silence, log-odds of 0: a
model that saw one class only would take all mail for it.

The starter knows English. Of a text in another script it sees but the header fields and the markup,
and an office's honest letter in Greek looks to it like the spam of its corpus. So the less of the
visible words it has ever seen, the less its word for spam counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filterd.bayes.model.online import OnlineModel, Score, WeighedFeatures, logistic
from filterd.bayes.model.store import StoredModel
from filterd.bayes.model.text import Text, text_of
from filterd.bayes.model.tokens import Features, Hasher, distinct_words
from filterd.message import Message

MIN_LEARNS = 50
"""Messages of each class after which the site's model is used alone. False positives of a model
that starts from nothing fall to about one in a thousand within the first few hundred messages."""

FULL_WEIGHT = 2 * MIN_LEARNS
"""Messages of each class after which the site's model has its full weight in points."""


STRANGE, FAMILIAR = 0.6, 0.8
"""Shares of a text's words that the starter has seen, from which its word for spam counts nothing,
and in full. A third of all words seem known by chance, for they share a place in the table; of
English mail nine tenths are."""

USUAL_WORDS, USUAL_SHARE = 4.0, 0.9
"""What a text is taken to have besides, so that a few strange words decide nothing."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What the site's model has learned."""

    spam: int = 0
    ham: int = 0

    @property
    def share(self) -> float:
        """The site's model's share of the blend: 0.0 with no training, 1.0 from MIN_LEARNS on."""
        x = min(self.spam, self.ham, MIN_LEARNS) / MIN_LEARNS
        return x * x * (3.0 - 2.0 * x)

    @property
    def weight(self) -> float:
        """How far above the label threshold it may go: 0.0 up to MIN_LEARNS, 1.0 at FULL_WEIGHT."""
        least = min(self.spam, self.ham, FULL_WEIGHT)
        return max(0.0, (least - MIN_LEARNS) / (FULL_WEIGHT - MIN_LEARNS))

    @property
    def missing(self) -> tuple[int, int]:
        """Messages of spam and of ham that are missing until the site's model is used alone."""
        return max(0, MIN_LEARNS - self.spam), max(0, MIN_LEARNS - self.ham)


@dataclass(frozen=True, slots=True)
class WeightedModel:
    """One model's part of an opinion. share: its weight in the sum, 0.0 to 1.0; less than the part
    that is the starter's where it does not know the words."""

    name: str
    share: float
    score: Score
    features: Features
    stored: StoredModel
    hasher: Hasher

    def weigh(self) -> WeighedFeatures:
        """What the model knows of each feature; asked for only by explanations."""
        return self.stored.model.weigh(self.features)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the classifier thinks of one message. total: the log-odds of spam, the sum of the
    models' totals by their shares."""

    text: Text
    models: tuple[WeightedModel, ...]
    learned: Learned

    @property
    def total(self) -> float:
        return sum(one.share * one.score.total for one in self.models)

    @property
    def probability(self) -> float:
        """That the message is spam, from 0.0 to 1.0."""
        return logistic(self.total)


def trust(starter: OnlineModel, features: Features, score: Score) -> float:
    """How much the starter's score counts, from 0.0 to 1.0: less than all only for spam."""
    if score.total <= 0.0:
        return 1.0
    words = distinct_words(features.visible)
    seen = int(np.count_nonzero(starter.weights.take(words))) + USUAL_WORDS * USUAL_SHARE
    share = seen / (len(words) + USUAL_WORDS)
    return min(max((share - STRANGE) / (FAMILIAR - STRANGE), 0.0), 1.0)


class Classifier:
    """Judges messages. Raises ValueError if there is no model at all."""

    def __init__(self, site: StoredModel | None, starter: StoredModel | None) -> None:
        if site is None and starter is None:
            raise ValueError("no model: create one with `filterd train`")
        self.learned = Learned(site.model.spam, site.model.ham) if site else Learned()
        share = self.learned.share
        self._models: list[tuple[str, float, StoredModel, Hasher]] = []
        for name, weight, stored in (("site", share, site), ("starter", 1.0 - share, starter)):
            if stored is not None and (weight > 0.0 or starter is None):
                stored.model.settle()
                self._models.append((name, weight, stored, Hasher(stored.card.salt)))

    def judge(self, message: Message) -> Opinion:
        """Return the opinion of one message; never raises on what it contains."""
        text = text_of(message)
        weighted = []
        for name, share, stored, hasher in self._models:
            features = hasher.features_of(text)
            score = stored.model.score(features)
            trusted = trust(stored.model, features, score) if name == "starter" else 1.0
            weighted.append(WeightedModel(name, share * trusted, score, features, stored, hasher))
        return Opinion(text, tuple(weighted), self.learned)
