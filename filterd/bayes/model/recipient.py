"""What one recipient, or one domain, calls spam otherwise than the site: a small model on top.

The site's model says the log-odds of spam for everybody; a recipient's model adds to them for this
recipient alone. It is online logistic regression over words and pairs with the site's log-odds as
its offset, so it learns only where the site's model is wrong for this recipient, and a recipient
who agrees with the site has next to nothing in it. The features are those of the site's model,
folded into a table of 32,768 weights (K. Weinberger et al., "Feature Hashing for Large Scale
Multitask Learning", ICML 2009). Measured: docs/figures/accuracy.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from filterd.bayes.model.online import STEP, logistic
from filterd.bayes.model.tokens import Features, Indices

WIDTH = 1 << 15
"""Weights of a model, 128 KiB. 131,072 gave the same."""

RATE = 8.0
MARGIN = 0.02
"""As the site's linear model: one step a lesson, while its error is above the margin."""

STEPS_LIMIT = 1 << 30
"""No weight is larger, counted in `STEP`: what the file of a model may hold."""

Steps = NDArray[np.int32]


@dataclass(slots=True)
class RecipientModel:
    """Weights as whole multiples of `STEP`, so that a lesson is taken back exactly, in any order.

    steps: `WIDTH` of them. spam, ham: lessons of each class that are in it.
    """

    steps: Steps = field(default_factory=lambda: np.zeros(WIDTH, np.int32))
    spam: int = 0
    ham: int = 0

    def shift(self, features: Features) -> float:
        """What it adds to the log-odds of spam of a message with these features."""
        rows = _rows(features)
        if not len(rows):
            return 0.0
        return float(self.steps.take(rows).sum(dtype=np.int64)) * STEP / math.sqrt(len(rows))

    def learn(self, features: Features, total: float, *, spam: bool) -> int:
        """Learn a message of which all others say these log-odds; the step to hand to `apply`."""
        error = (1.0 if spam else 0.0) - logistic(total + self.shift(features))
        size = len(_rows(features))
        step = round(RATE * error / math.sqrt(size) / STEP) if size else 0
        if abs(error) <= MARGIN:
            step = 0
        self.apply(features, step, spam=spam)
        return step

    def apply(self, features: Features, step: int, *, spam: bool, sign: int = 1) -> None:
        """Add a lesson (sign 1) or take it back (sign -1)."""
        self.steps[_rows(features)] += np.int32(sign * step)
        if spam:
            self.spam += sign
        else:
            self.ham += sign

    def strongest(self, features: Features, shown: int) -> list[tuple[float, int]]:
        """The words and pairs that add most to its shift, or take most off: (log-odds, where it
        stands in `Features.word_at`'s sense), the strongest first."""
        rows = features.words & (WIDTH - 1)
        root = math.sqrt(max(len(_rows(features)), 1))
        shares = self.steps.take(rows) * (STEP / root)
        order = np.argsort(-np.abs(shares), kind="stable")[:shown]
        return [(float(shares[i]), int(features.word_at[i])) for i in order if shares[i]]


def _rows(features: Features) -> Indices:
    """The weights of a message, each once."""
    seen = np.zeros(WIDTH, np.bool_)
    seen[features.words & (WIDTH - 1)] = True
    return np.flatnonzero(seen)
