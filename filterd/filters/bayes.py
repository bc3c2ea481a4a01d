"""The trained classifier as a filter: probability of spam, and points for it."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_doc import Doc

from filterd import paths
from filterd.bayes.classifier import Classifier, Opinion
from filterd.bayes.explain import strongest
from filterd.bayes.folder import ModelFolder, starter_path
from filterd.bayes.store import ModelFileError, load
from filterd.message import Message
from filterd.verdict import Symbol, Verdict

log = logging.getLogger(__name__)

STARTER_POINTS = 5.0
"""The most that a message gets while the site's own model does not speak alone: it labels."""

RELOAD_INTERVAL = 1.0  # seconds between looks for a new version of the model

DETAIL_FROM = 0.1
"""Probability from which the verdict names words. Below it nobody asks why, and it costs time."""

SYMBOLS: tuple[tuple[float, str], ...] = (
    (0.999, "BAYES_999"),
    (0.99, "BAYES_99"),
    (0.95, "BAYES_95"),
    (0.80, "BAYES_80"),
    (0.60, "BAYES_60"),
    (0.40, "BAYES_50"),
    (0.20, "BAYES_40"),
    (0.05, "BAYES_20"),
    (0.01, "BAYES_05"),
    (0.0, "BAYES_00"),
)
"""From which probability on a message gets which symbol, in SpamAssassin's vocabulary."""

DEFAULT_POINTS: tuple[tuple[float, float], ...] = (
    (0.001, -3.0),
    (0.01, -2.0),
    (0.1, -1.0),
    (0.5, 1.0),
    (0.9, 5.0),
    (0.99, 8.0),
    (0.999, 14.9),
)


@dataclass
class Bayes:
    """Scores mail with the site's trained model, or with the starter model until there is one."""

    name: ClassVar[str] = "bayes"

    models: Annotated[
        Path, Doc("folder of the site's model versions, where `filterd train` and `learn` write")
    ] = paths.MODELS
    starter: Annotated[
        bool, Doc("use the starter model while the site's own has learned too little to speak")
    ] = True
    points: Annotated[
        tuple[tuple[float, float], ...],
        Doc(
            "points by probability of spam: [probability, points] pairs, both rising; between two "
            "pairs the points follow the log-odds"
        ),
    ] = DEFAULT_POINTS

    _classifier: Classifier | None = field(init=False, default=None, repr=False, compare=False)
    _seen: object = field(init=False, default=None, repr=False, compare=False)
    _next_look: float = field(init=False, default=0.0, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._curve = [(log_odds(p), points) for p, points in self.points if 0.0 < p < 1.0]
        if len(self._curve) != len(self.points) or not self._curve:
            raise ValueError("points: every probability must lie between 0 and 1")
        if any(a[0] >= b[0] or a[1] > b[1] for a, b in pairwise(self._curve)):
            raise ValueError("points: probabilities and points must rise from pair to pair")

    def prepare(self) -> None:
        """Open the models. Raises ModelFileError or ValueError where there is none to use."""
        self._seen = self._generation()
        self._open()
        self._next_look = time.monotonic() + RELOAD_INTERVAL

    def examine(self, message: Message) -> Verdict:
        """Return the probability of spam and the points that it means."""
        opinion = self.opinion(message)
        symbol = Symbol(symbol_name(opinion.probability), self.score(opinion), detail(opinion))
        return Verdict(symbols=(symbol,), probability=opinion.probability)

    def opinion(self, message: Message) -> Opinion:
        """Return all that the classifier has to say, with the newest version of the model."""
        if self._classifier is None:
            self.prepare()
        elif time.monotonic() >= self._next_look:
            self._reload_if_new()
        assert self._classifier is not None
        return self._classifier.judge(message)

    def score(self, opinion: Opinion) -> float:
        """The points of an opinion, held at the label threshold while the site's model is new."""
        points = self.points_at(opinion.total)
        most = self._curve[-1][1]
        limit = STARTER_POINTS + (most - STARTER_POINTS) * opinion.learned.voice
        return min(points, max(limit, STARTER_POINTS))

    def points_at(self, total: float) -> float:
        """The points of a log-odds of spam, by the table."""
        curve = self._curve
        if total <= curve[0][0]:
            return curve[0][1]
        for (x0, y0), (x1, y1) in pairwise(curve):
            if total < x1:
                return y0 + (y1 - y0) * (total - x0) / (x1 - x0)
        return curve[-1][1]

    def _open(self) -> None:
        site = ModelFolder(self.models).load_current()
        path = starter_path() if self.starter else None
        self._classifier = Classifier(site, load(path) if path else None)
        spam, ham = self._classifier.learned.missing
        if spam or ham:
            log.info("the site's own model does not speak yet: %d spam, %d ham missing", spam, ham)

    def _generation(self) -> object:
        """Something that changes when another version is put in force; cheap."""
        try:
            status = ModelFolder(self.models).link.lstat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _reload_if_new(self) -> None:
        self._next_look = time.monotonic() + RELOAD_INTERVAL
        generation = self._generation()
        if generation == self._seen:
            return
        self._seen = generation
        try:
            self._open()
        except (ModelFileError, OSError) as error:
            log.error("the new model is not used, the last good one stays: %s", error)
        else:
            log.info("model reloaded from %s", self.models)


def log_odds(p: float) -> float:
    """ln(p / (1 - p))."""
    return math.log(p / (1.0 - p))


def symbol_name(probability: float) -> str:
    """The symbol of a probability."""
    return next(name for least, name in SYMBOLS if probability >= least)


def detail(opinion: Opinion) -> str:
    """Why, in one line: probability, the learners' log-odds, what was learned, strongest words."""
    learned = opinion.learned
    parts = [f"p={opinion.probability:.4f}"]
    for voice in opinion.voices:
        parts.append(
            f"{voice.name}={voice.share:.2f}x({voice.score.linear:+.2f} linear "
            f"{voice.score.counts:+.2f} counts)"
        )
    parts.append(f"learned={learned.spam} spam,{learned.ham} ham")
    if any(learned.missing):
        parts.append("missing={} spam,{} ham".format(*learned.missing))
    if opinion.probability >= DETAIL_FROM:
        parts.extend(strongest(opinion))
    return " ".join(parts)
