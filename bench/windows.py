"""What scoring windows costs on honest mail of one site in time order; prints a Markdown table.

    python -m bench.windows CORPUS... [--spam 0.6] [--shuffle SEED]

The mail of all corpora arrives mixed, each evenly over the time, as at one site; every message is
classified, then learned. --spam: leave out honest mail (always the same) until so much is spam.
--shuffle: mix each corpus in itself first. Compared are a model without any windows; one where the
whole message learns from its windows; and the classifier as it is. *Difference*: to the one
without, with its 95 % bootstrap interval over messages.
"""

from __future__ import annotations

import argparse
import random
from contextlib import ExitStack

import numpy as np

from filterd.bayes.lab.measures import measure, roca
from filterd.bayes.lab.train import Source, labelled_items
from filterd.bayes.model import online
from filterd.bayes.model.online import Lesson, OnlineModel, Score, logistic
from filterd.bayes.model.tokens import Features, Hasher
from filterd.message import Message

SALT = b"filterd evaluate"
RESAMPLES = 300


class WithoutWindows(OnlineModel):
    """The whole message decides."""

    def opinions(self, features: Features, *, compiled: bool = True) -> tuple[Score, Score]:
        whole, _ = super().opinions(features, compiled=compiled)
        return whole, whole


class WholeLearns(OnlineModel):
    """The whole message is pushed with the error of the window that decided."""

    def learn(self, features: Features, *, spam: bool) -> Lesson:
        whole, deciding = self.opinions(features)
        probability = logistic(whole.linear)
        if not spam and deciding.window:
            probability = max(probability, deciding.probability)
        step = online._step((1.0 if spam else 0.0) - probability, len(features))
        evidence = online.unfused(whole.counts)
        counted = (evidence if spam else -evidence) < online.COUNT_MARGIN
        lesson = Lesson(spam, step, counted)
        self.apply(features, lesson, 1)
        return lesson


KINDS: dict[str, type[OnlineModel]] = {
    "no windows": WithoutWindows,
    "the whole learns from its windows": WholeLearns,
    "as it is": OnlineModel,
}


def stream(
    corpora: list[str], spam_share: float | None, seed: int | None
) -> list[tuple[Features, bool]]:
    """The features and labels of all mail, in order."""
    hasher = Hasher(SALT)
    placed = []
    with ExitStack() as stack:
        boxes = [labelled_items([Source(corpus)], stack)[0] for corpus in corpora]
        spam = sum(bool(item.label) for box in boxes for item in box)
        ham = sum(len(box) for box in boxes) - spam
        keep = 1.0 if spam_share is None else spam * (1 - spam_share) / spam_share / ham
        chance = random.Random(1)
        for number, box in enumerate(boxes):
            if seed is not None:
                random.Random(seed).shuffle(box)
            for n, item in enumerate(box):
                if item.label or chance.random() < keep:
                    features = hasher.features(Message(item.read()))
                    placed.append((((n + 0.5) / len(box), number), features, bool(item.label)))
    placed.sort(key=lambda one: one[0])
    return [(features, label) for _, features, label in placed]


def difference(scores: np.ndarray, others: np.ndarray, labels: np.ndarray) -> str:
    """Of (1-ROCA)% and of ham lost at p = .5, to the others' scores, with intervals."""
    chance = np.random.default_rng(1)
    area, lost = [], []
    for _ in range(RESAMPLES):
        draw = chance.integers(len(labels), size=len(labels))
        a, b, y = scores[draw], others[draw], labels[draw]
        area.append(roca(a, y, 0).value - roca(b, y, 0).value)
        lost.append(100 * (np.mean(a[~y] >= 0) - np.mean(b[~y] >= 0)))
    values = (
        roca(scores, labels, 0).value - roca(others, labels, 0).value,
        100 * float(np.mean(scores[~labels] >= 0) - np.mean(others[~labels] >= 0)),
    )
    cells = []
    for value, drawn in zip(values, (area, lost), strict=True):
        low, high = np.percentile(drawn, [2.5, 97.5])
        cells.append(f"{value:+.4f} ({low:+.3f} to {high:+.3f})")
    return " | ".join(cells)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpora", metavar="CORPUS", nargs="+")
    parser.add_argument("--spam", type=float)
    parser.add_argument("--shuffle", type=int)
    arguments = parser.parse_args()
    mail = stream(arguments.corpora, arguments.spam, arguments.shuffle)
    labels = np.array([label for _, label in mail])
    print(f"{(~labels).sum()} ham, {labels.sum()} spam\n")
    print(
        "| classifier | (1-ROCA)% | hm%@sm% .1 | sm%@hm% .1 | hm/sm% at .5 | lam% "
        f"| difference in (1-ROCA)% | in ham lost |\n|{'---|' * 8}"
    )
    first: np.ndarray | None = None
    for name, kind in KINDS.items():
        model = kind.empty()
        told = []
        for features, label in mail:
            told.append(model.score(features).total)
            model.learn(features, spam=label)
        scores = np.array(told)
        found = measure(scores, labels)
        at = found.thresholds[0]
        more = "- | -" if first is None else difference(scores, first, labels)
        print(
            f"| {name} | {found.roca.value:.4f} ({found.roca.low:.3f}-{found.roca.high:.3f}) "
            f"| {found.hm_at_sm[0.1]:.2f} | {found.sm_at_hm:.2f} | {at.hm:.2f}/{at.sm:.2f} "
            f"| {found.lam:.3f} | {more} |",
            flush=True,
        )
        first = scores if first is None else first


if __name__ == "__main__":
    main()
