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
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Literal, Protocol, cast

import numpy as np

from filterd.bayes.lab.measures import Labels, Measures, Scores, measure
from filterd.bayes.lab.parallel import ONE_READER, Readers
from filterd.bayes.lab.train import Progress, Source, labelled_items, no_progress
from filterd.bayes.model.classifier import Learned, trust
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.reading import FeatureReader
from filterd.bayes.model.store import StoredModel
from filterd.bayes.model.tokens import Features
from filterd.mailfiles.items import MailItem
from filterd.mailfiles.selection import Skips

ProtocolName = Literal["immediate", "delayed", "batch", "fixed"]
DEFAULT_LAG = 500  # messages
SCORED = 1024
"""Messages of one task that scores: the model, 16 MiB, travels with each."""


class Examined(Protocol):
    """A classifier under test."""

    @property
    def read(self) -> Callable[[bytes], object]:
        """Makes of a message what the classifier needs. For several readers it can be pickled."""
        ...

    def score(self, seen: object) -> float:
        """Log-odds of spam."""
        ...

    def learn(self, seen: object, spam: bool) -> None:
        """Learn what `read` returned."""
        ...


class Ours:
    """filterd's classifier, on a model of its own.

    starter: helps out while the model has learned too little, as it does in the filter.
    """

    def __init__(self, model: OnlineModel, salt: bytes, starter: StoredModel | None = None) -> None:
        self.model = model
        self._starter = starter
        self._read = FeatureReader(salt, starter.card.salt if starter else None)

    @property
    def read(self) -> Callable[[bytes], object]:
        return self._read

    def score(self, seen: object) -> float:
        features, theirs = cast(tuple[Features, Features | None], seen)
        total = self.model.score(features).total
        if self._starter is None or theirs is None:
            return total
        share = Learned(self.model.spam, self.model.ham).share
        if share == 1.0:
            return total
        score = self._starter.model.score(theirs)
        weight = (1.0 - share) * trust(self._starter.model, theirs, score)
        return share * total + weight * score.total

    def learn(self, seen: object, spam: bool) -> None:
        features, _theirs = cast(tuple[Features, Features | None], seen)
        self.model.learn(features, spam=spam)


@dataclass(frozen=True, slots=True)
class Scorer:
    """Scores messages by a classifier that learns no more; travels to other processes."""

    examined: Examined

    def __call__(self, data: bytes) -> float:
        return self.examined.score(self.examined.read(data))


@dataclass(slots=True)
class Run:
    """The scores of one run, in order, and the seconds of CPU time that it took.

    learned: messages learned before each score, for the learning curve. skips: what was left out.
    """

    names: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    labels: list[bool] = field(default_factory=list)
    learned: list[int] = field(default_factory=list)
    classify_seconds: float = 0.0
    learn_seconds: float = 0.0
    total_learned: int = 0
    skips: Skips = field(default_factory=Skips)

    @property
    def arrays(self) -> tuple[Scores, Labels]:
        """Scores and labels as arrays of one length."""
        return np.array(self.scores, np.float64), np.array(self.labels, np.bool_)

    def measures(self) -> Measures:
        """Raises ValueError unless there are both spam and ham."""
        return measure(*self.arrays)


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """How to run. shuffle: seed of the order, None for the order of the index."""

    protocol: ProtocolName = "immediate"
    train_first: int | None = None
    lag: int = DEFAULT_LAG
    shuffle: int | None = None

    def order(self, items: list[MailItem]) -> None:
        """Put messages into the order of the plan."""
        if self.shuffle is not None:
            random.Random(self.shuffle).shuffle(items)  # noqa: S311  # no secret in an order


def evaluate(
    sources: Sequence[Source],
    plan: EvaluationPlan,
    examined: Examined,
    progress: Progress = no_progress,
    readers: Readers = ONE_READER,
) -> Run:
    """Run a classifier over the labelled messages of the sources. Raises CorpusError."""
    with ExitStack() as stack:
        items, _unlabelled = labelled_items(sources, stack)
        plan.order(items)
        return run(items, plan, examined, progress, readers)


def run(
    items: Sequence[MailItem],
    plan: EvaluationPlan,
    examined: Examined,
    progress: Progress = no_progress,
    readers: Readers = ONE_READER,
) -> Run:
    """Run a classifier over messages in their order. readers: who reads them; the choice does not
    matter, the scores are the same."""
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

    def note(item: MailItem, score: float, seconds: float) -> None:
        assert item.label is not None
        result.classify_seconds += seconds
        result.names.append(item.name)
        result.scores.append(score)
        result.labels.append(item.label)
        result.learned.append(result.total_learned)

    learned = len(items) if first is None else first
    taught = [] if plan.protocol == "fixed" else items[:learned]
    for number, one in enumerate(readers.read(taught, examined.read, skips=result.skips), 1):
        if first is None:
            begin = clock()
            score = examined.score(one.seen)
            note(one.item, score, clock() - begin + one.seconds)
        progress(number, len(items))
        waiting.append((one.seen, bool(one.item.label)))
        if len(waiting) > (plan.lag if plan.protocol == "delayed" else 0):
            learn(*waiting.popleft())
    # Where nothing is learned between two scores, others can score as well as read.
    rest = items if plan.protocol == "fixed" and first is None else items[learned:]
    for number, scored in enumerate(readers.read(rest, Scorer(examined), SCORED, result.skips), 1):
        note(scored.item, scored.seen, scored.seconds)
        progress(len(items) - len(rest) + number, len(items))
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
