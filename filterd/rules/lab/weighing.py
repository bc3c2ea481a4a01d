"""Scores for rules, and points for the classifier, from labelled mail.

A logistic regression over what hits in each message: each rule is a feature, and the classifier's
log-odds are one for each step of a point table, so that its points are a table of `[filters.bayes]`
that rises. Weights of rules that are not nice are not below zero, those of nice ones not above it.
Each message gets its points from a model that has not seen it (cross-validation); of those points
the threshold is taken at which no more ham is lost than is allowed, and all weights are multiplied
so that this threshold is at `required` points.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize
from sklearn.model_selection import StratifiedKFold

from filterd.rules.lab.observations import Observation

FOLDS = 5
SEED = 1

LEAST_HITS = 5
"""Messages that a rule must hit to get a score of its own."""

STRENGTH = 1.0
"""Of the L2 penalty, over the sum of all losses: a rule that hits few messages stays near zero."""

ITERATIONS = 500

KNOTS: tuple[float, ...] = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
"""Probabilities of the classifier's point table. In the middle it gives no points."""

LEAST_THRESHOLD = 1e-6

Numbers = NDArray[np.float64]
Labels = NDArray[np.bool_]


class WeighingError(ValueError):
    """Mail of which no scores can be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the scores are to be. required: points from which mail is labelled. ham_percent: of the
    ham that may get as many. most: points that one rule gives at most, above and below zero."""

    required: float = 5.0
    ham_percent: float = 0.1
    most: float = 4.5


@dataclass(frozen=True, slots=True)
class WeighedScores:
    """The scores. table: (probability, points) of the classifier, empty without one. left_out:
    rules with too few hits. Of messages that the scores were not made of: ham_lost, percent of ham
    with the points required, and spam_passed, percent of spam without."""

    scores: dict[str, float]
    table: tuple[tuple[float, float], ...]
    ham_lost: float
    spam_passed: float
    spam: int
    ham: int
    left_out: int


def weigh(
    observations: Sequence[Observation], nice: Collection[str] = (), wanted: Wanted | None = None
) -> WeighedScores:
    """Make scores. nice: rules that make mail better. Raises WeighingError."""
    wanted = wanted or Wanted()
    labels = np.array([one.spam for one in observations], dtype=np.bool_)
    spam, ham = int(labels.sum()), int((~labels).sum())
    if min(spam, ham) < FOLDS:
        raise WeighingError(f"{spam} spam and {ham} ham; expected at least {FOLDS} of each")
    counts = Counter(name for one in observations for name in one.hits)
    names = sorted(name for name, count in counts.items() if count >= LEAST_HITS)
    features = _features(observations, names)
    if not features.shape[1]:
        raise WeighingError(f"no rule hits {LEAST_HITS} messages, and there is no classifier")
    signs = [-1 if name in nice else 1 for name in names]
    # The first time without a limit, since it is not known yet what one point is.
    _, first = _judged(features, labels, _bounds(features, signs, np.inf), wanted.ham_percent)
    bounds = _bounds(features, signs, wanted.most / wanted.required * first)
    apart, threshold = _judged(features, labels, bounds, wanted.ham_percent)
    weights = _fit(features, labels, bounds)[:-1] * (wanted.required / threshold)
    scores = np.clip(weights[: len(names)], -wanted.most, wanted.most)
    return WeighedScores(
        {name: round(float(score), 3) for name, score in zip(names, scores, strict=True)},
        _table(weights[len(names) :]),
        100.0 * float(np.mean(apart[~labels] >= threshold)),
        100.0 * float(np.mean(apart[labels] < threshold)),
        spam,
        ham,
        len(counts) - len(names),
    )


def _features(observations: Sequence[Observation], names: Sequence[str]) -> sparse.csr_matrix:
    """A row for each message: 1 for each rule that hits, and the classifier's steps, of -1 to 1."""
    place = {name: column for column, name in enumerate(names)}
    rows = [place[name] for one in observations for name in one.hits if name in place]
    ends = np.cumsum([0, *(len(one.hits & place.keys()) for one in observations)])
    hits = sparse.csr_matrix(
        (np.ones(len(rows)), rows, ends), shape=(len(observations), len(names))
    )
    said = [one.log_odds for one in observations if one.log_odds is not None]
    if len(said) < len(observations):
        return hits
    return sparse.hstack([hits, sparse.csr_matrix(_steps(np.array(said)))], format="csr")


