"""The trained classifier as a filter: probability of spam, and points for it."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import ClassVar

from filterd.bayes.model.classifier import Classifier, Learned, Opinion
from filterd.bayes.model.explain import strongest
from filterd.bayes.model.store import ModelFileError, load
from filterd.bayes.site.folder import ModelFolder, starter_path
from filterd.bayes.site.shadow import Shadow
from filterd.chain.verdict import Symbol, Verdict
from filterd.filters.bayes.recipients import RecipientModels
from filterd.filters.bayes.settings import BayesSettings
from filterd.filters.bayes.symbols import symbol_name
from filterd.filters.points import PointTable
from filterd.message import Message

log = logging.getLogger(__name__)

STARTER_POINTS = 5.0
"""The most that a message gets while the site's own model is not used alone: it labels."""

RELOAD_INTERVAL = 1.0  # seconds between looks for a new version of the model

DETAIL_FROM = 0.1
"""Probability from which the verdict names words. Below it nobody asks why."""


class Bayes:
    """Scores mail with the site's trained model, or with the starter model until there is one."""

    name: ClassVar[str] = "bayes"

    def __init__(self, settings: BayesSettings) -> None:
        self.settings = settings
        self._table = PointTable(settings.points)
        self._shadow = Shadow(settings.models)
        self._recipients = RecipientModels(settings.models)
        self._classifier: Classifier | None = None
        self._seen: object = None
        self._next_look = 0.0

    def prepare(self) -> None:
        """Open the models. Raises ModelFileError or ValueError where there is none to use."""
        self._seen = self._generation()
        self._open()
        self._shadow.look()
        self._next_look = time.monotonic() + RELOAD_INTERVAL

    def examine(self, message: Message) -> Verdict:
        """Return the probability of spam and the points that it means."""
        opinion = self.opinion(message)
        self._shadow.judge(message, opinion)
        probability = opinion.probability
        why = partial(detail, opinion)
        symbol = Symbol(symbol_name(probability), self.score(opinion), why)
        apart = tuple(self._recipients.symbols(opinion, message.envelope, self.points_after))
        return Verdict(symbols=(symbol,), points_apart=apart, probability=probability)

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
        return self.points_after(opinion.total, opinion.learned)

    def points_after(self, total: float, learned: Learned) -> float:
        """The points of a log-odds of spam when so much was learned."""
        limit = STARTER_POINTS + (self._table.most - STARTER_POINTS) * learned.weight
        return min(self.points_at(total), max(limit, STARTER_POINTS))

    def points_at(self, total: float) -> float:
        """The points of a log-odds of spam, by the table."""
        return self._table.at(total)

    def _open(self) -> None:
        site = ModelFolder(self.settings.models).load_current()
        path = starter_path() if self.settings.starter else None
        self._classifier = Classifier(site, load(path) if path else None)
        spam, ham = self._classifier.learned.missing
        if spam or ham:
            log.info("the site's own model is not used yet: %d spam, %d ham missing", spam, ham)

    def _generation(self) -> object:
        """Something that changes when another version is put in force; cheap."""
        try:
            status = ModelFolder(self.settings.models).link.lstat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _reload_if_new(self) -> None:
        self._next_look = time.monotonic() + RELOAD_INTERVAL
        self._shadow.look()
        generation = self._generation()
        if generation == self._seen:
            return
        self._seen = generation
        try:
            self._open()
        except (ModelFileError, OSError) as error:
            log.error("the new model is not used, the last good one stays: %s", error)
        else:
            log.info("model reloaded from %s", self.settings.models)


def detail(opinion: Opinion) -> str:
    """Why, in one line: probability, the learners' log-odds, what was learned, strongest words."""
    learned = opinion.learned
    parts = [f"p={opinion.probability:.4f}"]
    for one in opinion.models:
        parts.append(
            f"{one.name}={one.share:.2f}x({one.score.linear:+.2f} linear "
            f"{one.score.counts:+.2f} counts)"
        )
    parts.append(f"learned={learned.spam} spam,{learned.ham} ham")
    if any(learned.missing):
        parts.append("missing={} spam,{} ham".format(*learned.missing))
    if opinion.probability >= DETAIL_FROM:
        parts.extend(strongest(opinion))
    return " ".join(parts)
