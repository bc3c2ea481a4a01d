"""Autolearn, the side that learns: the queue's copies, under caps, as an automatic source.

The caps are counted in the journal, in the transaction that learns: a run that is killed counts
nothing and keeps the copies; one that is killed after its commit learns them again, which changes
nothing.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from filterd.bayes.model.classifier import Learned
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.tokens import Features
from filterd.bayes.site.autolearn import MESSAGE_LIMIT, Queue, Queued
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.learner import Learner, LearnOutcome
from filterd.bayes.site.shadow import zone

SOURCE = "autolearn"
"""As the journal names it."""

CAPPED = "capped"
"""The outcome of a copy that came when its sender, or all of them, had been learned enough."""

DISPUTED = "disputed"
"""The outcome of a copy of which the site's own model is sure that it is of the other class."""


def learn_queued(folder: ModelFolder, queue: Queue) -> Counter[str]:
    """Learn what waits in the queue and empty it. Returns how many messages had which outcome.

    Raises JournalError, ModelFileError, OSError; then the queue is as it was.
    """
    waiting = queue.waiting()
    outcomes: Counter[str] = Counter()
    if not waiting:
        return outcomes
    with Learner(folder, SOURCE, f"{len(waiting)} queued") as learner:
        for copy in waiting:
            outcomes[_learn(learner, queue, copy)] += 1
    for copy in waiting:
        copy.path.unlink(missing_ok=True)
    return outcomes


def _learn(learner: Learner, queue: Queue, copy: Queued) -> str:
    journal = learner.journal
    if (
        journal.learned_today() >= queue.settings.per_day
        or journal.learned_today(copy.sender) >= queue.settings.per_sender
    ):
        return CAPPED
    seen = learner.read(_read(copy.path))
    if not queue.settings.disputed and _disputed(learner.model, seen[1], copy.spam):
        return DISPUTED
    outcome = learner.learn_read(seen, spam=copy.spam)
    if outcome in (LearnOutcome.LEARNED, LearnOutcome.MOVED):
        journal.count_automatic(copy.sender)
    return outcome.value


def _disputed(model: OnlineModel, features: Features, spam: bool) -> bool:
    """True if a model that has learned enough to speak is sure of the other class.

    What an attacker gets past the other filters with false evidence is mostly that. SpamAssassin
    has the same rule (Mail::SpamAssassin::Plugin::AutoLearnThreshold).
    """
    if any(Learned(model.spam, model.ham).missing):
        return False
    p = model.score(features).probability
    return zone(p) == ("ham" if spam else "spam")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MESSAGE_LIMIT)
