"""The classifier's view of a message, as the pages show it: the strongest words on each side."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from filterd.bayes.model import explain as model
from filterd.bayes.model.store import ModelFileError
from filterd.message import Message
from filterd.web.state import WebState

log = logging.getLogger(__name__)

WORDS = 12
"""Words on each side."""


@dataclass(frozen=True, slots=True)
class ExplanationView:
    """What the classifier thinks of a message today."""

    points: float
    why: model.Explanation


def explain(state: WebState, message: Message) -> ExplanationView | None:
    """Why the classifier scores the message as it does; None without a classifier or a model."""
    bayes = state.bayes
    if bayes is None:
        return None
    try:
        with state.explaining:
            opinion = bayes.opinion(message)
            return ExplanationView(bayes.score(opinion), model.explain(opinion, WORDS))
    except (ModelFileError, ValueError, OSError) as error:
        log.warning("the classifier cannot explain a message: %s", error)
        return None
