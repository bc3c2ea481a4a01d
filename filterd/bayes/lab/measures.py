"""How good a set of scores is: the measures of the TREC spam track, and of calibration.

Scores are log-odds of spam, one a message; a message counts as spam at a threshold if its score is
at least that. All results are in percent except Brier and ECE.

Source: G. Cormack, T. Lynam, "TREC 2005 Spam Track Overview"; the bootstrap is over messages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
BOOTSTRAP_SEED = 1
CALIBRATION_BINS = 10

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What a fixed threshold does. hm, sm: percent of ham called spam, of spam called ham."""

    probability: float
    hm: float
    sm: float
    ham_lost: int
    spam_passed: int


@dataclass(frozen=True, slots=True)
class Measures:
    """All measures of one run.

    roca: 1 - area under the ROC curve. hm_at_sm: lowest loss of ham, by the loss of spam allowed.
    sm_at_hm: the reverse, for 0.1 % of ham. lam: logistic average misclassification at log-odds 0.
    """

    spam: int
    ham: int
    roca: Interval
    hm_at_sm: dict[float, float]
    sm_at_hm: float
    lam: float
    brier: float
    ece: float
    thresholds: tuple[AtThreshold, ...]


def measure(scores: Scores, labels: Labels) -> Measures:
    """Return the measures of scores with their labels (True: spam).

    Raises ValueError unless there are both spam and ham.
    """
    spam, ham = scores[labels], scores[~labels]
    if not (len(spam) and len(ham)):
        raise ValueError("both spam and ham are needed")
    p = probabilities(scores)
    hm, sm = tradeoff(scores, labels)
    return Measures(
        len(spam),
        len(ham),
        roca(scores, labels),
        {limit: float(hm[sm <= limit].min()) for limit in (0.1, 0.5, 1.0)},
        float(sm[hm <= 0.1].min()),
        lam(int((ham >= 0).sum()), len(ham), int((spam < 0).sum()), len(spam)),
        float(np.mean((p - labels) ** 2)),
        calibration_error(p, labels),
        tuple(at_threshold(p, labels, limit) for limit in (0.5, 0.9, 0.99, 0.999)),
    )


def probabilities(scores: Scores) -> Scores:
    """1 / (1 + e^-score)."""
    result: Scores = 1.0 / (1.0 + np.exp(-np.clip(scores, -500.0, 500.0)))
    return result


def roca(scores: Scores, labels: Labels, resamples: int = RESAMPLES) -> Interval:
    """(1 - ROCA)%, ties counting half, with its bootstrap interval."""
    values, place = np.unique(scores, return_inverse=True)
    steps = len(values)

    def one(weights: Scores) -> float:
        spam = np.bincount(place, weights * labels, steps)
        ham = np.bincount(place, weights * ~labels, steps)
        below = np.cumsum(ham) - ham
        pairs = spam.sum() * ham.sum()
        return 100.0 * (1.0 - float((spam * (below + ham / 2.0)).sum()) / pairs) if pairs else 0.0

    random = np.random.default_rng(BOOTSTRAP_SEED)
    size = len(scores)
    draws = [
        one(np.bincount(random.integers(size, size=size), minlength=size).astype(np.float64))
        for _ in range(resamples)
    ]
    low, high = np.percentile(draws, [2.5, 97.5]) if draws else (math.nan, math.nan)
    return Interval(one(np.ones(size)), float(low), float(high))


def tradeoff(scores: Scores, labels: Labels) -> tuple[Scores, Scores]:
    """(hm%, sm%) at every threshold that makes a difference, from the strictest to the laxest
    towards spam: the first loses all ham, the last no ham at all."""
    values, place = np.unique(scores, return_inverse=True)
    spam = np.bincount(place, labels, len(values))
    ham = np.bincount(place, ~labels, len(values))
    spam_below = np.concatenate(([0.0], np.cumsum(spam)))
    ham_from = ham.sum() - np.concatenate(([0.0], np.cumsum(ham)))
    return 100.0 * ham_from / ham.sum(), 100.0 * spam_below / spam.sum()


def lam(ham_lost: int, ham: int, spam_passed: int, spam: int) -> float:
    """The logistic average of the two error rates, in percent; half an error is added to each, so
    that no error does not mean minus infinity."""

    def logit(errors: int, total: int) -> float:
        rate = (errors + 0.5) / (total + 1.0)
        return math.log(rate / (1.0 - rate))

    return 100.0 / (1.0 + math.exp(-(logit(ham_lost, ham) + logit(spam_passed, spam)) / 2.0))


def calibration_error(p: Scores, labels: Labels, bins: int = CALIBRATION_BINS) -> float:
    """ECE: mean distance of predicted and observed share of spam, in bins of equal width."""
    place = np.minimum((p * bins).astype(np.intp), bins - 1)
    distance = np.abs(np.bincount(place, p, bins) - np.bincount(place, labels, bins))
    return float(distance.sum() / len(p))


def at_threshold(p: Scores, labels: Labels, limit: float) -> AtThreshold:
    """What calling everything spam from that probability on loses."""
    called = p >= limit
    lost, passed = int((called & ~labels).sum()), int((~called & labels).sum())
    return AtThreshold(
        limit,
        100.0 * lost / max(int((~labels).sum()), 1),
        100.0 * passed / max(int(labels.sum()), 1),
        lost,
        passed,
    )
