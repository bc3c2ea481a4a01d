"""The classifier's view of a message, as the pages show it: the strongest words on each side."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from filterd.bayes.model.explain import Clue, clues
from filterd.bayes.model.store import ModelFileError
from filterd.message import Message
from filterd.web.state import State

log = logging.getLogger(__name__)

WORDS = 12
"""Words on each side."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the classifier thinks of a message today. probability: of spam, 0.0 to 1.0. The weights
    of spam, ham and rest are log-odds and add up to `total`."""

    probability: float
    points: float
    total: float
    spam: tuple[Clue, ...]
    ham: tuple[Clue, ...]
    rest: float


def explain(state: State, message: Message) -> Explanation | None:
    """Why the classifier scores the message as it does; None without a classifier or a model."""
    bayes = state.bayes
    if bayes is None:
        return None
    try:
        with state.explaining:
            opinion = bayes.opinion(message)
            found = clues(opinion)
            points = bayes.score(opinion)
    except (ModelFileError, ValueError, OSError) as error:
        log.warning("the classifier cannot explain a message: %s", error)
        return None
    spam = tuple(c for c in found if c.weight > 0)[:WORDS]
    ham = tuple(c for c in found if c.weight < 0)[:WORDS]
    rest = opinion.total - sum(c.weight for c in (*spam, *ham))
    return Explanation(opinion.probability, points, opinion.total, spam, ham, rest)
