"""What the training journal answers, and how it says that it cannot."""

from __future__ import annotations

from dataclasses import dataclass

from filterd.bayes.model.online import Lesson

AUTOMATIC = "auto"
"""Sources that begin with this word are not persons; a person's label is never changed by them."""


class JournalError(Exception):
    """A journal that cannot be used, or a request that it cannot grant."""


@dataclass(frozen=True, slots=True)
class LearnedMessage:
    """A message that the model contains."""

    id: int
    lesson: Lesson
    source: str
    batch: int


@dataclass(frozen=True, slots=True)
class Batch:
    """One run of training. spam, ham: messages of it that the model contains now."""

    id: int
    started: str
    source: str
    about: str
    state: str
    generations: tuple[int, ...]
    spam: int
    ham: int