def _steps(log_odds: Numbers) -> Numbers:
    """How far each step of the table is climbed: above the middle from 0 to 1, below from -1 to 0,
    so that no points are in the middle."""
    knots = np.array([math.log(p / (1.0 - p)) for p in KNOTS])
    low, high = knots[:-1], knots[1:]
    climbed: Numbers = np.clip((log_odds[:, None] - low) / (high - low), 0.0, 1.0)
    climbed[:, high <= 0.0] -= 1.0
    return climbed


def _table(steps: Numbers) -> tuple[tuple[float, float], ...]:
    """The point table whose steps have these heights."""
    if not len(steps):
        return ()
    heights = np.concatenate([[0.0], np.cumsum(steps)])
    heights -= heights[KNOTS.index(0.5)]
    return tuple((p, round(float(height), 2)) for p, height in zip(KNOTS, heights, strict=True))


Bounds = list[tuple[float, float]]


def _bounds(features: sparse.csr_matrix, signs: Sequence[int], most: float) -> Bounds:
    """Of each weight and, last, of the intercept. The classifier's table rises, without a limit."""
    of_rules: Bounds = [(0.0, most) if sign > 0 else (-most, 0.0) for sign in signs]
    steps = features.shape[1] - len(signs)
    return [*of_rules, *[(0.0, np.inf)] * steps, (-np.inf, np.inf)]


def _fit(features: sparse.csr_matrix, labels: Labels, bounds: Bounds) -> Numbers:
    """Weights, and the intercept last, of the logistic regression with an L2 penalty."""
    signed = np.where(labels, 1.0, -1.0)

    def loss(weights: Numbers) -> tuple[float, Numbers]:
        margin = signed * (features @ weights[:-1] + weights[-1])
        # d/dm log(1 + e^-m), without an overflow.
        slope = -signed * np.exp(-np.logaddexp(0.0, margin))
        gradient = np.append(features.T @ slope + STRENGTH * weights[:-1], slope.sum())
        penalty = STRENGTH / 2.0 * float(weights[:-1] @ weights[:-1])
        return float(np.logaddexp(0.0, -margin).sum()) + penalty, gradient

    start = np.zeros(features.shape[1] + 1)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": ITERATIONS}
    )
    weights: Numbers = found.x
    return weights


def _judged(
    features: sparse.csr_matrix, labels: Labels, bounds: Bounds, ham_percent: float
) -> tuple[Numbers, float]:
    """What each message gets from a model that has not seen it, and the threshold. Raises
    WeighingError."""
    apart = np.zeros(len(labels))
    middles = []
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(
        labels, labels
    ):
        weights = _fit(features[train], labels[train], bounds)
        apart[test] = features[test] @ weights[:-1]
        middles.append(-weights[-1])
    ham = np.sort(apart[~labels])
    permitted = int(ham_percent / 100.0 * len(ham))
    # Just above the highest ham that must not be lost; and not below what is as likely spam as ham.
    above = float(np.nextafter(ham[len(ham) - 1 - permitted], np.inf))
    threshold = max(above, float(np.mean(middles)))
    if threshold <= LEAST_THRESHOLD:
        raise WeighingError("no rule tells spam from ham in this mail")
    return apart, threshold


def as_local_cf(weighed: WeighedScores, corpora: str) -> str:
    """The scores as a `local.cf`, the classifier's points in it as a comment for filterd.toml."""
    lines = [
        f"# Scores from {weighed.spam} spam and {weighed.ham} ham: {corpora}",
        f"# Of mail that they were not made of, {weighed.ham_lost:.2f}% of the ham and "
        f"{100.0 - weighed.spam_passed:.2f}% of the spam get the points required.",
        f"# {weighed.left_out} rules hit fewer than {LEAST_HITS} messages and keep their scores.",
    ]
    if weighed.table:
        pairs = ", ".join(f"[{p}, {points}]" for p, points in weighed.table)
        lines += ["# In filterd.toml:", "#   [filters.bayes]", f"#   points = [{pairs}]"]
    lines += [f"score {name} {score:.3f}" for name, score in weighed.scores.items()]
    return "\n".join(lines) + "\n"
