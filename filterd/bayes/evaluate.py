"""Running a classifier over labelled mail as the TREC spam track did, and keeping the scores.

*immediate*: every message is classified, then learned. *delayed*: it is learned `lag` messages
later, as when people correct their mail in the evening. *batch*: the first `train_first` messages
are learned, the rest is classified. *fixed*: nothing is learned. With `train_first` the protocols
that learn stop learning there, and only what comes later is measured.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from filterd.bayes.corpora import Item
from filterd.bayes.measures import Labels, Measures, Scores, measure
from filterd.bayes.online import OnlineModel
from filterd.bayes.tokens import Features, Hasher
from filterd.bayes.train import Progress, Source, labelled_items, no_progress
from filterd.message import Message

ProtocolName = Literal["immediate", "delayed", "batch", "fixed"]
DEFAULT_LAG = 500  # messages


class Examined(Protocol):
    """A classifier under test."""

    def read(self, data: bytes) -> object:
        """What the classifier needs of a message."""
        ...

    def score(self, seen: object) -> float:
        """Log-odds of spam."""
        ...

    def learn(self, seen: object, spam: bool) -> None:
        """Learn what `read` returned."""
        ...


class Ours:
    """filterd's classifier, on a model of its own."""

    def __init__(self, model: OnlineModel, salt: bytes) -> None:
        self.model = model
        self._hasher = Hasher(salt)

    def read(self, data: bytes) -> object:
        return self._hasher.features(Message(data))

    def score(self, seen: object) -> float:
        assert isinstance(seen, Features)
        return self.model.score(seen).total

    def learn(self, seen: object, spam: bool) -> None:
        assert isinstance(seen, Features)
        self.model.learn(seen, spam=spam)


@dataclass(slots=True)
class Run:
    """The scores of one run, in order, and the seconds of CPU time that it took.

    learned: messages learned before each score, for the learning curve.
    """

    names: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    labels: list[bool] = field(default_factory=list)
    learned: list[int] = field(default_factory=list)
    classify_seconds: float = 0.0
    learn_seconds: float = 0.0
    total_learned: int = 0

    @property
    def arrays(self) -> tuple[Scores, Labels]:
        return np.array(self.scores, np.float64), np.array(self.labels, np.bool_)

    def measures(self) -> Measures:
        """Raises ValueError unless there are both spam and ham."""
        return measure(*self.arrays)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run. shuffle: seed of the order, None for the order of the index."""

    protocol: ProtocolName = "immediate"
    train_first: int | None = None
    lag: int = DEFAULT_LAG
    shuffle: int | None = None

    def order(self, items: list[Item]) -> None:
        """Put messages into the order of the plan."""
        if self.shuffle is not None:
            random.Random(self.shuffle).shuffle(items)  # noqa: S311  # no secret in an order


def evaluate(
    sources: Sequence[Source], plan: Plan, examined: Examined, progress: Progress = no_progress
) -> Run:
    """Run a classifier over the labelled messages of the sources. Raises CorpusError."""
    with ExitStack() as stack:
        items, _unlabelled = labelled_items(sources, stack)
        plan.order(items)
        return run(items, plan, examined, progress)


def run(
    items: Sequence[Item], plan: Plan, examined: Examined, progress: Progress = no_progress
) -> Run:
    """Run a classifier over messages in their order."""
    result = Run()
    first = plan.train_first
    if first is None and plan.protocol == "batch":
        first = len(items) // 2
    waiting: deque[tuple[object, bool]] = deque()
    clock = time.process_time

    def learn(seen: object, spam: bool) -> None:
        begin = clock()
        examined.learn(seen, spam)
        result.learn_seconds += clock() - begin
        result.total_learned += 1

    for number, item in enumerate(items):
        assert item.label is not None
        data = item.read()
        begin = clock()
        seen = examined.read(data)
        read_seconds = clock() - begin
        if first is None or number >= first:
            begin = clock()
            score = examined.score(seen)
            result.classify_seconds += clock() - begin + read_seconds
            result.names.append(item.name)
            result.scores.append(score)
            result.labels.append(item.label)
            result.learned.append(result.total_learned)
        progress(number + 1, len(items))
        if plan.protocol == "fixed" or (first is not None and number >= first):
            continue
        if plan.protocol == "delayed":
            waiting.append((seen, item.label))
            if len(waiting) > plan.lag:
                learn(*waiting.popleft())
        else:
            learn(seen, item.label)
    return result


Suggestion = tuple[str, float, float, float]


def suggest(
    run_result: Run, allowed: Sequence[tuple[str, float]] = (("label", 0.5), ("quarantine", 0.1))
) -> list[Suggestion]:
    """For each action the lowest probability at which no more than that percentage of ham is
    called spam: (action, probability, ham lost in percent, spam passed in percent)."""
    scores, labels = run_result.arrays
    ham = np.sort(scores[~labels])
    found = []
    for action, limit in allowed:
        permitted = int(limit / 100.0 * len(ham))
        # Just above the highest ham that must not be lost.
        cut = float(np.nextafter(ham[len(ham) - 1 - permitted], np.inf))
        probability = 1.0 / (1.0 + float(np.exp(-cut)))
        hm = 100.0 * float(np.mean(scores[~labels] >= cut))
        sm = 100.0 * float(np.mean(scores[labels] < cut))
        found.append((action, probability, hm, sm))
    return found
